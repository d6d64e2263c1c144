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

export async function reapDeadOwners(context: OwnerContext, flock: Flock, self: Owner): Promise<void> {
  const { io, paths } = context
  const alive = new Map<string, boolean>([[self.id, true]])
  const dead = async (name: string) => {
    const id = ownerOf(name)
    if (!alive.has(id)) alive.set(id, await isAlive(context, flock, id))
    return alive.get(id) === false
  }
  for (const name of (await io.readdir(paths.limbo)).slice(0, batch)) {
    if (await dead(name)) await restore(context, self, name)
  }
  for (const name of (await io.readdir(paths.stages)).slice(0, batch)) {
    if (await dead(name)) await moveToTrash(context, self, paths.below(paths.stages, name))
  }
  const names = (await io.readdir(paths.owners)).sort((a, b) => b.length - a.length)
  for (const name of names.slice(0, batch)) {
    if (await dead(name)) await ifThere(io.unlink(paths.below(paths.owners, name)))
  }
}
