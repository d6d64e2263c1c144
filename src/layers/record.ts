/**
 * One layer as Docker's layerdb writes it down: `layerdb/sha256/<chain>/{diff,size,cache-id,parent}`.
 *
 * Invariants:
 * - The record's name proves it: `chainIdOf(parent, diff)` is the chain, so no record is believed whose files do not
 *   belong together.
 * - Read as Docker reads it: whitespace around diff, cache-id and parent is fine, around size it is not.
 */

import { type Io, ifThere } from '../disk/io.js'
import type { Root } from '../disk/root.js'
import { together } from '../endings.js'
import { PhylloError } from '../errors.js'
import { chainIdOf } from '../oci/chain-id.js'
import { type ChainId, type DiffId, isDigest } from '../oci/digest.js'

export interface LayerRecord {
  readonly chainId: ChainId
  readonly diffId: DiffId
  /** Docker's layer size: bytes of regular files, once per inode, plus lengths of symlink targets. */
  readonly sizeBytes: number
  /** The driver's name for the content: for packed the hex digits of the diffId. */
  readonly cacheId: string
  /** The chain below; absent for a base layer. */
  readonly parent?: ChainId
}

/** Each file is one digest or number; a larger one is no record. */
const maxBytes = 4096
const cacheIdGrammar = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$/

/**
 * The record, or undefined when there is none.
 *
 * The files are not read at one moment, and meanwhile a collector may take the directory away or an adder put it
 * back. A record that does not hold together is therefore read again before it is called corrupt.
 *
 * @throws STORE_CORRUPT naming the file
 */
export async function readRecord(root: Root, chainId: ChainId): Promise<LayerRecord | undefined> {
  for (let tries = 3; ; tries--) {
    try {
      return await readOnce(root, chainId)
    } catch (error) {
      if (tries === 1 || !(error instanceof PhylloError && error.code === 'STORE_CORRUPT')) throw error
    }
  }
}

async function readOnce({ io, paths }: Root, chainId: ChainId): Promise<LayerRecord | undefined> {
  const directory = paths.layer(chainId)
  const read = async (name: string) => (await ifThere(io.readFile(paths.below(directory, name), maxBytes)))?.toString()
  const diff = await read('diff')
  if (diff === undefined) return undefined
  const [size, cacheId, parent] = await together([read('size'), read('cache-id'), read('parent')])
  return parseRecord(directory, chainId, { diff, size, cacheId, parent })
}

/** What a record that cannot be read calls its content; undefined when that cannot be read either. */
export async function cacheIdOfDamaged({ io, paths }: Root, chainId: ChainId): Promise<string | undefined> {
  const path = paths.below(paths.layer(chainId), 'cache-id')
  try {
    return cacheIdIn((await ifThere(io.readFile(path, maxBytes)))?.toString())
  } catch (error) {
    if (error instanceof PhylloError && error.code === 'STORE_CORRUPT') return undefined
    throw error
  }
}

/** Files of a record; the first says whether there is one. */
const fileNames = ['diff', 'size', 'cache-id', 'parent'] as const
/** Records read at once. */
const batch = 64

/** Those records that are there and hold together at a first look, by their chain: for listings. */
export async function readRecords({ io, paths }: Root, wanted: Iterable<ChainId>): Promise<Map<ChainId, LayerRecord>> {
  const records = new Map<ChainId, LayerRecord>()
  const chainIds = [...new Set(wanted)]
  for (let at = 0; at < chainIds.length; at += batch) {
    const some = chainIds.slice(at, at + batch).map(chainId => ({ chainId, directory: paths.layer(chainId) }))
    const files = some.flatMap(({ directory }) => fileNames.map(name => paths.below(directory, name)))
    const texts = (await readWhole(io, files)).map(bytes => bytes?.toString())
    for (const [index, { chainId, directory }] of some.entries()) {
      const [diff, size, cacheId, parent] = texts.slice(index * fileNames.length, (index + 1) * fileNames.length)
      const record =
        diff === undefined ? undefined : ifWhole(() => parseRecord(directory, chainId, { diff, size, cacheId, parent }))
      if (record !== undefined) records.set(chainId, record)
    }
  }
  return records
}

/** What a stack says of a layer, before anybody has looked. */
export interface ExpectedLayer {
  readonly chainId: ChainId
  readonly diffId: DiffId
  readonly parent: ChainId | undefined
  /** Where the driver knows it. */
  readonly cacheId: string | undefined
}

/**
 * Records of layers whose stacks are known, by their chain: only what the stack does not say is read, which is the size, and the
 * cache-id where every chain has its own. For listings: what is not there, or does not look whole, is left out.
 */
export async function readExpected(
  { io, paths }: Root,
  wanted: ReadonlyMap<ChainId, ExpectedLayer>,
): Promise<Map<ChainId, LayerRecord>> {
  const records = new Map<ChainId, LayerRecord>()
  const layers = [...wanted.values()]
  for (let at = 0; at < layers.length; at += 2 * batch) {
    const some = layers.slice(at, at + 2 * batch)
    const read = (name: string, of: readonly ExpectedLayer[]) =>
      readWhole(
        io,
        of.map(({ chainId }) => paths.below(paths.layer(chainId), name)),
      )
    const sizes = await read('size', some)
    const unknown = some.filter(({ cacheId }) => cacheId === undefined)
    const cacheIds = await read('cache-id', unknown)
    const found = new Map(unknown.map(({ chainId }, index) => [chainId, cacheIds[index]?.toString()]))
    for (const [index, { chainId, diffId, parent, cacheId = found.get(chainId) }] of some.entries()) {
      const [sizeBytes, name] = [sizeOf(sizes[index]?.toString()), cacheIdIn(cacheId)]
      if (sizeBytes === undefined || name === undefined) continue
      const record = { chainId, diffId, sizeBytes, cacheId: name }
      records.set(chainId, parent === undefined ? record : { ...record, parent })
    }
  }
  return records
}

/** None of them where one is too large: whoever reads them one by one sees which. */
async function readWhole(io: Io, files: readonly string[]): Promise<(Buffer | undefined)[]> {
  try {
    return await io.readFiles(files, maxBytes)
  } catch (error) {
    if (error instanceof PhylloError && error.code === 'STORE_CORRUPT') return files.map(() => undefined)
    throw error
  }
}

function ifWhole<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (error instanceof PhylloError && error.code === 'STORE_CORRUPT') return undefined
    throw error
  }
}

interface RecordFiles {
  readonly diff: string
  readonly size: string | undefined
  readonly cacheId: string | undefined
  readonly parent: string | undefined
}

function corruptFile(directory: string, file: string, reason: string): PhylloError {
  const path = `${directory}/${file}`
  return new PhylloError('STORE_CORRUPT', `${path}: ${reason}`, { path })
}

function sizeOf(text: string | undefined): number | undefined {
  const sizeBytes = /^\d{1,16}$/.test(text ?? '') ? Number(text) : Number.NaN
  return Number.isSafeInteger(sizeBytes) ? sizeBytes : undefined
}

function cacheIdIn(text: string | undefined): string | undefined {
  const cacheId = text?.trim() ?? ''
  return cacheIdGrammar.test(cacheId) ? cacheId : undefined
}

function parseRecord(directory: string, chainId: ChainId, files: RecordFiles): LayerRecord {
  const fields = parseFields(directory, files)
  if (chainIdOf(fields.parent, fields.diffId) === chainId) return { chainId, ...fields }
  throw corruptFile(directory, 'diff', 'diff and parent are not those of this chain')
}

function parseFields(directory: string, files: RecordFiles): Omit<LayerRecord, 'chainId'> {
  const corrupt = (file: string, reason: string) => corruptFile(directory, file, reason)
  const diffId: unknown = files.diff.trim()
  const [sizeBytes, cacheId] = [sizeOf(files.size), cacheIdIn(files.cacheId)]
  const parent: unknown = files.parent?.trim()
  if (!isDigest(diffId)) throw corrupt('diff', 'not a digest')
  if (sizeBytes === undefined) throw corrupt('size', files.size === undefined ? 'missing' : 'not a size')
  if (cacheId === undefined) throw corrupt('cache-id', files.cacheId === undefined ? 'missing' : 'not a name')
  if (parent !== undefined && !isDigest(parent)) throw corrupt('parent', 'not a digest')
  return {
    diffId: diffId as DiffId,
    sizeBytes,
    cacheId,
    ...(parent === undefined ? undefined : { parent: parent as string as ChainId }),
  }
}

/** Writes the files of a record into a staged directory, in Docker's order. */
export async function writeRecord(root: Root, directory: string, record: LayerRecord): Promise<void> {
  const write = (name: string, text: string) => root.writeStaged(root.paths.below(directory, name), text, 0o644)
  await write('diff', record.diffId)
  await write('size', String(record.sizeBytes))
  await write('cache-id', record.cacheId)
  if (record.parent !== undefined) await write('parent', record.parent)
}

/** A directory name of layerdb as the chain it is, undefined for what Docker ignores as well. */
export function chainOfName(name: string): ChainId | undefined {
  const digest: unknown = `${name.length === 128 ? 'sha512' : 'sha256'}:${name}`
  return isDigest(digest) ? (digest as string as ChainId) : undefined
}
