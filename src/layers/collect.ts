/**
 * Removes what nothing refers to, while others read and add. Nobody waits for it.
 *
 * In two steps, because nobody tells a collector what they are about to use: what looks unused is set aside (one
 * rename each); then leases *and* references are read once more, and only what is still unused is condemned. Whoever
 * leased a layer before looking for it is seen by the second reading, or looked after the setting aside: then it finds
 * the layer in limbo and puts it back, or not at all.
 *
 * Invariants:
 * - Leases are read before references: who has released a lease has published the reference before.
 * - Records go before contents, and children before parents: killed at any point, no record lacks its content or parent.
 * - What cannot be understood is kept: a reference into a damaged chain stops the collection.
 * - Contents that are not ours are told, and never touched; a layer that one of them stands on stays.
 */
import { ifThere } from '../disk/io.js'
import type { Root } from '../disk/root.js'
import type { Footprint } from '../disk/usage.js'
import type { Removal } from '../drivers/driver.js'
import { PhylloError } from '../errors.js'
import { chainIdsOf } from '../oci/chain-id.js'
import type { ChainId, DiffId } from '../oci/digest.js'
import { type Candidate, childrenFirst, keepParents, type Measured } from './candidates.js'
import { unclaimedContents } from './damaged.js'
import type { LayerStore } from './layer-store.js'
import { cacheIdOfDamaged, type LayerRecord, readRecord } from './record.js'

/** What is in use, leases apart: those are read here. */
export interface LiveRoots {
  /** diffIds of every image, base first. */
  readonly stacks: Iterable<readonly DiffId[]>
  /** Top chains of which no more is known (container mounts). Their parents are read from the records. */
  readonly chains?: Iterable<ChainId>
}

export interface CollectOptions {
  /** Reads what is in use, from the disk. Called twice. */
  readonly roots: () => Promise<LiveRoots>
  /** Only these layers, and their contents; a layer with a child that stays is kept. Default: everything. */
  readonly among?: ReadonlySet<ChainId>
  /** Changes nothing and says what would go. */
  readonly dryRun?: boolean
  /** Also says how much room it takes on the disk. */
  readonly measure?: (paths: readonly string[]) => Promise<Footprint>
  /** The bytes stay in the trash, for the caller to sweep. */
  readonly keepTrash?: boolean
}

export interface Collected {
  /** Top first. A damaged layer has no record any more. */
  readonly layers: readonly Candidate[]
  /** Contents that no layer refers to any more, with the bytes of a layer file, or Docker's size of a layer's directory. */
  readonly contents: readonly Content[]
  /** Sum of those bytes. */
  readonly freedBytes: number
  /** What stands among the contents and is not ours. */
  readonly foreign: readonly string[]
}

interface Content extends Measured {
  readonly cacheId: string
  readonly fileBytes: number
}

export async function collectLayers(
  { freeing: root }: Root,
  layers: LayerStore,
  options: CollectOptions,
): Promise<Collected> {
  const collection = { root, layers, options, removal: layers.driver.removal() }
  if (options.dryRun) return dryRun(collection)
  const collected = await root.withCollectLock(async () => {
    await root.assertAlone()
    await root.reap()
    try {
      const removed = await collectRecords(collection)
      const contents = await collectContents(collection, removed)
      return { layers: removed, contents, freedBytes: sum(contents), foreign: await foreign(collection) }
    } catch (error) {
      await collection.removal.abandon()
      throw error
    }
  })
  // Gone already, and the next collector need not wait while the bytes go, too.
  if (!options.keepTrash) await root.sweep()
  return collected
}

interface Collection {
  readonly root: Root
  readonly layers: LayerStore
  readonly options: CollectOptions
  readonly removal: Removal
}

async function foreign({ layers }: Collection): Promise<readonly string[]> {
  return layers.driver.foreign(new Set((await layers.list()).map(({ cacheId }) => cacheId)))
}

async function dryRun(collection: Collection): Promise<Collected> {
  const garbage = await findGarbage(collection)
  const gone = new Set(garbage.map(({ chainId }) => chainId))
  const contents = await unusedContents(collection, garbage, gone)
  return { layers: garbage, contents, freedBytes: sum(contents), foreign: await foreign(collection) }
}

function sum(contents: readonly { readonly fileBytes: number }[]): number {
  return contents.reduce((bytes, { fileBytes }) => bytes + fileBytes, 0)
}

async function collectRecords(collection: Collection): Promise<Candidate[]> {
  const { root, removal } = collection
  const garbage = await findGarbage(collection)
  const known = new Map(garbage.flatMap(({ record }) => (record === undefined ? [] : [[record.chainId, record]])))
  const aside: { candidate: Candidate; name: string }[] = []
  try {
    for (const candidate of garbage) {
      if (candidate.cacheId !== undefined) await removal.announce(candidate.cacheId)
      const name = await root.setAside(root.paths.layer(candidate.chainId))
      if (name !== undefined) aside.push({ candidate, name })
    }
    const live = aside.length === 0 ? new Set() : await mark(collection, known)
    for (const { candidate, name } of aside.toReversed()) if (live.has(candidate.chainId)) await root.restore(name)
    const removed: Candidate[] = []
    for (const { candidate, name } of aside) {
      if (!live.has(candidate.chainId) && (await root.condemn(name))) removed.push(candidate)
    }
    return removed
  } catch (error) {
    await root.restoreAll(aside.toReversed().map(({ name }) => name))
    throw error
  }
}

/** Layers that look unused, children first. */
async function findGarbage(collection: Collection): Promise<Candidate[]> {
  const { among } = collection.options
  const { root, layers } = collection
  const { records, damaged } = await layers.scan()
  const live = await mark(collection, new Map(records.map(record => [record.chainId, record])))
  const known = new Set(records.map(({ cacheId }) => cacheId))
  const broken = damaged.map(({ chainId }) => chainId).filter(chainId => !live.has(chainId))
  const unclaimed = await unclaimedContents(broken, { root, driver: layers.driver, known, childrenGo: true })
  const all: Candidate[] = records.map(record => ({ chainId: record.chainId, cacheId: record.cacheId, record }))
  for (const { chainId } of damaged) {
    const cacheId = unclaimed.get(chainId)
    all.push(cacheId === undefined ? { chainId } : { chainId, cacheId })
  }
  const garbage = new Map<ChainId, Candidate>()
  for (const candidate of all)
    if (!live.has(candidate.chainId) && among?.has(candidate.chainId) !== false)
      garbage.set(candidate.chainId, candidate)
  for (const { chainId } of all) if (!garbage.has(chainId)) keepParents(chainId, records, garbage)
  const { measure } = collection.options
  if (measure === undefined) return childrenFirst(garbage)
  const measured: Candidate[] = []
  for (const candidate of childrenFirst(garbage))
    measured.push({ ...candidate, footprint: await measure([collection.root.paths.layer(candidate.chainId)]) })
  return measured
}

/** Chains in use: leases first, then references, then what those stand on. `known`: all records, or what may be garbage. */
async function mark(
  { root, layers, options: { roots } }: Collection,
  known: ReadonlyMap<ChainId, LayerRecord>,
): Promise<Set<ChainId>> {
  const leases = await root.readLeases()
  const { stacks, chains = [] } = await roots()
  const live = new Set<ChainId>(leases.chains)
  for (const stack of stacks) for (const chainId of chainIdsOf(stack)) live.add(chainId)
  const pinned = await layers.driver.pinned(new Set([...known.values()].map(({ cacheId }) => cacheId)))
  const stoodOn = [...known.values()].filter(({ cacheId }) => pinned.has(cacheId)).map(({ chainId }) => chainId)
  for (const top of [...chains, ...stoodOn]) {
    for (let at: ChainId | undefined = top; at !== undefined; ) {
      live.add(at)
      const record: LayerRecord | undefined = known.get(at) ?? (await readRecord(root, at))
      if (record === undefined) throw brokenChain(root, at, top)
      at = record.parent
    }
  }
  return live
}

function brokenChain(root: Root, chainId: ChainId, top: ChainId): PhylloError {
  const path = root.paths.layer(chainId)
  return new PhylloError('STORE_CORRUPT', `${path}: layer ${top} is in use and stands on this one, which is missing`, {
    path,
  })
}

async function collectContents(collection: Collection, removed: readonly Candidate[]): Promise<Content[]> {
  const { root, removal } = collection
  const aside: { content: Content; name: string }[] = []
  try {
    for (const content of await unusedContents(collection, removed, new Set())) {
      const name = await root.setAside(root.paths.layerContent(content.cacheId))
      if (name !== undefined) aside.push({ content, name })
    }
    const used = aside.length === 0 ? new Set() : await usedContents(collection, new Set())
    const freed: Content[] = []
    for (const { content, name } of aside) {
      if (used.has(content.cacheId)) await root.restore(name)
      else if (await condemn(collection, name)) freed.push(content)
      await removal.done(content.cacheId)
    }
    return freed
  } catch (error) {
    await root.restoreAll(aside.map(({ name }) => name))
    throw error
  }
}

async function condemn({ root, removal }: Collection, name: string): Promise<boolean> {
  await removal.detach(root.paths.below(root.paths.limbo, name))
  return root.condemn(name)
}

/** Contents that no lease and no record names, the records of `gone` apart. */
async function unusedContents(
  collection: Collection,
  removed: readonly Candidate[],
  gone: ReadonlySet<ChainId>,
): Promise<Content[]> {
  const { root, removal } = collection
  const { among, dryRun, measure } = collection.options
  const sizes = new Map<string, number>()
  for (const { cacheId, record } of removed) if (cacheId !== undefined) sizes.set(cacheId, record?.sizeBytes ?? 0)
  const ours = new Set([...(await removal.candidates()), ...sizes.keys()])
  const used = await usedContents(collection, gone)
  const unused: Content[] = []
  for (const cacheId of [...ours].sort()) {
    const status = used.has(cacheId) ? undefined : await ifThere(root.io.status(root.paths.layerContent(cacheId)))
    if (status === undefined) {
      if (!dryRun) await removal.done(cacheId)
      continue
    }
    if (among !== undefined && !sizes.has(cacheId)) continue
    const fileBytes = status.type === 'file' ? status.sizeBytes : (sizes.get(cacheId) ?? 0)
    const footprint = await measure?.(await removal.pathsOf(cacheId))
    unused.push({ cacheId, fileBytes, ...(footprint && { footprint }) })
  }
  return unused
}

/**
 * Leases first. Then limbo before layerdb: while we collect nobody else sets records aside, but anybody may be putting
 * one back. The images' own diffIds are in, too, for the sake of images whose records are damaged.
 */
async function usedContents(
  { root, layers, options: { roots } }: Collection,
  gone: ReadonlySet<ChainId>,
): Promise<Set<string>> {
  const used = new Set<string>()
  const use = (diffId: DiffId) => {
    const cacheId = layers.driver.cacheIdOf(diffId)
    if (cacheId !== undefined) used.add(cacheId)
  }
  for (const diffId of (await root.readLeases()).diffIds) use(diffId)
  for (const stack of (await roots()).stacks) for (const diffId of stack) use(diffId)
  for (const cacheId of await cacheIdsInLimbo(root)) used.add(cacheId)
  const { records, damaged } = await layers.scan()
  for (const { chainId, cacheId } of records) if (!gone.has(chainId)) used.add(cacheId)
  for (const { chainId } of damaged) {
    const cacheId = gone.has(chainId) ? undefined : await cacheIdOfDamaged(root, chainId)
    if (cacheId !== undefined) used.add(cacheId)
  }
  return used
}

/** Contents of records that a dead collector has left in limbo: they will be put back. */
async function cacheIdsInLimbo({ io, paths }: Root): Promise<string[]> {
  const cacheIds: string[] = []
  for (const name of await io.readdir(paths.limbo)) {
    if (!name.startsWith(`${paths.placeOf(paths.layers)}!`)) continue
    const file = paths.below(paths.below(paths.limbo, name), 'cache-id')
    const bytes = await ifThere(io.readFile(file, maxCacheIdBytes))
    if (bytes !== undefined) cacheIds.push(bytes.toString().trim())
  }
  return cacheIds
}

const maxCacheIdBytes = 4096
