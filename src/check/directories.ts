/**
 * What stands beside `diff` in the directories of driver overlay2, of layers and of containers, and the short names in `l/` (facts of
 * Docker's store, 5.1 to 5.4). Every directory that a record or mount names is looked at, whoever made it.
 */
import { failedWith, ifThere } from '../disk/io.js'
import { linkAt, lowerAbove } from '../drivers/overlay2/directory.js'
import { PhylloError } from '../errors.js'
import type { StoreParts } from '../store-parts.js'
import type { Found } from './kinds.js'
import type { Survey } from './survey.js'

const smallBytes = 64 * 1024

/** A directory, and what it stands on. */
export interface PlacedDirectory {
  readonly id: string
  /** Directory below; undefined: nothing. */
  readonly below: string | undefined
  readonly of: Found['of']
  /** A container mounts it for writing: it has `work` though nothing may be below. */
  readonly isContainer: boolean
}

/** The directories of layers and containers whose metadata can be read. Of Docker's containers, too. */
export async function placedDirectories({ root }: StoreParts, survey: Survey): Promise<PlacedDirectory[]> {
  const { io, paths } = root
  const placed: PlacedDirectory[] = []
  const cacheIdOf = (chain: string | undefined) =>
    chain === undefined ? undefined : survey.layers.get(chain as never)?.cacheId
  for (const { chainId, cacheId, parent } of survey.layers.values()) {
    const below = cacheIdOf(parent)
    if (parent === undefined || below !== undefined)
      placed.push({ id: cacheId, below, of: { chains: [chainId] }, isContainer: false })
  }
  for (const container of (await ifThere(io.readdir(paths.mounts))) ?? []) {
    const read = async (name: string) =>
      (await ifThere(io.readFile(paths.below(paths.mount(container), name), smallBytes)))?.toString().trim()
    const [mountId, initId, parent] = [await read('mount-id'), await read('init-id'), await read('parent')]
    if (mountId === undefined || (parent !== undefined && cacheIdOf(parent) === undefined)) continue
    const of = { containers: [container] }
    const top = cacheIdOf(parent)
    if (initId !== undefined) placed.push({ id: initId, below: top, of, isContainer: true })
    placed.push({ id: mountId, below: initId ?? top, of, isContainer: true })
  }
  return placed
}

export async function checkDirectories(parts: StoreParts, survey: Survey): Promise<Found[]> {
  if (parts.root.paths.driver !== 'overlay2') return []
  const placed = await placedDirectories(parts, survey)
  const parents = new Set(placed.map(({ below }) => below))
  const found: Found[] = []
  for (const one of placed) found.push(...(await checkDirectory(parts, one, parents.has(one.id))))
  return [...found, ...(await strayLinks(parts))]
}

async function checkDirectory({ root }: StoreParts, placed: PlacedDirectory, isParent: boolean): Promise<Found[]> {
  const { io, paths } = root
  const { id, below, of, isContainer } = placed
  const directory = paths.layerContent(id)
  // Told as the content of its layer or container
  if ((await ifThere(io.status(directory))) === undefined) return []
  const found: Found[] = []
  const tell = (name: string, reason: string) =>
    found.push({ kind: 'directory', path: paths.below(directory, name), reason, of })
  const link = await orUndefined(linkAt(root, directory), error => tell('link', reasonOf(error)))
  if (link !== undefined) {
    const path = paths.link(link)
    const target = await readlink(root, path)
    if (target !== `../${id}/diff`)
      found.push({ kind: 'link', path, reason: target === undefined ? 'is not there' : `does not lead to ${id}`, of })
  }
  const lower = (await ifThere(io.readFile(paths.below(directory, 'lower'), smallBytes)))?.toString()
  const wanted = below === undefined ? undefined : await orUndefined(lowerAbove(root, below), () => undefined)
  if (below === undefined ? lower !== undefined : wanted !== undefined && lower !== wanted)
    tell('lower', lower === undefined ? 'is not there' : 'does not say what lies below')
  if ((below !== undefined || isContainer) && (await typeOf(root, paths.below(directory, 'work'))) !== 'directory')
    tell('work', 'is not there')
  const committed = await ifThere(io.status(paths.below(directory, 'committed')))
  if (isParent && committed === undefined) tell('committed', 'is not there')
  if (committed !== undefined && committed.sizeBytes > 0) tell('committed', 'is not empty')
  return found
}

async function typeOf({ io }: StoreParts['root'], path: string): Promise<string | undefined> {
  return (await ifThere(io.status(path)))?.type
}

/** Undefined also for what is no symlink. */
async function readlink({ io }: StoreParts['root'], path: string): Promise<string | undefined> {
  try {
    return await io.readlink(path)
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'EINVAL')) return undefined
    throw error
  }
}

async function orUndefined<T>(work: Promise<T>, otherwise: (error: PhylloError) => void): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof PhylloError)) throw error
    otherwise(error)
    return undefined
  }
}

function reasonOf({ message, path }: PhylloError): string {
  return path !== undefined && message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message
}

/** Short names that lead to no directory. A dockerd that was killed may leave one; it does no harm, but it means nothing. */
async function strayLinks({ root }: StoreParts): Promise<Found[]> {
  const { io, paths } = root
  const found: Found[] = []
  for (const name of ((await ifThere(io.readdir(paths.links))) ?? []).sort()) {
    const path = paths.link(name)
    const id = /^\.\.\/([^/]+)\/diff$/.exec((await readlink(root, path)) ?? '')?.[1]
    const said = id === undefined ? undefined : await orUndefined(linkAt(root, paths.layerContent(id)), () => undefined)
    if (said === name) continue
    const there = id !== undefined && (await typeOf(root, paths.layerContent(id))) !== undefined
    // While its directory is damaged it is what the directory is healed by
    if (there && said === undefined) continue
    if ((await readlink(root, path)) === undefined && (await typeOf(root, path)) === undefined) continue
    found.push({ kind: 'link', path, reason: 'is the name of no directory', of: {} })
  }
  return found
}
