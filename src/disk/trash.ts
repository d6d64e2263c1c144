/**
 * The trash: what is no part of the store any more. Getting there is one rename, so a thing is wholly in the store or
 * wholly out of it, and whoever is killed while deleting leaves work that anybody may finish.
 */
import { together } from '../endings.js'
import { PhylloError } from '../errors.js'
import { ifThere } from './io.js'
import type { Owner, OwnerContext } from './owner.js'

/** Takes a file or directory out of the store; undefined when it was not there. The answer is where it is now. */
export async function moveToTrash(
  { io, paths }: OwnerContext,
  owner: Owner,
  path: string,
): Promise<string | undefined> {
  const trashed = paths.below(paths.trash, owner.next())
  const moved = await ifThere(io.rename(path, trashed).then(() => true))
  return moved === true ? trashed : undefined
}

/**
 * Deletes what is in the trash, whosever it was, until `stopped` says so.
 *
 * What cannot be deleted (an immutable flag, files of another user) stays where it is and is tried again next time: it
 * takes room and does no other harm.
 */
export async function emptyTrash({ io, paths }: OwnerContext, stopped: () => boolean): Promise<void> {
  const names = (await unlessItFails(io.readdir(paths.trash))) ?? []
  const lane = async () => {
    for (let name = names.pop(); name !== undefined && !stopped(); name = names.pop())
      await unlessItFails(io.deleteTree(paths.below(paths.trash, name), stopped))
  }
  await together([lane(), lane()])
}

async function unlessItFails<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (error instanceof PhylloError && error.code === 'STORE_IO') return undefined
    throw error
  }
}
