/**
 * Clears up after owners that died: their leases go, their stages go to the trash, and what they held in limbo goes
 * back to its place. At every opening for writing and before every collection, under the root lock.
 *
 * Invariants:
 * - The owner's own file goes last: killed at any point, the next reaper finds the rest.
 * - At most `batch` things of each kind at once, so that opening stays quick after a hundred thousand crashes.
 */
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

/**
 * What an owner that ends by itself has left, if it has left anything: its own file goes last, too. A store that somebody has deleted
 * has nothing to release.
 */
export async function releaseOwned(context: OwnerContext, owner: Owner): Promise<void> {
  const { paths, io } = context
  const mine = async (directory: string) =>
    ((await ifThere(io.readdir(directory))) ?? []).filter(name => ownerOf(name) === owner.id)
  for (const name of await mine(paths.stages)) {
    const trashed = await moveToTrash(context, owner, paths.below(paths.stages, name))
    if (trashed !== undefined) await io.deleteTree(trashed)
  }
  const owned = (await mine(paths.owners)).sort((a, b) => b.length - a.length)
  for (const name of owned) await ifThere(io.unlink(paths.below(paths.owners, name)))
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
