/**
 * Clears up after owners that died: their leases go, their stages go to the trash, and what they held in limbo goes
 * back to its place. At every opening for writing and before every collection, under the root lock.
 *
 * Invariants:
 * - The owner's own file goes last: killed at any point, the next reaper finds the rest.
 * - At most `batch` things of each kind at once, so that opening stays quick after a hundred thousand crashes.
 */
import { inTurn } from '../endings.js'
import type { Flock } from '../native/flock.js'
import { ifThere } from './io.js'
import { restore } from './limbo.js'
import { isAlive, type Owner, type OwnerContext, ownerOf } from './owner.js'
import { moveToTrash } from './trash.js'

const batch = 1000

/** What dead owners have left, by path. */
export interface Leavings {
  readonly stages: readonly string[]
  readonly leases: readonly string[]
}

/** Answers whether there may be more. */
export async function reapDeadOwners(context: OwnerContext, flock: Flock, self: Owner): Promise<boolean> {
  const { io, paths } = context
  const dead = deadOwners(context, flock, self)
  await restoreLimbo(context, await dead(paths.limbo, batch), self)
  const stages = await dead(paths.stages, batch)
  for (const name of stages) await moveToTrash(context, self, paths.below(paths.stages, name))
  // Longer names first: an owner's leases before itself.
  const owned = await dead(paths.owners, batch)
  for (const name of owned) await ifThere(io.unlink(paths.below(paths.owners, name)))
  return stages.length === batch || owned.length === batch
}

/** What is there of dead owners, all of it, for a collector; what they held in limbo goes back to its place. */
export async function leavingsOfDead(context: OwnerContext, flock: Flock, self: Owner): Promise<Leavings> {
  const { paths } = context
  const dead = deadOwners(context, flock, self)
  await restoreLimbo(context, await dead(paths.limbo), self)
  const within = async (directory: string) => (await dead(directory)).map(name => paths.below(directory, name))
  const owned = await within(paths.owners)
  return { stages: await within(paths.stages), leases: owned.filter(path => path.includes('.', paths.owners.length)) }
}

/**
 * Of an owner that ends: all that is still his goes, as far as it can. His own file goes last, as in reaping. A store that somebody has
 * deleted has nothing to release.
 */
export async function releaseOwned(context: OwnerContext, owner: Owner): Promise<void> {
  const { io, paths } = context
  const mine = async (directory: string) => {
    const names = ((await ifThere(io.readdir(directory))) ?? []).filter(name => ownerOf(name) === owner.id)
    return names.sort((a, b) => b.length - a.length).map(name => paths.below(directory, name))
  }
  const discard = async (stage: string) => {
    const trashed = await moveToTrash(context, owner, stage)
    if (trashed !== undefined) await io.deleteTree(trashed)
  }
  await inTurn([
    async () => inTurn((await mine(paths.stages)).map(stage => () => discard(stage))),
    async () => inTurn((await mine(paths.owners)).map(path => () => ifThere(io.unlink(path)))),
  ])
}

type Dead = (directory: string, most?: number) => Promise<string[]>

/** Reads names that belong to the dead, the longest first; asks of each owner once. */
function deadOwners(context: OwnerContext, flock: Flock, self: Owner): Dead {
  const alive = new Map<string, boolean>([[self.id, true]])
  return async (directory, most = Number.POSITIVE_INFINITY) => {
    const found: string[] = []
    const names = await context.io.readdir(directory)
    for (const name of names.sort((a, b) => b.length - a.length)) {
      if (found.length === most) break
      const id = ownerOf(name)
      if (!alive.has(id)) alive.set(id, await isAlive(context, flock, id))
      if (alive.get(id) === false) found.push(name)
    }
    return found
  }
}

async function restoreLimbo(context: OwnerContext, names: readonly string[], self: Owner): Promise<void> {
  for (const name of names) await restore(context, self, name)
}
