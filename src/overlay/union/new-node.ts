/** The attributes of what is made in a container: all four times are now, and the owner is the container's own. */
import type { NewNode } from '../../drivers/upper.js'
import type { Dentry } from './dentry.js'
import { isDirectoryMode } from './mode.js'
import type { Union } from './union.js'

const S_ISGID = 0o2000

/** In a set-group-ID directory the group is the directory's, and directories inherit the bit (R-CR-4). */
export function newNode(union: Union, directory: Dentry, mode: number): NewNode {
  const now = union.now()
  const times = { atime: now, mtime: now, ctime: now, birthtime: now }
  const { uid, gid } = union.owner
  const parent = union.tree.attributes(directory)
  if ((parent.mode & S_ISGID) === 0) return { mode, uid, gid, ...times }
  return { mode: isDirectoryMode(mode) ? mode | S_ISGID : mode, uid, gid: parent.gid, ...times }
}
