/**
 * The directory of one layer or container in Docker's overlay2 (facts of Docker's store, 5.1 to 5.4), made in a stage and then put in
 * its place.
 *
 * Invariants:
 * - What stands at `overlay2/<id>` is whole, and is what dockerd makes: names, modes, contents.
 * - Whatever has a child is marked `committed`: dockerd would mount it for writing otherwise.
 * - A base has neither `lower` nor `work`.
 */
import { failedWith, type Io, ifThere } from '../../disk/io.js'
import type { Root } from '../../disk/root.js'
import { PhylloError } from '../../errors.js'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const linkLength = 26
/** Names in a `lower`; dockerd and the kernel's page of mount options have no room for more. */
const mostLowers = 128
/** `l/` and a link, and what stands between two of them. */
const lowerBytes = mostLowers * (linkLength + 3)
const linkGrammar = /^[A-Z2-7]{26}$/

/** A new short name. */
export function newLink(io: Io): string {
  return linkOf(Buffer.from(io.randomName() + io.randomName(), 'hex'))
}

/** The first 26 characters of 17 random bytes in base32. */
export function linkOf(bytes: Uint8Array): string {
  let link = ''
  for (let bit = 0; link.length < linkLength; bit += 5) {
    const pair = (bytes[bit >> 3]! << 8) | (bytes[(bit >> 3) + 1] ?? 0)
    link += alphabet[(pair >> (11 - (bit & 7))) & 31]
  }
  return link
}

/** What the `lower` of a child of this directory says: its parent first, the base last. */
export async function lowerAbove(root: Root, below: string): Promise<string> {
  const { io, paths } = root
  const directory = paths.layerContent(below)
  const link = await linkAt(root, directory)
  const lower = (await ifThere(io.readFile(paths.below(directory, 'lower'), lowerBytes)))?.toString()
  const above = lower === undefined ? `l/${link}` : `l/${link}:${lower}`
  const depth = above.split(':').length
  if (depth <= mostLowers) return above
  throw new PhylloError(
    'LIMIT_EXCEEDED',
    `${directory}: ${depth} layers, and the kernel stacks ${mostLowers} at most`,
    {
      ...{ limit: 'layers', max: mostLowers, seen: depth },
    },
  )
}

/** Adds to a layer's directory with `diff`, in a stage, what Docker has beside it. Answers with its link. */
export async function completeLayer(root: Root, staged: string, below: string | undefined): Promise<string> {
  const { io, paths } = root
  await io.chmod(paths.below(staged, 'diff'), 0o755)
  if (below !== undefined) await io.mkdir(paths.below(staged, 'work'), 0o700)
  return describeDirectory(root, staged, below)
}

/** Says in a directory in a stage how it is called and what it stands on. Answers with its link. */
export async function describeDirectory(root: Root, staged: string, below: string | undefined): Promise<string> {
  const { io, paths } = root
  const link = newLink(io)
  await io.writeNew(paths.below(staged, 'link'), link, 0o644, false)
  if (below !== undefined) await io.writeNew(paths.below(staged, 'lower'), await lowerAbove(root, below), 0o644, false)
  await io.chmod(staged, 0o710)
  return link
}

/** What a directory says that its link is. @throws STORE_CORRUPT */
export async function linkAt({ io, paths }: Root, directory: string): Promise<string> {
  const path = paths.below(directory, 'link')
  const link = (await ifThere(io.readFile(path, lowerBytes)))?.toString()
  if (link !== undefined && linkGrammar.test(link)) return link
  const reason = link === undefined ? 'missing' : 'not the name of a link'
  throw new PhylloError('STORE_CORRUPT', `${path}: ${reason}`, { path })
}

/** Puts it in its place, under an intent. What stands on a layer marks it. */
export async function placeDirectory(
  { io, paths }: Root,
  staged: string,
  { id, link, below }: { readonly id: string; readonly link: string; readonly below: string | undefined },
): Promise<void> {
  await io.rename(staged, paths.layerContent(id))
  await io.symlink(`../${id}/diff`, paths.link(link))
  if (below === undefined) return
  try {
    await io.writeNew(paths.below(paths.layerContent(below), 'committed'), '', 0o600, false)
  } catch (error) {
    if (!failedWith(error, 'EEXIST')) throw error
  }
}

/** Takes away the short name of a directory, wherever that stands by now; one that means another directory stays. */
export async function unlinkDirectory(root: Root, at: string, id: string): Promise<void> {
  const path = await linkFileOf(root, at, id)
  if (path !== undefined) await ifThere(root.io.unlink(path))
}

/**
 * The short name of a directory that stands at this path by now: where its symlink is, if there is one. A power cut may have taken what
 * a directory that nobody was told of says of itself, and left both names: then the links are asked.
 */
export async function linkFileOf(root: Root, at: string, id: string): Promise<string | undefined> {
  const { io, paths } = root
  const link = (await ifThere(io.readFile(paths.below(at, 'link'), lowerBytes)))?.toString()
  if (link === undefined) return undefined
  const names = linkGrammar.test(link) ? [link] : (await io.readdir(paths.links)).filter(name => linkGrammar.test(name))
  for (const path of names.map(name => paths.link(name)))
    if ((await ifThere(io.readlink(path))) === `../${id}/diff`) return path
  return undefined
}

/** Which directories these stand on. */
export async function lowersOf({ io, paths }: Root, ids: Iterable<string>): Promise<Set<string>> {
  const lowers = new Set<string>()
  const known = new Map<string, string | undefined>()
  for (const id of ids) {
    const text = await readLower(paths.below(paths.layerContent(id), 'lower'), io)
    for (const link of (text ?? '').split(':').map(word => word.slice('l/'.length))) {
      if (!linkGrammar.test(link)) continue
      if (!known.has(link)) known.set(link, await ifThere(io.readlink(paths.link(link))))
      const lower = /^\.\.\/([^/]+)\/diff$/.exec(known.get(link) ?? '')?.[1]
      if (lower !== undefined) lowers.add(lower)
    }
  }
  return lowers
}

/** Undefined also for what is no directory. */
async function readLower(path: string, io: Root['io']): Promise<string | undefined> {
  try {
    return (await io.readFile(path, lowerBytes)).toString()
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}
