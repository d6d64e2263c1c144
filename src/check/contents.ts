/**
 * Contents of layers and kept blobs: one job each, on the pool. A lease holds a layer while it is read.
 *
 * Invariant: what was removed while it was read is no finding.
 */
import { ifThere } from '../disk/io.js'
import { PhylloError } from '../errors.js'
import { type LayerRecord, readRecord } from '../layers/record.js'
import { type ChainId, type DiffId, type Digest, isDigest } from '../oci/digest.js'
import type { ContentDamage, TarSource } from '../pool/jobs.js'
import type { StoreParts } from '../store-parts.js'
import type { FindingKind, Found } from './kinds.js'
import type { Survey } from './survey.js'

/** One thing that is looked into; they are done in order of their keys. */
export interface Item {
  /** What a resume token names. */
  readonly key: string
  readonly path: string
  check(how: ItemOptions): Promise<Found[]>
}

export interface ItemOptions {
  readonly full: boolean
  readonly bytesPerSecond: number | undefined
  readonly signal: AbortSignal
  /** Bytes that were read so far, of this item. */
  readonly onProgress: (bytes: number) => void
}

interface Content {
  readonly cacheId: string
  readonly diffId: DiffId
  readonly records: readonly LayerRecord[]
  readonly source: TarSource
}

export async function contentItems(parts: StoreParts, survey: Survey): Promise<Item[]> {
  const contents = new Map<string, Content>()
  for (const record of survey.layers.values()) {
    const { cacheId, diffId } = record
    const before = contents.get(cacheId)?.records ?? []
    const source = parts.layers.driver.sourceOf(record)
    contents.set(cacheId, { cacheId, diffId, records: [...before, record], source })
  }
  for (const content of await unreferenced(parts))
    if (!contents.has(content.cacheId)) contents.set(content.cacheId, content)
  return [...contents.values()].map(content => contentItem(parts, content))
}

/** Layer files that no record names: whoever adds such a layer next takes the file as it is. */
async function unreferenced({ root, layers }: StoreParts): Promise<Content[]> {
  if (root.paths.driver !== 'packed') return []
  const cacheIds = await layers.driver.removal().candidates()
  return cacheIds.flatMap(cacheId => {
    const diffId: unknown = `${cacheId.length === 128 ? 'sha512' : 'sha256'}:${cacheId}`
    if (!isDigest(diffId)) return []
    const source = layers.driver.sourceOf({ chainId: diffId as unknown as ChainId, cacheId })
    return [{ cacheId, diffId: diffId as DiffId, records: [], source }]
  })
}

function contentItem(parts: StoreParts, content: Content): Item {
  const { cacheId, diffId, records, source } = content
  const { root, limits } = parts
  const of = { diffIds: [diffId], chains: records.map(({ chainId }) => chainId) }
  const path = root.paths.layerContent(cacheId)
  const check = async ({ full, bytesPerSecond, signal, onProgress }: ItemOptions): Promise<Found[]> => {
    await using _lease = await root.lease({ chains: new Set(of.chains), diffIds: new Set([diffId]), images: new Set() })
    const input = { source, diffId, full, limits, ...(bytesPerSecond && { bytesPerSecond }) }
    try {
      const { damage, sizeBytes } = await parts.workers().run('check-content', input, { signal, onProgress })
      const found = damage.map(one => contentFound(one, of))
      if (damage.length === 0) found.push(...wrongSizes(parts, records, sizeBytes))
      return found.length > 0 && (await isGone(parts, content)) ? [] : found
    } catch (error) {
      if (await isGone(parts, content)) return []
      return [unreadable(error, path, of)]
    }
  }
  return { key: `layer ${cacheId}`, path, check }
}

function contentFound({ part, path, reason }: ContentDamage, of: Found['of']): Found {
  const kind: FindingKind = 'layer-content'
  return { kind, path, reason: part === 'index' ? `index: ${reason}` : reason, of }
}

function wrongSizes(
  { root: { paths } }: StoreParts,
  records: readonly LayerRecord[],
  actual: number | undefined,
): Found[] {
  return records
    .filter(({ sizeBytes }) => actual !== undefined && sizeBytes !== actual)
    .map(({ chainId, sizeBytes }) => ({
      kind: 'layer-record',
      path: paths.below(paths.layer(chainId), 'size'),
      reason: `says ${sizeBytes}, and the layer has ${actual}`,
      of: { chains: [chainId] },
    }))
}

/** No record needs it any more, or it stands aside and comes back if it is needed. */
async function isGone({ root }: StoreParts, { cacheId, records }: Content): Promise<boolean> {
  const path = root.paths.layerContent(cacheId)
  if ((await root.inLimbo(path)).length > 0) return true
  if (records.length === 0) return (await ifThere(root.io.status(path))) === undefined
  for (const { chainId } of records) {
    if ((await root.inLimbo(root.paths.layer(chainId))).length > 0) continue
    try {
      if ((await readRecord(root, chainId))?.cacheId === cacheId) return false
    } catch (error) {
      if (error instanceof PhylloError && error.code === 'STORE_CORRUPT') return false
      throw error
    }
  }
  return true
}

/** @throws what is no matter of the store: an abort, a worker that died */
export function unreadable(error: unknown, path: string, of: Found['of']): Found {
  if (!(error instanceof PhylloError) || !['STORE_IO', 'INPUT_IO', 'STORE_VERSION'].includes(error.code)) throw error
  return { kind: 'unreadable', path: error.path ?? path, reason: error.message, of }
}

export async function blobItems(parts: StoreParts): Promise<Item[]> {
  const { io, paths } = parts.root
  const items: Item[] = []
  for (const algorithm of ['sha256', 'sha512']) {
    const directory = paths.below(paths.blobs, algorithm)
    for (const name of (await ifThere(io.readdir(directory))) ?? []) {
      const digest: unknown = `${algorithm}:${name}`
      if (isDigest(digest)) items.push(blobItem(parts, digest))
    }
  }
  return items
}

function blobItem(parts: StoreParts, digest: Digest): Item {
  const path = parts.root.paths.blob(digest)
  const check = async ({ full, bytesPerSecond, signal, onProgress }: ItemOptions): Promise<Found[]> => {
    if (!full) return []
    try {
      const input = { path, digest, ...(bytesPerSecond && { bytesPerSecond }) }
      const { isWhole } = await parts.workers().run('check-blob', input, { signal, onProgress })
      return isWhole ? [] : [{ kind: 'blob', path, reason: 'does not hash to its name', of: {} }]
    } catch (error) {
      if ((await ifThere(parts.root.io.status(path))) === undefined) return []
      return [unreadable(error, path, {})]
    }
  }
  return { key: `blob ${digest}`, path, check }
}
