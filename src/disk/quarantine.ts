/**
 * Quarantine: what a repair has taken out of the store, or replaced there. Nothing looks at it and nothing deletes it but its owner.
 *
 * Invariant: what is replaced is kept first; the name says where it stood, in the grammar of limbo.
 */
import { constants } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { type CommitContext, flush, makeDirectory } from './commit.js'
import { ifThere, isLinkless, storeIoError } from './io.js'

/** Takes it out of its place; answers where it is, undefined when nothing stood there. */
export async function quarantine(c: CommitContext, path: string): Promise<string | undefined> {
  const to = await placeFor(c, path)
  const moved = await ifThere(c.io.rename(path, to).then(() => true))
  if (moved === undefined) return undefined
  await flush(c, c.paths.quarantine)
  return to
}

/** Keeps the bytes of a file that is about to be replaced; undefined when there is none. */
export async function keep(c: CommitContext, path: string): Promise<string | undefined> {
  const to = await placeFor(c, path)
  const kept = await ifThere(linkOrCopy(c, path, to).then(() => true))
  if (kept === undefined) return undefined
  await flush(c, c.paths.quarantine)
  return to
}

/** Where what stands at a path will be. Whoever exchanges the two takes it out and puts another in its place at once. */
export async function placeFor(c: CommitContext, path: string): Promise<string> {
  await makeDirectory(c.io, c.paths.quarantine, 0o700)
  return c.paths.below(c.paths.quarantine, `${c.paths.placeOf(path)}@${c.owner.next()}`)
}

async function linkOrCopy({ io }: CommitContext, from: string, to: string): Promise<void> {
  try {
    await io.link(from, to)
  } catch (error) {
    if (!isLinkless(error)) throw error
    await copyFile(from, to, constants.COPYFILE_EXCL).catch(async cause => {
      throw await storeIoError('copy', from, cause)
    })
  }
}
