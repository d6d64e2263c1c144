/**
 * The only door that publishes: write in a stage, fsync, publish, fsync the directory.
 *
 * Invariants:
 * - A name in the store that looks complete is complete: bytes are on the disk before the name is.
 * - Content-named things are never replaced under a reader. Files come by link, directories by rename, and whoever is
 *   second finds EEXIST or ENOTEMPTY and drops its own. Before it says "there already" it flushes what the first one may
 *   not have flushed yet.
 * - An fsync that failed is not tried again: the caller drops the stage and starts from the source.
 */
import { dirname } from 'node:path'
import { failedWith, type Io, ifThere, isLinkless } from './io.js'
import type { Owner, OwnerContext } from './owner.js'
import { moveToTrash } from './trash.js'

/** `full`: what was reported as done survives a power cut. `none`: it survives the death of the process only. */
export type Durability = 'full' | 'none'

export interface CommitContext extends OwnerContext {
  readonly owner: Owner
  readonly durability: Durability
  /** Runs the work under the root lock. */
  readonly exclusively: <T>(work: () => Promise<T>) => Promise<T>
}

/**
 * Publishes a staged file under a name that says what its content is; the staged name is gone afterwards. False:
 * somebody was first, and ours is dropped.
 *
 * Where the file system has no hard links this is a rename, after a look under the root lock. All writers of such a
 * store do the same, so nothing is replaced there either; but it must not be called by whoever holds that lock.
 */
export async function publishFile(c: CommitContext, staged: string, final: string, mode: number): Promise<boolean> {
  await c.io.chmod(staged, mode)
  await flush(c, staged)
  if (await withParents(c, final, () => linkOrRename(c, staged, final))) {
    await flush(c, dirname(final))
    await ifThere(c.io.unlink(staged))
    return true
  }
  await c.io.unlink(staged)
  await flush(c, final)
  await flush(c, dirname(final))
  return false
}

async function linkOrRename(c: CommitContext, staged: string, final: string): Promise<boolean> {
  try {
    await c.io.link(staged, final)
    return true
  } catch (error) {
    if (failedWith(error, 'EEXIST')) return false
    if (!isLinkless(error)) throw error
  }
  return c.exclusively(async () => {
    if ((await ifThere(c.io.status(final))) !== undefined) return false
    await c.io.rename(staged, final)
    return true
  })
}

/** The same for bytes in hand. */
export async function publishBytes(
  c: CommitContext,
  final: string,
  bytes: Uint8Array | string,
  mode: number,
): Promise<boolean> {
  const staged = c.paths.below(c.paths.stages, c.owner.next())
  return dropAfterFailure(c, staged, async () => {
    await c.io.writeNew(staged, bytes, mode, false)
    return publishFile(c, staged, final, mode)
  })
}

/**
 * Publishes a staged directory whose files are written and, for durability `full`, fsynced. False: somebody was first,
 * and ours went to the trash. An empty directory that somebody left in the place is replaced.
 */
export async function publishDirectory(c: CommitContext, staged: string, final: string): Promise<boolean> {
  await flush(c, staged)
  try {
    await withParents(c, final, () => c.io.rename(staged, final))
  } catch (error) {
    if (!failedWith(error, 'ENOTEMPTY', 'EEXIST')) throw error
    const trashed = await moveToTrash(c, c.owner, staged)
    if (trashed !== undefined) await c.io.deleteTree(trashed)
    await flush(c, dirname(final))
    return false
  }
  await flush(c, dirname(final))
  return true
}

/**
 * Replaces the content of a file as a whole: readers see the old or the new bytes. For files that are no content, such
 * as repositories.json; a read-modify-write belongs under the root lock.
 */
export async function replaceFile(
  c: CommitContext,
  final: string,
  bytes: Uint8Array | string,
  mode: number,
): Promise<void> {
  const staged = c.paths.below(c.paths.stages, c.owner.next())
  await dropAfterFailure(c, staged, async () => {
    await c.io.writeNew(staged, bytes, mode, c.durability === 'full')
    await withParents(c, final, () => c.io.rename(staged, final))
  })
  await flush(c, dirname(final))
}

/** The same with a staged file, for a repair alone: a reader who has the old one open goes on with that. */
export async function replaceWithFile(c: CommitContext, staged: string, final: string, mode: number): Promise<void> {
  await c.io.chmod(staged, mode)
  await flush(c, staged)
  await withParents(c, final, () => c.io.rename(staged, final))
  await flush(c, dirname(final))
}

/** A full disk is not made fuller by attempts. What cannot be dropped now goes with the owner; the first error counts. */
async function dropAfterFailure<T>(c: CommitContext, staged: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await c.io.unlink(staged).catch(() => undefined)
    throw error
  }
}

/** fsync of a file or directory, if the store is a durable one. */
export async function flush({ io, durability }: Pick<CommitContext, 'io' | 'durability'>, path: string): Promise<void> {
  if (durability === 'full') await io.sync(path)
}

/** Directories that are made when first needed: tried without first, because they are nearly always there. */
async function withParents<T>(c: CommitContext, final: string, publish: () => Promise<T>): Promise<T> {
  try {
    return await publish()
  } catch (error) {
    if (!failedWith(error, 'ENOENT')) throw error
  }
  await makeParents(c, dirname(final))
  return publish()
}

/** The directory and its parents, as far as they are not there. */
export async function makeParents(c: CommitContext, directory: string): Promise<void> {
  if ((await ifThere(c.io.status(directory))) !== undefined) return
  await makeParents(c, dirname(directory))
  await makeDirectory(c.io, directory, c.paths.modeOf(directory))
  await flush(c, dirname(directory))
}

/** Makes one directory, unless it is there. */
export async function makeDirectory(io: Io, path: string, mode: number): Promise<void> {
  try {
    await io.mkdir(path, mode)
  } catch (error) {
    if (!failedWith(error, 'EEXIST')) throw error
  }
}
