/**
 * The layers of a store: Docker's layerdb, the content behind it, and the one way to add or remove a layer.
 *
 * How to add: `lease` what the image needs, `look` what is there, do the work for what is absent, `publish` base first,
 * `settle`, publish what refers to the layers, release the lease.
 *
 * Invariants:
 * - Content before record: a record that can be seen has its content.
 * - Equal diffIds share one content file.
 * - Nothing about existence is remembered: other processes add and remove layers, too.
 */
import { ifThere } from '../disk/io.js'
import type { Lease } from '../disk/lease.js'
import type { Root } from '../disk/root.js'
import { PhylloError } from '../errors.js'
import { chainIdOf, chainIdsOf } from '../oci/chain-id.js'
import { type ChainId, type DiffId, hexOf, type ImageId, shortId } from '../oci/digest.js'
import { type Collected, type CollectOptions, collectLayers } from './collect.js'
import { chainOfName, type LayerRecord, readRecord, writeRecord } from './record.js'

/** What the store knows of one layer of an image that is about to be added. */
export interface LayerLook {
  readonly chainId: ChainId
  readonly diffId: DiffId
  readonly parent?: ChainId
  /** The layer, if it is there: nothing has to be done. */
  readonly record?: LayerRecord
  /** Its size, if only its content is there, under other parents: `publish` without `staged` is enough. */
  readonly sizeBytes?: number
}

export interface NewLayer {
  readonly diffId: DiffId
  readonly parent: ChainId | undefined
  /** Docker's layer size, bytes. */
  readonly sizeBytes: number
  /** The layer file in a stage, verified to be what `diffId` says. Absent: the content is there already. */
  readonly staged?: string
  /** Covers the layer; taken before anybody looked whether it is there. */
  readonly lease: Lease
}

export interface Scan {
  readonly records: readonly LayerRecord[]
  /** Layers that are there and cannot be read, with the reason. */
  readonly damaged: readonly { readonly chainId: ChainId; readonly error: PhylloError }[]
}

/** Between two looks of a reader that may not put back what a collector has set aside, milliseconds. */
const readerPauseMs = 5
const readerPauses = 100

export class LayerStore {
  readonly #root: Root

  constructor(root: Root) {
    this.#root = root
  }

  /** Holds all layers of these stacks (each base first), and the images, before anybody looks for them. */
  lease(wanted: { stacks?: Iterable<readonly DiffId[]>; images?: Iterable<ImageId> }): Promise<Lease> {
    const stacks = [...(wanted.stacks ?? [])]
    return this.#root.lease({
      chains: new Set(stacks.flatMap(chainIdsOf)),
      diffIds: new Set(stacks.flat()),
      images: new Set(wanted.images),
    })
  }

  /**
   * The layer, or undefined when it is not there.
   *
   * @throws STORE_CORRUPT naming the path, when the record is damaged or has lost its content
   */
  async get(chainId: ChainId): Promise<LayerRecord | undefined> {
    const { paths } = this.#root
    const record = await this.#settled(paths.layer(chainId), () => readRecord(this.#root, chainId))
    if (record === undefined || (await this.#hasContent(record.cacheId))) return record
    const path = paths.layerContent(record.cacheId)
    throw new PhylloError('STORE_CORRUPT', `${path}: the content of layer ${chainId} is gone`, { path })
  }

  /** Whether the layer is there and whole. A damaged one is not: adding it again repairs it. */
  async has(chainId: ChainId): Promise<boolean> {
    return (await this.#intact(chainId)) !== undefined
  }

  /**
   * All layers of a stack, base first.
   *
   * @throws STORE_CORRUPT when one is missing or damaged
   */
  chainOf(diffIds: readonly DiffId[]): Promise<LayerRecord[]> {
    return Promise.all(
      chainIdsOf(diffIds).map(async (chainId, index) => {
        const path = this.#root.paths.layer(chainId)
        const missing = `${path}: layer ${index + 1} of ${diffIds.length} is not there`
        return (await this.get(chainId)) ?? Promise.reject(new PhylloError('STORE_CORRUPT', missing, { path }))
      }),
    )
  }

  /** What is there of a stack that is about to be added, base first. Under a lease that covers it. */
  look(diffIds: readonly DiffId[]): Promise<LayerLook[]> {
    return this.#look(diffIds, 0)
  }

  /** The same of the last layer alone. */
  async lookAtTop(diffIds: readonly DiffId[]): Promise<LayerLook | undefined> {
    return (await this.#look(diffIds, Math.max(0, diffIds.length - 1)))[0]
  }

  async #look(diffIds: readonly DiffId[], first: number): Promise<LayerLook[]> {
    const chainIds = chainIdsOf(diffIds)
    const wanted = diffIds.slice(first)
    const records = await Promise.all(wanted.map((_, at) => this.#intact(chainIds[first + at]!)))
    const sizes = await this.#sizesOf(new Set(wanted.filter((_, at) => records[at] === undefined)))
    return wanted.map((diffId, at) => {
      const [parent, record, sizeBytes] = [chainIds[first + at - 1], records[at], sizes.get(diffId)]
      return {
        chainId: chainIds[first + at]!,
        diffId,
        ...(parent === undefined ? undefined : { parent }),
        ...(record === undefined ? (sizeBytes === undefined ? undefined : { sizeBytes }) : { record }),
      }
    })
  }

  /**
   * Adds a layer on top of a parent that is there. Adding what is there already is not an error and changes nothing;
   * a damaged layer is repaired.
   *
   * @throws STORE_CORRUPT when the parent, or content that is said to be there, is not
   */
  async publish({ diffId, parent, sizeBytes, staged, lease }: NewLayer): Promise<LayerRecord> {
    this.#root.assertWritable()
    const chainId = chainIdOf(parent, diffId)
    if (!lease.leased.chains.has(chainId) || !lease.leased.diffIds.has(diffId)) {
      throw new TypeError(`publish: the lease does not cover layer ${shortId(chainId)}`)
    }
    if (parent !== undefined && !(await this.has(parent))) {
      const path = this.#root.paths.layer(parent)
      throw new PhylloError('STORE_CORRUPT', `${path}: the parent of layer ${chainId} is not there`, { path })
    }
    const cacheId = hexOf(diffId)
    await this.#publishContent(cacheId, staged)
    const below = parent === undefined ? undefined : { parent }
    return this.#publishRecord({ chainId, diffId, sizeBytes, cacheId, ...below })
  }

  /**
   * To be called under the lease and before publishing what refers to the layers: every layer of the stack is there,
   * is no longer in the hands of a collector that may have died with it, and is on the disk.
   *
   * @throws STORE_CORRUPT when one is missing or damaged
   */
  async settle(diffIds: readonly DiffId[]): Promise<LayerRecord[]> {
    const records = await this.chainOf(diffIds)
    if (records.length > 0) {
      await this.#root.flush(this.#root.paths.content)
      await this.#root.flush(this.#root.paths.layers)
    }
    return records
  }

  /** Every intact layer, in order of chainId. */
  async list(): Promise<readonly LayerRecord[]> {
    return (await this.scan()).records
  }

  async scan(): Promise<Scan> {
    const records: LayerRecord[] = []
    const damaged: { chainId: ChainId; error: PhylloError }[] = []
    const names = (await ifThere(this.#root.io.readdir(this.#root.paths.layers))) ?? []
    for (const chainId of names.sort().map(chainOfName)) {
      if (chainId === undefined) continue
      try {
        const record = await readRecord(this.#root, chainId)
        if (record !== undefined) records.push(record)
      } catch (error) {
        if (!(error instanceof PhylloError && error.code === 'STORE_CORRUPT')) throw error
        damaged.push({ chainId, error })
      }
    }
    return { records, damaged }
  }

  /** Path of the layer's content: for packed its layer file. */
  contentPath(record: Pick<LayerRecord, 'cacheId'>): string {
    return this.#root.paths.layerContent(record.cacheId)
  }

  /** Removes every layer (or of some layers those) that nothing refers to. See collect.ts. */
  collect(options: CollectOptions): Promise<Collected> {
    return collectLayers(this.#root, this, options)
  }

  async #intact(chainId: ChainId): Promise<LayerRecord | undefined> {
    try {
      return await this.get(chainId)
    } catch (error) {
      if (error instanceof PhylloError && error.code === 'STORE_CORRUPT') return undefined
      throw error
    }
  }

  /**
   * What stands at a path, after putting back what a collector has set aside from there. The caller's lease, if it has
   * one, was not there when the collector first looked; nobody who has one should have to wait until it looks again.
   */
  async #settled<T>(path: string, look: () => Promise<T | undefined>): Promise<T | undefined> {
    for (let pauses = 0; ; pauses++) {
      const found = await look()
      if (found !== undefined) return found
      const aside = await this.#root.inLimbo(path)
      // It may have come back between the look and the list: so look once more.
      if (aside.length === 0 || pauses === readerPauses) return look()
      for (const name of aside) await this.#putBack(name)
    }
  }

  async #putBack(name: string): Promise<void> {
    if (this.#root.readOnlyReason === undefined) await this.#root.restore(name)
    else await this.#root.io.sleep(readerPauseMs)
  }

  /** An empty layer file is what a power cut leaves of a store without durability: as good as none. */
  async #hasContent(cacheId: string): Promise<boolean> {
    const path = this.#root.paths.layerContent(cacheId)
    const status = await this.#settled(path, () => ifThere(this.#root.io.status(path)))
    return status !== undefined && (status.type !== 'file' || status.sizeBytes > 0)
  }

  async #publishContent(cacheId: string, staged: string | undefined): Promise<void> {
    const path = this.#root.paths.layerContent(cacheId)
    if (staged === undefined && (await this.#hasContent(cacheId))) return
    if (staged === undefined) throw new PhylloError('STORE_CORRUPT', `${path}: content is not there`, { path })
    await this.#discardIf(path, () => this.#isEmptyFile(path))
    await this.#root.publishFile(staged, path, 0o644)
  }

  async #isEmptyFile(path: string): Promise<boolean> {
    const status = await ifThere(this.#root.io.status(path))
    return status?.type === 'file' && status.sizeBytes === 0
  }

  /** Under the root lock and after a second look, lest somebody else's repair is thrown away. */
  async #discardIf(path: string, damaged: () => Promise<boolean>): Promise<void> {
    if (!(await damaged())) return
    await this.#root.withLock(async () => {
      if (await damaged()) await this.#root.discard(path)
    })
  }

  async #publishRecord(record: LayerRecord): Promise<LayerRecord> {
    const path = this.#root.paths.layer(record.chainId)
    for (;;) {
      const existing = await this.#intact(record.chainId)
      if (existing !== undefined) return existing
      if (await this.#writeAndPublish(record, path)) return record
      await this.#discardIf(path, async () => (await this.#intact(record.chainId)) === undefined)
    }
  }

  async #writeAndPublish(record: LayerRecord, path: string): Promise<boolean> {
    const stage = await this.#root.stage()
    try {
      await writeRecord(this.#root, stage.path, record)
      return await this.#root.publishDirectory(stage.path, path)
    } catch (error) {
      await stage.dispose()
      throw error
    }
  }

  /** Sizes of layers by diffId, from whatever chain has one of them, if the content is there. */
  async #sizesOf(wanted: Set<DiffId>): Promise<Map<DiffId, number>> {
    const sizes = new Map<DiffId, number>()
    for (const diffId of wanted) if (!(await this.#hasContent(hexOf(diffId)))) wanted.delete(diffId)
    if (wanted.size === 0) return sizes
    for (const { diffId, sizeBytes } of await this.list()) if (wanted.has(diffId)) sizes.set(diffId, sizeBytes)
    return sizes
  }
}
