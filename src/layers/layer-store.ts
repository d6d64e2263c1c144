/**
 * The layers of a store: Docker's layerdb, the content behind it, and the one way to add or remove a layer.
 *
 * How to add: `lease` what the image needs, `look` what is there, do the work for what is absent, `publish` base first,
 * `settle`, publish what refers to the layers, release the lease.
 *
 * Invariants:
 * - Content before record: a record that can be seen has its content.
 * - Where and how often a content is stored is the driver's decision.
 * - Nothing about existence is remembered: other processes add and remove layers, too.
 */
import { ifThere } from '../disk/io.js'
import type { Lease } from '../disk/lease.js'
import type { Root } from '../disk/root.js'
import { discardIf, settled } from '../disk/settle.js'
import type { Driver, PublishedContent } from '../drivers/driver.js'
import { together } from '../endings.js'
import { PhylloError } from '../errors.js'
import { chainIdOf, chainIdsOf } from '../oci/chain-id.js'
import { type ChainId, type DiffId, type ImageId, shortId } from '../oci/digest.js'
import { type Collected, type CollectOptions, collectLayers } from './collect.js'
import { unclaimedContents } from './damaged.js'
import {
  chainOfName,
  type ExpectedLayer,
  type LayerRecord,
  readExpected,
  readRecord,
  readRecords,
  writeRecord,
} from './record.js'

/** What the store knows of one layer of an image that is about to be added. */
export interface LayerLook {
  readonly chainId: ChainId
  readonly diffId: DiffId
  readonly parent?: ChainId
  /** The layer, if it is there: nothing has to be done. */
  readonly record?: LayerRecord
  /** Its size, if only its content is there, under other parents: `publish` without `staged` is enough. */
  readonly sizeBytes?: number
  /** What it would be stored as: layers for which this is the same share one content. */
  readonly content: string
}

export interface NewLayer {
  readonly diffId: DiffId
  readonly parent: ChainId | undefined
  /** Docker's layer size, bytes. */
  readonly sizeBytes: number
  /** What the driver's job has made of it in a stage, verified to be what `diffId` says. Absent: the content is there already. */
  readonly staged?: string
  /** Covers the layer; taken before anybody looked whether it is there. */
  readonly lease: Lease
}

export interface Scan {
  readonly records: readonly LayerRecord[]
  /** Layers that are there and cannot be read, with the reason. */
  readonly damaged: readonly { readonly chainId: ChainId; readonly error: PhylloError }[]
}

export class LayerStore {
  readonly driver: Driver
  readonly #root: Root

  constructor(root: Root, driver: Driver) {
    this.#root = root
    this.driver = driver
  }

  /** @throws LIMIT_EXCEEDED when the driver has no room for so many layers in one image; `what` is said first */
  assertFits(diffIds: readonly DiffId[], what: string): void {
    const { name, mostLayers } = this.driver
    if (diffIds.length <= mostLayers) return
    const message = `${what}: ${diffIds.length} layers, and driver ${name} has at most ${mostLayers} in an image`
    throw new PhylloError('LIMIT_EXCEEDED', message, { limit: 'layers', max: mostLayers, seen: diffIds.length })
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
    const record = await settled(this.#root, paths.layer(chainId), () => readRecord(this.#root, chainId))
    if (record === undefined || (await this.driver.hasContent(record.cacheId))) return record
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
    return together(
      chainIdsOf(diffIds).map(async (chainId, index) => {
        const path = this.#root.paths.layer(chainId)
        const missing = `${path}: layer ${index + 1} of ${diffIds.length} is not there`
        return (await this.get(chainId)) ?? Promise.reject(new PhylloError('STORE_CORRUPT', missing, { path }))
      }),
    )
  }

  /**
   * All layers of each stack, base first; undefined for one of which some layer did not look whole: `chainOf` says why. Quick where
   * there are many.
   */
  async chainsOf(stacks: readonly (readonly DiffId[])[]): Promise<(LayerRecord[] | undefined)[]> {
    const expected = new Map<ChainId, ExpectedLayer>()
    const chains = stacks.map(diffIds => {
      const chainIds = chainIdsOf(diffIds)
      for (const [at, diffId] of diffIds.entries()) {
        const [chainId, parent, cacheId] = [chainIds[at]!, chainIds[at - 1], this.driver.cacheIdOf(diffId)]
        expected.set(chainId, { chainId, diffId, parent, cacheId })
      }
      return chainIds
    })
    const [records, stored] = [await readExpected(this.#root, expected), await this.driver.stored()]
    return chains.map(chainIds => {
      const chain = chainIds.flatMap(chainId => records.get(chainId) ?? [])
      return chain.length === chainIds.length && chain.every(({ cacheId }) => stored.has(cacheId)) ? chain : undefined
    })
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
    const records = await together(wanted.map((_, at) => this.#intact(chainIds[first + at]!)))
    const sizes = await this.#sizesOf(new Set(wanted.filter((_, at) => records[at] === undefined)))
    return wanted.map((diffId, at) => {
      const [parent, record, sizeBytes] = [chainIds[first + at - 1], records[at], sizes.get(diffId)]
      return {
        chainId: chainIds[first + at]!,
        diffId,
        content: this.driver.cacheIdOf(diffId) ?? chainIds[first + at]!,
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
    const below = parent === undefined ? undefined : await this.#intact(parent)
    if (parent !== undefined && below === undefined) {
      const path = this.#root.paths.layer(parent)
      throw new PhylloError('STORE_CORRUPT', `${path}: the parent of layer ${chainId} is not there`, { path })
    }
    const content = await this.driver.publish({ chainId, diffId, staged, below: below?.cacheId })
    const { cacheId } = content
    const record = { chainId, diffId, sizeBytes, cacheId, ...(parent && { parent }) }
    const end = (standing: LayerRecord | undefined) =>
      standing?.cacheId === cacheId ? content.recorded() : content.withdraw()
    try {
      const standing = await this.#publishRecord(record, content)
      await this.#root.settle(() => end(standing))
      return standing
    } catch (error) {
      // It may stand although its directory could not be synced.
      await this.#root.settle(async () => end(await this.#intact(chainId)))
      throw error
    }
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
    const chainIds = names.sort().flatMap(name => chainOfName(name) ?? [])
    const atOnce = await readRecords(this.#root, chainIds)
    for (const chainId of chainIds) {
      try {
        const record = atOnce.get(chainId) ?? (await readRecord(this.#root, chainId))
        if (record !== undefined) records.push(record)
      } catch (error) {
        if (!(error instanceof PhylloError && error.code === 'STORE_CORRUPT')) throw error
        damaged.push({ chainId, error })
      }
    }
    return { records, damaged }
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

  async #publishRecord(record: LayerRecord, content: PublishedContent): Promise<LayerRecord> {
    const path = this.#root.paths.layer(record.chainId)
    for (;;) {
      const existing = await this.#intact(record.chainId)
      if (existing !== undefined) return existing
      if (await this.#writeAndPublish(record, content, path)) return record
      await this.#giveUp(record.chainId)
      await discardIf(this.#root, path, async () => (await this.#intact(record.chainId)) === undefined)
    }
  }

  /** The content of a damaged layer that another takes the place of goes with the next collection. */
  async #giveUp(chainId: ChainId): Promise<void> {
    const [root, driver] = [this.#root, this.driver]
    const known = new Set((await this.list()).map(({ cacheId }) => cacheId))
    const unclaimed = await unclaimedContents([chainId], { root, driver, known, childrenGo: false })
    for (const cacheId of unclaimed.values()) await driver.removal().announce(cacheId)
  }

  async #writeAndPublish(record: LayerRecord, { beside }: PublishedContent, path: string): Promise<boolean> {
    const stage = await this.#root.stage()
    try {
      for (const [name, file] of beside) await this.#root.io.link(file, stage.file(name))
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
    for (const diffId of wanted) if (!(await this.#hasContentOf(diffId))) wanted.delete(diffId)
    if (wanted.size === 0) return sizes
    for (const { diffId, sizeBytes } of await this.list()) if (wanted.has(diffId)) sizes.set(diffId, sizeBytes)
    return sizes
  }

  async #hasContentOf(diffId: DiffId): Promise<boolean> {
    const cacheId = this.driver.cacheIdOf(diffId)
    return cacheId !== undefined && (await this.driver.hasContent(cacheId))
  }
}
