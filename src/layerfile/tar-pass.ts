/**
 * A tar on its way into a layer file, whatever becomes of its bytes: hashed and scanned as they pass, with the tree of the entries
 * kept in columns, which is written behind the blocks.
 *
 * Invariant: nothing that the index says comes from elsewhere.
 */
import { createHash } from 'node:crypto'
import { withFacts } from '../errors.js'
import { type Limits, limitError } from '../limits.js'
import type { DiffId } from '../oci/digest.js'
import type { TarEntry } from '../tar/entry.js'
import { TarScanner } from '../tar/scanner.js'
import { TreeBuilder } from '../tar/tree/tree-builder.js'
import type { BlockRows } from './block-rows.js'
import type { Checksums } from './checksum.js'
import { writeAllSync } from './file-io.js'
import { frameHeader } from './frame.js'
import { writeIndex } from './index-writer.js'
import { TreeIndex } from './tree-index.js'

export interface TarPassOptions {
  /** Open for writing, of an empty file. Not closed. */
  readonly fd: number
  /** Where that is, for errors. Default: the label. */
  readonly path?: string
  /** What is being read, for messages. */
  readonly label: string
  readonly limits: Limits
}

export interface WrittenLayer {
  readonly diffId: DiffId
  readonly tarBytes: number
  /** Docker's layer size: bytes of regular files, once per inode, plus lengths of symlink targets. */
  readonly sizeBytes: number
  /** Entries of the tar. */
  readonly entries: number
  readonly fileBytes: number
  readonly warnings: readonly string[]
}

export class TarPass {
  readonly #options: TarPassOptions
  readonly #hash = createHash('sha256')
  readonly #tree: TreeBuilder
  readonly #scanner: TarScanner
  #tarBytes = 0

  /** `onEntry` hears of each entry as soon as its headers have passed. */
  constructor(options: TarPassOptions, onEntry: (entry: TarEntry) => void = () => undefined) {
    this.#options = options
    this.#tree = new TreeBuilder(options.limits)
    this.#scanner = new TarScanner({
      limits: options.limits,
      onEntry: entry => {
        this.#tree.add(entry)
        onEntry(entry)
      },
    })
  }

  /** Of what was scanned. */
  get tarBytes(): number {
    return this.#tarBytes
  }

  /** Throws what the scanner and the tree do, naming the label, and LIMIT_EXCEEDED. */
  scan(chunk: Uint8Array): void {
    const { label, limits } = this.#options
    const tarBytes = this.#tarBytes + chunk.length
    if (tarBytes > limits.layerBytes)
      throw limitError('layerBytes', limits.layerBytes, tarBytes, `${label}: bytes of the layer`)
    this.#named(() => this.#scanner.push(chunk))
    this.#tarBytes = tarBytes
  }

  /** The same bytes, in any pieces. */
  hash(bytes: Uint8Array): void {
    this.#hash.update(bytes)
  }

  /** All has been scanned. Throws as `scan`. */
  end(): void {
    this.#named(() => this.#scanner.end())
  }

  /** Writes the index behind the blocks, and the frame's header, which names the content's size, last. */
  async finish(frameEnd: number, blocks: BlockRows, checksums: Checksums): Promise<WrittenLayer> {
    const { fd, label, path = label, limits } = this.#options
    const tarBytes = this.#tarBytes
    const { entries, warnings } = this.#tree
    const tree = new TreeIndex(this.#tree)
    if (tree.mostLinks > limits.hardLinks)
      throw limitError('hardLinks', limits.hardLinks, tree.mostLinks, `${label}: names of one inode`)
    const diffId = `sha256:${this.#hash.digest('hex')}` as DiffId
    const facts = { diffId, tarBytes, sizeBytes: tree.sizeBytes, entries, frameEnd }
    const fileBytes = writeIndex({ fd, path, label, checksums, facts, blocks, tree })
    writeAllSync(fd, [await frameHeader(tarBytes)], 0, path)
    return { diffId, tarBytes, sizeBytes: tree.sizeBytes, entries, fileBytes, warnings: warnings.list() }
  }

  #named(work: () => void): void {
    try {
      work()
    } catch (error) {
      throw withFacts(error, { member: this.#options.label }, this.#options.label)
    }
  }
}
