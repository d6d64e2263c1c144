/**
 * Driver overlay2: `overlay2/<cache-id>/`, one directory for each chain, as a dockerd makes and finds them.
 *
 * Invariants:
 * - An intent of ours names a directory from before it is made until its record stands, and from before its record goes until it is
 *   gone. What no record and no intent names is somebody else's: told, and never touched.
 * - A content is on the disk before its record is: one syncfs of the file system for all that a job and we have written.
 */
import { readFileSync } from 'node:fs'
import { type ByteString, fromText } from '../../byte-string.js'
import { ifThere } from '../../disk/io.js'
import { tarSplitFile } from '../../disk/paths.js'
import { randomId } from '../../disk/random-id.js'
import type { Root } from '../../disk/root.js'
import { settled } from '../../disk/settle.js'
import { isErrno, PhylloError } from '../../errors.js'
import type { SystemCalls } from '../../native/system-calls.js'
import type { PlannedContent } from '../../tar/layer-plan.js'
import type {
  ContentJobs,
  ContentJobsParts,
  Driver,
  LayerContent,
  NewContent,
  OpenLayer,
  OpenTar,
  PublishedContent,
  Removal,
  TarOptions,
} from '../driver.js'
import type { Layer } from '../layer.js'
import { completeLayer, lowersOf, placeDirectory, unlinkDirectory } from './directory.js'
import { DirectoryJobs } from './directory-jobs.js'
import { DirectoryLayer, openDirectoryLayer } from './directory-layer.js'
import { DirectoryRemoval } from './directory-removal.js'
import { DirectoryUppers } from './directory-uppers.js'
import { FileSystemSync } from './file-system-sync.js'
import { mountedLayers } from './mounted-layers.js'
import { refuse } from './refuse.js'

/** Docker's; it leaves room for a container and its init layer below the kernel's 128. */
const mostLayers = 125
/** BuildKit's ids: 128 bits in base 36, where dockerd's own are 64 hex digits. */
const builderGrammar = /^[0-9a-z]{25}$/
/** Characters of an id, and the most that a file with one is read of. */
const idLength = 64
const idBytes = 4096

export class Overlay2Driver implements Driver {
  readonly name = 'overlay2'
  readonly mostLayers = mostLayers
  readonly uppers: DirectoryUppers
  readonly #root: Root
  readonly #sync: FileSystemSync
  readonly #mountedByKernel: () => Promise<ReadonlySet<string>>
  #calls: Promise<SystemCalls> | undefined

  /** `mounted`, for tests: cache-ids of layers that the kernel has mounted. */
  constructor(root: Root, mounted = mountedLayers) {
    this.#root = root
    this.#mountedByKernel = mounted
    this.#sync = new FileSystemSync(root)
    this.uppers = new DirectoryUppers({ root, sync: this.#sync, calls: () => this.#toRead() })
  }

  cacheIdOf(): undefined {
    return undefined
  }

  async hasContent(cacheId: string): Promise<boolean> {
    const { io, paths } = this.#root
    const status = await settled(this.#root, paths.layerContent(cacheId), () => ifThere(io.status(paths.diff(cacheId))))
    return status?.type === 'directory'
  }

  async stored(): Promise<ReadonlySet<string>> {
    return new Set(await this.#directories())
  }

  /** Headers and padding of a tar are not kept. No name comes twice in a layer, so every content stays. */
  leastBytes(_tarBytes: number, contentBytes: () => Promise<number>): Promise<number> {
    return contentBytes()
  }

  async publish({ chainId, staged, below }: NewContent): Promise<PublishedContent> {
    const root = this.#root
    const { io, paths } = root
    if (staged === undefined) {
      const path = paths.layer(chainId)
      throw new PhylloError('STORE_CORRUPT', `${path}: the content of the layer is not there`, { path })
    }
    await root.assertAlone()
    const stage = await root.stage()
    const id = randomId(io)
    let intent: string | undefined
    const end = async () => {
      if (intent !== undefined) await ifThere(io.unlink(intent))
      await stage.dispose()
    }
    const withdraw = async () => {
      await unlinkDirectory(root, paths.layerContent(id), id)
      await root.discard(paths.layerContent(id))
      await end()
    }
    try {
      const tarSplit = stage.file(tarSplitFile)
      await io.rename(paths.below(staged, tarSplitFile), tarSplit)
      await io.chmod(tarSplit, 0o644)
      const link = await completeLayer(root, staged, below)
      intent = await root.intend({ directory: id })
      await placeDirectory(root, staged, { id, link, below })
      await this.#sync.everything(tarSplit)
      return { cacheId: id, beside: [[tarSplitFile, tarSplit]], recorded: end, withdraw }
    } catch (error) {
      await root.settle(withdraw)
      throw error
    }
  }

  async open({ chainId, diffId, cacheId, sizeBytes }: LayerContent): Promise<OpenLayer> {
    const { paths, readOnlyReason } = this.#root
    // A lease keeps it otherwise. Dockerd, as everybody, takes the record away before the directory.
    const record = paths.below(paths.layer(chainId), 'cache-id')
    const held = readOnlyReason === undefined ? undefined : { isThere: () => saysCacheId(record, cacheId) }
    return openDirectoryLayer(paths.diff(cacheId), { calls: await this.#toRead(), diffId, sizeBytes, ...held })
  }

  async openTar({ chainId, diffId, cacheId }: LayerContent, options: TarOptions = {}): Promise<OpenTar> {
    const { openDirectoryTar } = await import('./directory-tar.js')
    return openDirectoryTar(diffId, this.sourceOf({ chainId, cacheId }), options)
  }

  sourceOf({ chainId, cacheId }: Pick<LayerContent, 'chainId' | 'cacheId'>) {
    const { paths } = this.#root
    return { tarSplit: paths.tarSplit(chainId), diff: paths.diff(cacheId) }
  }

  contentOf(layer: Layer, inode: number): PlannedContent {
    const opened = directoryLayer(layer)
    return { file: `${fromText(opened.directory)}/${opened.path(inode)}` as ByteString, offset: 0 }
  }

  contentSource(layer: Layer): { readonly diff: string } {
    return { diff: directoryLayer(layer).directory }
  }

  jobs(parts: ContentJobsParts): ContentJobs {
    const { paths, durability } = this.#root
    const place = paths.below(paths.layerContent('0'.repeat(idLength)), 'merged')
    return new DirectoryJobs(parts, { durable: durability === 'full', placeBytes: Buffer.byteLength(place) })
  }

  removal(): Removal {
    return new DirectoryRemoval(this.#root.freeing)
  }

  async pinned(except: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const intended = await this.#intended()
    const others = (await this.#directories()).filter(id => !except.has(id) && !intended.has(id))
    const builders = await this.#builders(except)
    return new Set([...(await lowersOf(this.#root, others)), ...builders, ...(await this.#mountedByKernel())])
  }

  graphData([top, ...lowers]: readonly string[]): Readonly<Record<string, string>> | null {
    if (top === undefined) return null
    const { paths } = this.#root
    const of = (name: string) => paths.below(paths.layerContent(top), name)
    const below = lowers.map(id => paths.diff(id)).join(':')
    const data = { MergedDir: of('merged'), UpperDir: of('diff'), WorkDir: of('work') }
    return below === '' ? data : { LowerDir: below, ...data }
  }

  async foreign(known: ReadonlySet<string>): Promise<readonly string[]> {
    const others = new Set([...(await this.#intended()), ...(await this.#mounted())])
    return (await this.#directories()).filter(id => !known.has(id) && !others.has(id))
  }

  /** What reading a layer needs, if this process can do it: an opaque directory is one by an attribute that not everybody sees. */
  async #toRead(): Promise<SystemCalls> {
    const load = async () => {
      const [{ probeOverlay2Reading }, { loadSystemCalls }] = await Promise.all([
        import('./probe.js'),
        import('../../native/load-system-calls.js'),
      ])
      const calls = await loadSystemCalls()
      refuse(this.#root.paths, probeOverlay2Reading(calls))
      return calls!
    }
    return (this.#calls ??= load())
  }

  async #directories(): Promise<string[]> {
    const { io, paths } = this.#root
    const names = (await ifThere(io.readdir(paths.content))) ?? []
    return names.filter(name => paths.below(paths.content, name) !== paths.links).sort()
  }

  async #intended(): Promise<Set<string>> {
    const { io, paths } = this.#root
    const names = (await ifThere(io.readdir(paths.intents))) ?? []
    return new Set(names.map(name => name.slice(0, name.lastIndexOf('@'))))
  }

  /** Layers that a dockerd's builder has made, and keeps in its cache whatever becomes of images. */
  async #builders(layers: ReadonlySet<string>): Promise<string[]> {
    const { io, paths } = this.#root
    if ((await ifThere(io.status(paths.builderSnapshots()))) === undefined) return []
    return [...layers].filter(id => builderGrammar.test(id))
  }

  /** What containers have, Docker's and ours. */
  async #mounted(): Promise<string[]> {
    const { io, paths } = this.#root
    const ids: string[] = []
    for (const container of (await ifThere(io.readdir(paths.mounts))) ?? [])
      for (const file of ['mount-id', 'init-id']) {
        const id = await ifThere(io.readFile(paths.below(paths.mount(container), file), idBytes))
        if (id !== undefined) ids.push(id.toString().trim())
      }
    return ids
  }
}

function saysCacheId(path: string, cacheId: string): boolean {
  try {
    return readFileSync(path, 'utf8').trim() === cacheId
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}

function directoryLayer(layer: Layer): DirectoryLayer {
  if (layer instanceof DirectoryLayer) return layer
  throw new TypeError(`layer ${layer.diffId} is no directory`)
}
