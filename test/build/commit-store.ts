/** Commits into a real store, of unions with an upper in memory over the store's own layers. */
import { openRoot } from '../../src/disk/open-root.js'
import { Space } from '../../src/disk/space.js'
import type { Layer } from '../../src/drivers/layer.js'
import { openPackedLayer, type PackedLayer } from '../../src/drivers/packed/packed-layer.js'
import type { Upper } from '../../src/drivers/upper.js'
import { type CommitOptions, commitContainer } from '../../src/images/commit.js'
import type { CopiedImage, CopyTarget } from '../../src/images/copy.js'
import { type ImageRecord, ImageStore } from '../../src/images/image-store.js'
import { ReferenceStore } from '../../src/images/reference-store.js'
import { defaultLimits } from '../../src/limits.js'
import type { ImageId } from '../../src/oci/digest.js'
import { Operation, type OperationEvent } from '../../src/operation.js'
import { Union } from '../../src/overlay/union/union.js'
import { Pool } from '../../src/pool/pool.js'
import { packedLayers } from './layers.js'
import { memoryUpper } from './memory-upper.js'
import { rootOf } from './union-run.js'

export interface Box {
  readonly union: Union
  readonly record: ImageRecord | undefined
  readonly layers: readonly PackedLayer[]
}

export class CommitStore implements AsyncDisposable {
  readonly target: CopyTarget
  readonly #root: Awaited<ReturnType<typeof openRoot>>
  readonly #open: PackedLayer[] = []

  private constructor(root: Awaited<ReturnType<typeof openRoot>>, workers: number) {
    this.#root = root
    const path = root.paths.root
    this.target = {
      layers: packedLayers(root),
      images: new ImageStore(root, defaultLimits),
      references: new ReferenceStore(root),
      pool: new Pool({ workers }),
      limits: defaultLimits,
      space: new Space({ io: root.io, path, limits: defaultLimits, countsInodes: false }),
    }
  }

  /** Beside whoever else has the store open. */
  static async open(path: string, workers = 1): Promise<CommitStore> {
    return new CommitStore(await openRoot(path, { durability: 'none' }), workers)
  }

  /** A container of an image; undefined: from scratch. */
  async create(id: string | undefined, upper: Upper = memoryUpper(rootOf())): Promise<Box> {
    const record = id === undefined ? undefined : await this.target.images.get(id as ImageId)
    const layers: PackedLayer[] = []
    for (const found of await this.target.layers.chainOf(record?.config.diffIds ?? [])) {
      layers.push(await openPackedLayer(this.#root.paths.packedLayer(found.cacheId)))
    }
    this.#open.push(...layers)
    return { union: new Union(layers, { upper, label: 'test' }), record, layers }
  }

  commit(
    { union, record }: Box,
    options: CommitOptions = {},
    signal?: AbortSignal,
  ): Operation<CopiedImage & { readonly events: OperationEvent[] }> {
    return new Operation(async op => {
      await using stage = await this.#root.stage()
      const events: OperationEvent[] = []
      const emit = (event: OperationEvent) => {
        events.push(event)
        op.emit(event)
      }
      const { config, id: imageId } = record ?? { config: undefined, id: undefined }
      const lowerContent = (layer: Layer, inode: number) => this.target.layers.driver.contentOf(layer, inode)
      using upper = union.upper!.snapshot()
      const source = { union, upper, label: 'test', config, imageId, lowerContent }
      const made = await this.target.space.watched({ ...op, emit }, op =>
        commitContainer(source, options, this.target, stage, op),
      )
      return { ...made, events }
    }, signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const layer of this.#open) await layer.close()
    await this.target.pool.close()
    await this.#root.close()
  }
}
