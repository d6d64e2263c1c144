/**
 * Limbo: what a collector has taken out of its place and not yet decided on. The second half of "move away, read
 * references and leases again, then restore or delete".
 *
 * Invariants:
 * - The name says where the thing belongs: anybody can put it back, and putting back is always safe, because a thing
 *   that nobody needs is found again by the next collection.
 * - A thing leaves limbo once, by one rename or link: back to its place, or to the trash.
 * - Nothing that stands in the place is replaced: whoever put it there was later, and theirs is as good.
 * - A collector that dies leaves everything in limbo, and reaping it restores all of that.
 */
import { failedWith, ifThere, isLinkless } from './io.js'
import type { Owner, OwnerContext } from './owner.js'
import { moveToTrash } from './trash.js'

/** Takes the file or directory out of its place. The answer is its name in limbo, or undefined when it was gone. */
export async function setAside({ io, paths }: OwnerContext, owner: Owner, path: string): Promise<string | undefined> {
  const name = `${paths.placeOf(path)}@${owner.next()}`
  const moved = await ifThere(io.rename(path, paths.below(paths.limbo, name)).then(() => true))
  return moved === true ? name : undefined
}

/** Puts it back. Not an error when somebody else did so already, or when the place has been taken since. */
export async function restore(context: OwnerContext, owner: Owner, name: string): Promise<void> {
  const { io, paths } = context
  const from = paths.below(paths.limbo, name)
  const place = paths.pathOf(name.slice(0, Math.max(name.lastIndexOf('@'), 0)))
  const status = await ifThere(io.status(from))
  if (status === undefined) return
  if (place === undefined) await moveToTrash(context, owner, from)
  else if (status.type === 'directory') await restoreDirectory(context, owner, from, place)
  else await restoreFile(context, owner, from, place)
}

async function restoreDirectory(context: OwnerContext, owner: Owner, from: string, place: string): Promise<void> {
  try {
    await ifThere(context.io.rename(from, place))
  } catch (error) {
    if (!failedWith(error, 'ENOTEMPTY', 'EEXIST')) throw error
    await moveToTrash(context, owner, from)
  }
}

async function restoreFile(context: OwnerContext, owner: Owner, from: string, place: string): Promise<void> {
  const { io } = context
  try {
    await ifThere(io.link(from, place))
  } catch (error) {
    if (isLinkless(error)) return void (await ifThere(io.rename(from, place)))
    if (!failedWith(error, 'EEXIST')) throw error
    return void (await moveToTrash(context, owner, from))
  }
  await ifThere(io.unlink(from))
}

/** The decision to delete. False when somebody has put it back in the meantime. */
export async function condemn(context: OwnerContext, owner: Owner, name: string): Promise<boolean> {
  const { paths } = context
  return (await moveToTrash(context, owner, paths.below(paths.limbo, name))) !== undefined
}

/** Whatever in limbo belongs at this path, by name. */
export async function inLimbo({ io, paths }: OwnerContext, path: string): Promise<string[]> {
  const prefix = `${paths.placeOf(path)}@`
  return ((await ifThere(io.readdir(paths.limbo))) ?? []).filter(name => name.startsWith(prefix))
}
