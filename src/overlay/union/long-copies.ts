/**
 * What a change has to copy up first, where copying up copies contents, too, as in an upper that the kernel shall read: whether
 * the container has room for it, and whether it is too much for one turn of the event loop.
 *
 * Invariant: who is refused here has copied nothing yet.
 */
import type { ContentDraft } from '../../drivers/upper.js'
import { MiB } from '../../limits.js'
import type { Dentry } from './dentry.js'
import { errnoError } from './errno.js'
import { S_IFMT, S_IFREG } from './mode.js'
import type { Union } from './union.js'

/** Bytes and entries that are copied up in one turn of the event loop: a millisecond or two. */
const bytesAtOnce = MiB
const entriesAtOnce = 64

/** All of it is below, and directories come before what is in them. */
export interface Copies {
  /** What can be copied up by itself: nobody sees it. */
  readonly alone: readonly Dentry[]
  /** One name each of inodes that shall go on sharing one: they come up together, and only their contents can be copied before. */
  readonly linked: readonly Dentry[]
}

/** An asynchronous call that is being tried. */
export interface Attempt {
  /** Contents that were copied for it, by `inodeBelow`. */
  readonly drafts: Map<string, ContentDraft>
}

/** What a call that is being tried throws: it may be begun anew when this has been copied. It is never seen outside of the union. */
export class CopyFirst extends Error {
  override readonly name = 'CopyFirst'
  readonly copies: Copies

  constructor(copies: Copies) {
    super('there is much to be copied up before this call')
    this.copies = copies
  }
}

/** Names of one inode have the same. */
export function inodeBelow({ lower, inode }: Dentry): string {
  return `${lower} ${inode}`
}

/** The bytes that copying up copies. */
export function bytesBelow(union: Union, dentry: Dentry): number {
  if (union.upper?.detach === undefined || (dentry.mode & S_IFMT) !== S_IFREG) return 0
  return union.tree.attributes(dentry).sizeBytes
}

/** Whether it is copied in more than one turn of the event loop by whoever can wait. */
export function isLong(union: Union, dentry: Dentry): boolean {
  return bytesBelow(union, dentry) > bytesAtOnce
}

/** To be called before all that is copied together. Throws EDQUOT, and for a call that is being tried CopyFirst. */
export function beforeCopies(union: Union, copies: Copies): void {
  const { attempt } = union
  const all = [...copies.alone, ...copies.linked]
  assertFits(
    union,
    all.reduce((sum, dentry) => sum + bytesBelow(union, dentry), 0),
  )
  if (attempt === undefined) return
  const left = all.filter(dentry => !attempt.drafts.has(inodeBelow(dentry)))
  const bytes = left.reduce((sum, dentry) => sum + bytesBelow(union, dentry), 0)
  if (bytes > bytesAtOnce || left.length > entriesAtOnce) throw new CopyFirst(copies)
}

/** Throws EDQUOT if the container may not have so many bytes more. */
export function assertFits({ upper, maxBytes }: Union, bytes: number, syscall = 'copyup'): void {
  if (bytes > 0 && upper!.usedBytes + bytes > maxBytes) throw errnoError('EDQUOT', syscall)
}
