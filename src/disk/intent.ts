/**
 * Intents: which directories of a root that is not only ours are ours, while no record says so. One is written before the
 * directory is made and goes when the record stands; it is written again before the record goes, and goes after the directory.
 *
 * Invariants:
 * - Whatever no record and no intent names is somebody else's, and stays.
 * - An intent is named after its owner: what a living one is about to make or to take away is nobody else's business.
 * - The name of the directory is the name of the intent. It gets it when it is whole: half of one that names a container would be
 *   taken for a layer's, and a collector would take away what the container has changed.
 */
import type { Flock } from '../native/flock.js'
import { failedWith, type Io, ifThere, isLinkless } from './io.js'
import { isAlive, type Owner, type OwnerContext, ownerOf } from './owner.js'

export interface Intent {
  /** Name of the directory below the driver's content. */
  readonly directory: string
  /** Docker's container or ours that it belongs to; absent: a layer. */
  readonly container?: string
}

export interface WrittenIntent extends Intent {
  /** Unlinking it takes the intent back. */
  readonly path: string
}

const maxBytes = 4096
const containerGrammar = /^[0-9a-f]{64}$/

/** Answers with its path: unlinking that takes the intent back. */
export async function writeIntent(
  { io, paths, durability }: OwnerContext & { readonly durability: 'full' | 'none' },
  owner: Owner,
  { directory, container = '' }: Intent,
): Promise<string> {
  const path = paths.below(paths.intents, `${directory}@${owner.next()}`)
  const stages: string[] = []
  try {
    if (container !== '' || !(await linkOwner(io, paths.below(paths.owners, owner.id), path))) {
      const staged = paths.below(paths.stages, owner.next())
      stages.push(staged)
      await io.writeNew(staged, container, 0o600, durability === 'full')
      await io.rename(staged, path)
    }
    if (durability === 'full') await io.sync(paths.intents)
  } catch (error) {
    for (const left of [...stages, path]) await owner.remains.settle(() => ifThere(io.unlink(left)))
    throw error
  }
  return path
}

/**
 * Leaves it to the next collection to find out what became of the directory: from now on it is nobody's, as if its owner had died.
 */
export async function abandonIntent({ io, paths }: OwnerContext, path: string): Promise<void> {
  const name = path.slice(paths.intents.length + 1)
  const free = `${name.slice(0, name.lastIndexOf('@'))}@${io.randomName()}.0`
  await ifThere(io.rename(path, paths.below(paths.intents, free)))
}

/**
 * An intent without a word in it is one more name of its owner's empty file: a removal writes one for each layer, and there may be
 * no inode left. False where that cannot be.
 */
async function linkOwner(io: Io, ownerFile: string, path: string): Promise<boolean> {
  try {
    await io.link(ownerFile, path)
    return true
  } catch (error) {
    if (isLinkless(error) || failedWith(error, 'EMLINK', 'ENOENT')) return false
    throw error
  }
}

/** Intents of those who have died. Under the root lock. */
export async function freeIntents(context: OwnerContext, flock: Flock, self: Owner): Promise<WrittenIntent[]> {
  const { io, paths } = context
  const alive = new Map<string, boolean>([[self.id, true]])
  const free: WrittenIntent[] = []
  for (const name of ((await ifThere(io.readdir(paths.intents))) ?? []).sort()) {
    const id = ownerOf(name)
    if (!alive.has(id)) alive.set(id, await isAlive(context, flock, id))
    if (alive.get(id)) continue
    const path = paths.below(paths.intents, name)
    const container = (await ifThere(io.readFile(path, maxBytes)))?.toString()
    if (container === undefined) continue
    const directory = name.slice(0, name.lastIndexOf('@'))
    free.push({ directory, path, ...(containerGrammar.test(container) && { container }) })
  }
  return free
}
