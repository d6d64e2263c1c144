/**
 * Driver packed: `packed/<cache-id>.tar.lz4`, one layer file for each diffId, whatever it stands on.
 *
 * Invariant: a file is never replaced; one that a power cut has left empty (durability none) is as good as none.
 */
import { ifThere } from '../../disk/io.js'
import type { Root } from '../../disk/root.js'
import { discardIf, settled } from '../../disk/settle.js'
import { PhylloError } from '../../errors.js'
import type { BlockCache } from '../../layerfile/block-cache.js'
import { type DiffId, hexOf } from '../../oci/digest.js'
import type { BlockCompression, TarSource } from '../../pool/jobs.js'
import type { PlannedContent } from '../../tar/layer-plan.js'
import type {
  ContentJobs,
  ContentJobsParts,
  Driver,
  LayerContent,
  NewContent,
  PublishedContent,
  Removal,
} from '../driver.js'
import type { Layer } from '../layer.js'
import { PackedJobs } from './packed-jobs.js'
import type { PackedLayer } from './packed-layer.js'
import { PackedUppers } from './packed-uppers.js'

/** A sequence of LZ4 block format has a length byte for each 255 bytes that it stands for. */
const lz4Ratio = 255

export interface PackedOptions {
  /** Of layers that are written. */
  readonly compression: BlockCompression
}

export class PackedDriver implements Driver {
  readonly name = 'packed'
  readonly mostLayers = Number.POSITIVE_INFINITY
  readonly uppers: PackedUppers
  readonly #root: Root
  readonly #options: PackedOptions
  /** What is open shares its decompressed blocks. */
  #cache: BlockCache | undefined

  constructor(root: Root, options: PackedOptions = { compression: 'lz4' }) {
    this.#root = root
    this.uppers = new PackedUppers(root)
    this.#options = options
  }

  cacheIdOf(diffId: DiffId): string {
    return hexOf(diffId)
  }

  async hasContent(cacheId: string): Promise<boolean> {
    const path = this.#root.paths.packedLayer(cacheId)
    const status = await settled(this.#root, path, () => ifThere(this.#root.io.status(path)))
    return status !== undefined && (status.type !== 'file' || status.sizeBytes > 0)
  }

  async stored(): Promise<ReadonlySet<string>> {
    return new Set(await this.#files())
  }

  async leastBytes(tarBytes: number): Promise<number> {
    return this.#options.compression === 'none' ? tarBytes : Math.floor(tarBytes / lz4Ratio)
  }

  async publish({ diffId, staged }: NewContent): Promise<PublishedContent> {
    const cacheId = hexOf(diffId)
    await this.#publish(cacheId, staged)
    // Shared by whoever has this diffId: the next collection knows whether anybody does.
    return { cacheId, beside: [], recorded: async () => undefined, withdraw: async () => undefined }
  }

  async open({ cacheId }: LayerContent): Promise<PackedLayer> {
    const [{ BlockCache }, { openPackedLayer }] = await Promise.all([
      import('../../layerfile/block-cache.js'),
      import('./packed-layer.js'),
    ])
    this.#cache ??= new BlockCache()
    return openPackedLayer(this.#root.paths.packedLayer(cacheId), { cache: this.#cache })
  }

  openTar(content: LayerContent): Promise<PackedLayer> {
    return this.open(content)
  }

  sourceOf({ cacheId }: Pick<LayerContent, 'cacheId'>): TarSource {
    return { layerFile: this.#root.paths.packedLayer(cacheId) }
  }

  contentOf(layer: Layer, inode: number): PlannedContent {
    return { layer: this.contentSource(layer).layerFile, inode }
  }

  contentSource(layer: Layer): { readonly layerFile: string } {
    const { source } = layer.tar ?? {}
    if (source !== undefined && 'layerFile' in source) return source
    throw new TypeError(`layer ${layer.diffId} is not in a layer file`)
  }

  jobs(parts: ContentJobsParts): ContentJobs {
    return new PackedJobs({ ...parts, ...this.#options })
  }

  removal(): Removal {
    const nothing = async () => undefined
    const pathsOf = async (cacheId: string) => [this.#root.paths.packedLayer(cacheId)]
    return {
      candidates: () => this.#files(),
      announce: nothing,
      detach: nothing,
      done: nothing,
      abandon: nothing,
      pathsOf,
    }
  }

  async pinned(): Promise<ReadonlySet<string>> {
    return new Set()
  }

  graphData(): null {
    return null
  }

  async foreign(): Promise<readonly string[]> {
    return []
  }

  async #files(): Promise<string[]> {
    const { io, paths } = this.#root
    const names = (await ifThere(io.readdir(paths.content))) ?? []
    return names.sort().flatMap(name => /^([0-9a-f]{64}|[0-9a-f]{128})\.tar\.lz4$/.exec(name)?.[1] ?? [])
  }

  async #publish(cacheId: string, staged: string | undefined): Promise<void> {
    const path = this.#root.paths.packedLayer(cacheId)
    if (staged === undefined && (await this.hasContent(cacheId))) return
    if (staged === undefined) throw new PhylloError('STORE_CORRUPT', `${path}: content is not there`, { path })
    await discardIf(this.#root, path, () => this.#isEmptyFile(path))
    await this.#root.publishFile(staged, path, 0o644)
  }

  async #isEmptyFile(path: string): Promise<boolean> {
    const status = await ifThere(this.#root.io.status(path))
    return status?.type === 'file' && status.sizeBytes === 0
  }
}
