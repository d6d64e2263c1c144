/**
 * What of an entry's metadata goes to the disk, by rules that ask neither the disk nor the kernel: the same layer gives the same
 * files everywhere. What does not go there is not lost, since tar-split has the headers.
 */
import type { EntryType, Xattr } from '../tar/entry.js'
import type { Time } from '../tar/numbers.js'
import { isKept } from '../tar/tree/xattr-arena.js'

/** The types that an inode has. */
export type InodeType = Exclude<EntryType, 'hardlink'>

/**
 * An allow-list (threats C2 to C6): capabilities, and what users and root keep for themselves. Not written: the notes of overlayfs,
 * labels and policies of the machine that the layer comes from (`security.*`, `system.*`), names of no known kind, and what
 * Linux gives no place to: `user.*` on anything but files and directories.
 */
export function isWritten(xattr: Xattr, type: InodeType): boolean {
  const { name } = xattr
  if (name.startsWith('trusted.')) return isKept(xattr)
  const hasContent = type === 'file' || type === 'directory'
  return hasContent && (name === 'security.capability' || (name.startsWith('user.') && isKept(xattr)))
}

/** ext4 has no times before this one; with others the same layer would be different files. */
const earliestSec = -(2 ** 31)

/** The time as every disk can have it; the latest that an entry has, 2^33 seconds, is within all of them. */
export function diskTime(sec: number, nsec: number): Time {
  return sec < earliestSec ? { sec: earliestSec, nsec: 0 } : { sec, nsec }
}
