/**
 * A tar in, the directory of an overlay2 layer out, in one pass: the bytes are hashed, scanned, written to the files that they belong
 * to and told to tar-split as they pass.
 *
 * Invariants:
 * - Memory: about 100 bytes an entry, for the layer's own tree; of contents nothing.
 * - Everything that is made stands below the given root. After an error it is of no use, and whoever gave it takes it away.
 * - tar-split is told nothing that no reader of it takes: no name twice, and no content as one of a file that the file's name does
 *   not lead to on every host.
 */
import { createHash } from 'node:crypto'
import { statfsSync } from 'node:fs'
import type { ByteString } from '../byte-string.js'
import { PhylloError, withFacts } from '../errors.js'
import { type Limits, limitError } from '../limits.js'
import type { DiffId } from '../oci/digest.js'
import type { TarEntry } from '../tar/entry.js'
import { normalizeName } from '../tar/name.js'
import { type TarGlobal, TarScanner } from '../tar/scanner.js'
import type { SplitSink } from '../tar/split-writer.js'
import { type Placed, TreeBuilder } from '../tar/tree/tree-builder.js'
import type { FileCalls } from './file-calls.js'
import { LayerDirectory } from './layer-directory.js'

export interface UnpackLayerOptions {
  readonly calls: FileCalls
  /** The directory to make. Its parent is the caller's alone. */
  readonly root: string
  /** Bytes of the longest path by which the root will ever be reached; entries whose path would be too long there are refused. */
  readonly rootBytes?: number
  /** What is being read, for messages. */
  readonly label: string
  readonly limits: Limits
  readonly split: SplitSink
  /** Called now and then. What it throws ends the work. */
  readonly onStep?: () => void
}

export interface UnpackedLayer {
  readonly diffId: DiffId
  readonly tarBytes: number
  /** Docker's layer size: bytes of regular files, once per inode, plus lengths of symlink targets. */
  readonly sizeBytes: number
  /** Entries of the tar. */
  readonly entries: number
  /** Of the files. */
  readonly contentBytes: number
  readonly warnings: readonly string[]
}

/**
 * A chunk of `source` is read until the next one is asked for, never after. Throws what the source throws, and the errors of the
 * scanner, the tree and the disk, naming `label`: TAR_INVALID, PATH_ESCAPE, WHITEOUT_INVALID, ENTRY_UNSUPPORTED, METADATA_INVALID,
 * LIMIT_EXCEEDED, STORE_IO.
 */
export async function unpackLayer(
  source: AsyncIterable<Uint8Array>,
  options: UnpackLayerOptions,
): Promise<UnpackedLayer> {
  const pass = new Pass(options)
  try {
    for await (const chunk of source) {
      pass.take(chunk)
      await turn()
    }
    for (const _ of pass.finish()) {
      options.onStep?.()
      await turn()
    }
    return pass.result()
  } finally {
    pass.close()
  }
}

/** Without one now and then, memory that native code handed out is not taken back, and a job that runs inline holds up everybody. */
function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

class Pass {
  readonly #options: UnpackLayerOptions
  readonly #hash = createHash('sha256')
  readonly #tree: TreeBuilder
  readonly #directory: LayerDirectory
  readonly #scanner: TarScanner
  #tarBytes = 0
  /** The chunk that passes, and how far it has been told. */
  #chunk: Uint8Array = new Uint8Array(0)
  #told = 0
  /** Content still to come of the file that is open, and whether tar-split takes it from there. */
  #left = 0
  #isPayload = false
  /** The first global header; and where it ends, until then. */
  #global: ByteString | undefined
  #globalEnd = Number.POSITIVE_INFINITY

  constructor(options: UnpackLayerOptions) {
    const { calls, root, rootBytes = 0, limits } = options
    this.#options = options
    this.#tree = new TreeBuilder(limits, 'refused')
    const owner = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
    const hasRoom = () => statfsSync(root).bavail > 0
    this.#directory = this.#named(
      () => new LayerDirectory({ calls, root, rootBytes, tree: this.#tree, limits, owner, hasRoom }),
    )
    this.#scanner = new TarScanner({
      limits,
      onEntry: entry => this.#entry(entry),
      onGlobal: global => this.#startGlobal(global),
    })
  }

  take(chunk: Uint8Array): void {
    const { label, limits } = this.#options
    const tarBytes = this.#tarBytes + chunk.length
    if (tarBytes > limits.layerBytes)
      throw limitError('layerBytes', limits.layerBytes, tarBytes, `${label}: bytes of the layer`)
    this.#chunk = chunk
    this.#told = 0
    this.#named(() => {
      this.#tellContent()
      this.#scanner.push(chunk)
      this.#tellRaw(chunk.length)
    })
    this.#hash.update(chunk)
    this.#tarBytes = tarBytes
  }

  *finish(): Generator<void> {
    this.#named(() => this.#scanner.end())
    const steps = this.#directory.finish()
    while (this.#named(() => steps.next()).done !== true) yield
  }

  result(): UnpackedLayer {
    const { entries, warnings } = this.#tree
    const { sizeBytes, contentBytes } = this.#directory
    const diffId = `sha256:${this.#hash.digest('hex')}` as DiffId
    return { diffId, tarBytes: this.#tarBytes, sizeBytes, entries, contentBytes, warnings: warnings.list() }
  }

  close(): void {
    this.#directory.close()
  }

  #entry(entry: TarEntry): void {
    this.#tellRaw(entry.contentOffset - this.#tarBytes)
    this.#refuseNameOfGlobal(entry)
    const placed = this.#tree.add(entry)
    const isPayload = isReadByName(entry, placed)
    const inFile = placed.kind === 'inode' && entry.type === 'file'
    this.#directory.place(entry, placed)
    this.#options.split.entry(entry.name, isPayload ? entry.sizeBytes : 0)
    this.#isPayload = isPayload
    this.#left = inFile ? entry.sizeBytes : 0
    this.#tellContent()
  }

  /** As much of the open file's content as the chunk has. */
  #tellContent(): void {
    const start = this.#told
    const end = Math.min(this.#chunk.length, start + this.#left)
    if (start === end) return
    this.#directory.content(this.#chunk, start, end)
    this.#left -= end - start
    this.#told = end
    const bytes = this.#chunk.subarray(start, end)
    if (this.#isPayload) this.#options.split.payload(bytes)
    else this.#options.split.raw(bytes)
  }

  /** What lies before `end` in the chunk, none of it the content of a file. */
  #tellRaw(end: number): void {
    const globalEnd = this.#globalEnd - this.#tarBytes
    if (globalEnd <= end) {
      this.#globalEnd = Number.POSITIVE_INFINITY
      this.#tellRaw(globalEnd)
      this.#options.split.entry(this.#global!, 0)
    }
    if (end > this.#told) this.#options.split.raw(this.#chunk.subarray(this.#told, end))
    this.#told = Math.max(this.#told, end)
  }

  /** Only the first is an entry of tar-split; readers refuse two of one name, and all are called the same. */
  #startGlobal({ name, headerOffset, bodyEnd }: TarGlobal): void {
    this.#tellRaw(headerOffset - this.#tarBytes)
    if (this.#global !== undefined || this.#tree.entries > 0 || name === '') return
    this.#global = name
    this.#globalEnd = bodyEnd
  }

  #refuseNameOfGlobal({ name }: TarEntry): void {
    const { limits } = this.#options
    if (this.#global === undefined || !name.endsWith(this.#global.slice(-1))) return
    const [one, other] = [name, this.#global].map(each => normalizeName(each, limits).join('/'))
    if (one === other)
      throw new PhylloError('TAR_INVALID', 'the name is one of a global header, too, which dockerd refuses')
  }

  #named<T>(work: () => T): T {
    const { label } = this.#options
    try {
      return work()
    } catch (error) {
      throw withFacts(error, { member: label }, label)
    }
  }
}

/** Whether the content can be had again from the file that the name leads to, here and on a host that follows it by itself. */
function isReadByName({ type, sizeBytes }: TarEntry, { kind, strayed }: Placed): boolean {
  return kind === 'inode' && type === 'file' && sizeBytes > 0 && !strayed
}
