/** Repairs of layers: their records and their contents. */
import { basename } from 'node:path'
import { ifThere } from '../disk/io.js'
import { tarSplitFile } from '../disk/paths.js'
import type { Stage } from '../disk/stage.js'
import { unlinkDirectory } from '../drivers/overlay2/directory.js'
import { exchangeDirectory, hasNames } from '../drivers/overlay2/exchange-directory.js'
import { PhylloError } from '../errors.js'
import { type LayerRecord, readRecord } from '../layers/record.js'
import { chainIdOf } from '../oci/chain-id.js'
import { type ChainId, type DiffId, hexOf, isDigest } from '../oci/digest.js'
import { type Content, chainAt, checkContent, contentAt, isWhole } from './content-of.js'
import type { Finding } from './kinds.js'
import { left, type Mend, type Mended, type Mending, moveAway, quarantined, repaired, replaceSmall } from './mend.js'
import { quarantineImages } from './mend-images.js'
import { withoutFlippedBit } from './single-bit.js'
import type { Place } from './sources.js'

const smallBytes = 4096

export const mendRecord: Mend = async (finding, mending) => {
  const { parts } = mending
  const { root, layers } = parts
  const { paths } = root
  const chainId = chainAt(finding.path, mending)
  if (chainId === undefined) return left('is the record of no layer')
  const directory = paths.layer(chainId)
  const place = await placeOf(chainId, mending)
  if (place === undefined) return moveAway(root, directory)
  const { diffId, parent } = place
  const cacheId = layers.driver.cacheIdOf(diffId) ?? (await cacheIdOf(chainId, diffId, mending))
  if (cacheId === undefined) return mendMissing({ ...finding, path: directory }, mending)
  const { damage, sizeBytes } = await checkContent({ chainId, diffId, cacheId }, false, mending)
  // Without its content nobody knows its size: it is told anew when that is healed
  const size = damage.length === 0 && sizeBytes !== undefined ? sizeBytes : ((await sizeThere(chainId, mending)) ?? 0)
  const files = { diff: diffId, size: String(size), 'cache-id': cacheId, ...(parent !== undefined && { parent }) }
  for (const [name, text] of Object.entries(files)) {
    const path = paths.below(directory, name)
    if ((await ifThere(root.io.readFile(path, smallBytes)).catch(isCorrupt))?.toString() !== text)
      await replaceSmall(root, path, text, 0o644)
  }
  if (parent === undefined) await root.quarantine(paths.below(directory, 'parent'))
  return repaired('told anew by what needs it and what it contains')
}

function isCorrupt(error: unknown): undefined {
  if (!(error instanceof PhylloError && error.code === 'STORE_CORRUPT')) throw error
  return undefined
}

async function sizeThere(chainId: ChainId, { parts: { root } }: Mending): Promise<number | undefined> {
  const text = (await ifThere(root.io.readFile(`${root.paths.layer(chainId)}/size`, smallBytes)))?.toString()
  return /^\d{1,15}$/.test(text ?? '') ? Number(text) : undefined
}

/** What the layer is: by those who need it, else by its own files. */
async function placeOf(chainId: ChainId, { parts, sources, survey }: Mending): Promise<Place | undefined> {
  const known = sources.places(survey).get(chainId)
  if (known !== undefined) return known
  const { io, paths } = parts.root
  const read = async (name: string) => ifThere(io.readFile(paths.below(paths.layer(chainId), name), smallBytes))
  const [diff, parent] = [await read('diff'), await read('parent')]
  const isRight = (one: Buffer | undefined, other: Buffer | undefined) => {
    const [diffId, below]: [unknown, unknown] = [one?.toString().trim(), other?.toString().trim()]
    if (!isDigest(diffId) || (below !== undefined && !isDigest(below))) return false
    return chainIdOf(below as ChainId | undefined, diffId as DiffId) === chainId
  }
  const asPlace = (one: Buffer, other: Buffer | undefined): Place => ({
    diffId: one.toString().trim() as DiffId,
    parent: other?.toString().trim(),
  })
  if (diff === undefined) return undefined
  if (isRight(diff, parent)) return asPlace(diff, parent)
  const healed = await withoutFlippedBit(diff, one => isRight(one, parent))
  if (healed !== undefined) return asPlace(healed, parent)
  const below = parent && (await withoutFlippedBit(parent, one => isRight(diff, one)))
  return below && asPlace(diff, below)
}

/** Which directory of driver overlay2 holds the layer: the one that its record says, else one that nobody claims and that is it. */
async function cacheIdOf(chainId: ChainId, diffId: DiffId, mending: Mending): Promise<string | undefined> {
  const { parts, survey } = mending
  const { io, paths } = parts.root
  const file = paths.below(paths.layer(chainId), 'cache-id')
  const said = (await ifThere(io.readFile(file, smallBytes)).catch(isCorrupt))?.toString().trim() ?? ''
  const claimed = new Set(
    [...survey.layers.values()].filter(one => one.chainId !== chainId).map(({ cacheId }) => cacheId),
  )
  const known = new Set([...claimed, ...(await mounted(mending))])
  const all = (await io.readdir(paths.content)).filter(name => name !== basename(paths.links) && !known.has(name))
  for (const cacheId of all.sort((a, b) => Number(b === said) - Number(a === said) || (a < b ? -1 : 1))) {
    const { damage } = await checkContent({ chainId, diffId, cacheId }, cacheId !== said, mending)
    if (damage.length === 0 || cacheId === said) return cacheId
  }
  return undefined
}

async function mounted({ parts: { root } }: Mending): Promise<string[]> {
  const { io, paths } = root
  const ids: string[] = []
  for (const container of (await ifThere(io.readdir(paths.mounts))) ?? [])
    for (const name of ['mount-id', 'init-id']) {
      const id = await ifThere(io.readFile(paths.below(paths.mount(container), name), smallBytes))
      if (id !== undefined) ids.push(id.toString().trim())
    }
  return ids
}

/** A layer that somebody needs, and that has no record or no place of its own. */
export const mendMissing: Mend = async (finding, mending) => {
  const { parts, sources, survey } = mending
  const { root, layers } = parts
  const chainId = chainAt(finding.path, mending)
  const place = chainId && sources.places(survey).get(chainId)
  if (chainId === undefined || place === undefined) return left('nobody knows what it was')
  const { diffId } = place
  const parent = place.parent as ChainId | undefined
  await using lease = await root.lease({ chains: new Set([chainId]), diffIds: new Set([diffId]), images: new Set() })
  await using stage = await root.stage()
  const cacheId = layers.driver.cacheIdOf(diffId)
  const there = cacheId === undefined ? undefined : await checkContent({ chainId, diffId, cacheId }, true, mending)
  const written = there?.damage.length === 0 ? undefined : await writeAgain({ diffId, except: '' }, stage, mending)
  const sizeBytes = written?.sizeBytes ?? (there?.damage.length === 0 ? there.sizeBytes : undefined)
  if (sizeBytes === undefined) return giveUp(finding, mending, chainId)
  if (parent !== undefined && !(await layers.has(parent))) return left(`${parent} below it has to be healed first`)
  if (written !== undefined && cacheId !== undefined) await root.quarantine(root.paths.layerContent(cacheId))
  await root.quarantine(root.paths.layer(chainId))
  await layers.publish({ diffId, parent, sizeBytes, lease, ...(written && { staged: written.staged }) })
  return repaired(written === undefined ? 'its content was there' : written.how)
}

export const mendContent: Mend = async (finding, mending) => {
  const content = await contentAt(finding, mending)
  const { root } = mending.parts
  if (content === undefined) {
    const there = (await ifThere(root.io.status(finding.path))) !== undefined
    return there ? moveAway(root, finding.path) : repaired('by an earlier repair')
  }
  await using _lease = await root.lease({
    chains: new Set([content.chainId]),
    diffIds: new Set([content.diffId]),
    images: new Set(),
  })
  await using stage = await root.stage()
  if (await isWhole(content, mending)) return repaired('by an earlier repair')
  const written = await writeAgain({ ...content, except: content.cacheId }, stage, mending)
  if (written === undefined) return giveUp(finding, mending, content.chainId)
  if (root.paths.driver === 'packed') {
    const path = root.paths.packedLayer(content.cacheId)
    await root.keep(path)
    await root.replaceWithFile(written.staged, path, 0o644)
  } else await replaceDirectory(content, written.staged, mending)
  return repaired(written.how)
}

/** What the disk cannot give any more is as bad as what it gives wrong: only another copy helps, and nothing goes without one. */
export const mendUnreadable: Mend = async (finding, mending) => {
  const known = (await contentAt(finding, mending)) !== undefined
  return known ? mendContent(finding, mending) : left('the system cannot read it')
}

interface Written {
  readonly staged: string
  readonly sizeBytes: number
  readonly how: string
}

/** The content once more, in the stage, out of the first source that holds it. */
async function writeAgain(
  { diffId, cacheId, except }: { readonly diffId: DiffId; readonly cacheId?: string; readonly except: string },
  stage: Stage,
  mending: Mending,
): Promise<Written | undefined> {
  const { parts, sources, survey, op } = mending
  await op.admit(0)
  let count = 0
  let failure: PhylloError | undefined
  const tried = async (how: string, write: (target: string) => Promise<{ diffId: DiffId; sizeBytes: number }>) => {
    const staged = stage.file(`again-${count++}`)
    try {
      const output = await write(staged)
      return output.diffId === diffId ? { staged, sizeBytes: output.sizeBytes, how } : undefined
    } catch (error) {
      if (!(error instanceof PhylloError) || ['WORKER_DIED', 'STORE_CLOSED'].includes(error.code)) throw error
      if (failedCalls.includes(error.code)) failure ??= error
      return undefined
    }
  }
  const [{ limits }, pool, options] = [parts, parts.workers(), { signal: op.signal }]
  if (cacheId !== undefined && parts.root.paths.driver === 'packed') {
    const path = parts.root.paths.packedLayer(cacheId)
    const source = { tar: { layerFile: path }, sizeBytes: 0 }
    const own = { source, label: path, compression: 'lz4', limits } as const
    const copied = await tried('from its own blocks', target => pool.run('write-layer', { ...own, target }, options))
    if (copied !== undefined) return copied
    const again = { path, compression: 'lz4', limits } as const
    const rebuilt = await tried('index made anew', target => pool.run('rebuild-layer', { ...again, target }, options))
    if (rebuilt !== undefined) return rebuilt
  }
  const jobs = parts.layers.driver.jobs({ pool, limits })
  for await (const source of sources.tars(diffId, survey, except)) {
    const written = await tried('from another copy', async target => {
      const job = jobs.write({ source, label: 'repair', target }, options)
      return job.output.finally(() => job.gone())
    })
    if (written !== undefined) return written
  }
  // A disk that is full, or does not answer, says nothing of a copy: nothing is given up for that.
  if (failure !== undefined) throw failure
  return undefined
}

const failedCalls: readonly string[] = ['STORE_IO', 'INPUT_IO']

/** A directory of its own for the layer; the record leads there at once, and what stands on it is told in the next round. */
async function replaceDirectory(
  { chainId, diffId, cacheId }: Content,
  staged: string,
  mending: Mending,
): Promise<void> {
  const { root, layers } = mending.parts
  const { paths } = root
  const tarSplit = paths.below(paths.layer(chainId), tarSplitFile)
  if (await hasNames(root, cacheId)) {
    await root.keep(tarSplit)
    await root.replaceWithFile(paths.below(staged, tarSplitFile), tarSplit, 0o644)
    return exchangeDirectory(root, cacheId, staged)
  }
  const parent = (await readRecord(root, chainId))?.parent
  const below = parent === undefined ? undefined : mending.survey.layers.get(parent)?.cacheId
  const published = await layers.driver.publish({ chainId, diffId, staged, below })
  for (const [name, file] of published.beside) {
    const path = paths.below(paths.layer(chainId), name)
    if (path === tarSplit) await root.keep(path)
    await root.replaceWithFile(file, path, 0o644)
  }
  await replaceSmall(root, paths.below(paths.layer(chainId), 'cache-id'), published.cacheId, 0o644)
  await published.recorded()
  await unlinkDirectory(root, paths.layerContent(cacheId), cacheId)
  await root.quarantine(paths.layerContent(cacheId))
}

/** There is no other copy. The layer goes with the images that need it: loading them again brings it back. */
async function giveUp(finding: Finding, mending: Mending, chainId: ChainId): Promise<Mended> {
  const { root } = mending.parts
  const { containers, images } = finding.affects
  if (containers.length > 0)
    return left('there is no other copy, and containers stand on it: give an archive that has it')
  await quarantineImages(finding, mending)
  const record = mending.survey.layers.get(chainId)
  const away = withDescendants(chainId, [...mending.survey.layers.values()], record?.cacheId)
  for (const chain of away) await root.quarantine(root.paths.layer(chain))
  if (record !== undefined && root.paths.driver === 'overlay2')
    await unlinkDirectory(root, root.paths.layerContent(record.cacheId), record.cacheId)
  const path =
    root.paths.driver === 'packed' && record === undefined
      ? finding.path
      : root.paths.layerContent(record?.cacheId ?? hexOf(chainId))
  await root.quarantine(path)
  return quarantined(`there is no other copy; images that went with it: ${images.join(', ') || 'none'}`)
}

/** Records of the content and of all that stands on it, from the top. */
function withDescendants(chainId: ChainId, records: readonly LayerRecord[], cacheId: string | undefined): ChainId[] {
  const away = new Set<ChainId>([chainId])
  for (const record of records) if (record.cacheId === cacheId) away.add(record.chainId)
  for (let before = 0; before !== away.size; ) {
    before = away.size
    for (const { chainId: id, parent } of records) if (parent !== undefined && away.has(parent)) away.add(id)
  }
  return [...away].reverse()
}
