/** Repairs of what stands beside `diff` in driver overlay2, and of short names. */
import { basename, dirname } from 'node:path'
import { ifThere } from '../disk/io.js'
import type { Root } from '../disk/root.js'
import { linkAt, lowerAbove, newLink } from '../drivers/overlay2/directory.js'
import { PhylloError } from '../errors.js'
import { placedDirectories } from './directories.js'
import { left, type Mend, type Mending, moveAway, repaired, replaceSmall } from './mend.js'

export const mendDirectory: Mend = async ({ path }, mending) => {
  const { parts, survey } = mending
  const { root } = parts
  const [name, id] = [basename(path), basename(dirname(path))]
  if (name === 'link') return mendLinkFile(path, id, mending)
  if (name === 'work') {
    await root.quarantine(path)
    await root.io.mkdir(path, 0o700)
    return repaired('made anew')
  }
  if (name === 'committed') {
    await replaceSmall(root, path, '', 0o600)
    return repaired('made anew')
  }
  const placed = (await placedDirectories(parts, survey)).find(one => one.id === id)
  if (placed === undefined) return left('nobody knows what it stands on')
  if (placed.below === undefined) return moveAway(root, path)
  await replaceSmall(root, path, await lowerAbove(root, placed.below), 0o644)
  return repaired('told anew by what lies below')
}

async function mendLinkFile(path: string, id: string, { parts: { root } }: Mending) {
  const { io, paths } = root
  const known = await shortNameOf(id, root)
  if (known !== undefined) {
    await replaceSmall(root, path, known, 0o644)
    return repaired('told anew by its short name')
  }
  const link = newLink(io)
  await replaceSmall(root, path, link, 0o644)
  await io.symlink(`../${id}/diff`, paths.link(link))
  return repaired('it has a new short name')
}

/** The short name that leads to a directory. */
async function shortNameOf(id: string, { io, paths }: Root): Promise<string | undefined> {
  for (const link of await io.readdir(paths.links))
    if ((await ifThere(io.readlink(paths.link(link)))) === `../${id}/diff`) return link
  return undefined
}

/** A short name of a directory leads there again; any other goes. */
export const mendLink: Mend = async ({ path }, { parts: { root } }) => {
  const { io, paths } = root
  for (const id of await io.readdir(paths.content)) {
    if (paths.layerContent(id) === paths.links) continue
    const link = await orUndefined(linkAt(root, paths.layerContent(id)))
    if (link !== basename(path)) continue
    const known = await shortNameOf(id, root)
    if (known !== undefined) {
      await replaceSmall(root, paths.below(paths.layerContent(id), 'link'), known, 0o644)
      return repaired('its directory says its short name again')
    }
    await using stage = await root.stage()
    await io.symlink(`../${id}/diff`, stage.file('link'))
    await root.quarantine(path)
    await io.rename(stage.file('link'), path)
    await root.flush(paths.links)
    return repaired('leads to its directory again')
  }
  return moveAway(root, path)
}

async function orUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (error instanceof PhylloError) return undefined
    throw error
  }
}
