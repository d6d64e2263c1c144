/** An inode of a container as an entry of a tar. */
import type { ByteString } from '../../byte-string.js'
import type { Member } from '../../drivers/layer.js'
import type { EntryType } from '../../tar/entry.js'
import { isWritableXattr, type LayerEntry } from '../../tar/layer-writer.js'
import { fileTypeOf } from '../union/mode.js'
import { isOfTheImage } from './differs.js'
import type { ContainerTrees } from './pairs.js'

export interface Named {
  /** From the root, without a slash before it. */
  readonly path: ByteString
  /** An earlier name of the same inode: this one becomes a hard link to it. */
  readonly first?: ByteString
  readonly warn: (path: ByteString, reason: string) => void
}

/** Undefined for a socket, which no tar can hold. */
export function entryOf(
  { trees }: Pick<ContainerTrees, 'trees'>,
  { lower, inode: number }: Member,
  { path, first, warn }: Named,
): LayerEntry | undefined {
  const tree = trees[lower]!
  const inode = tree.inode(number)
  const type = fileTypeOf(inode.mode)
  if (type === 'socket') {
    warn(path, 'a socket cannot be put into a layer and is left out')
    return undefined
  }
  const linked = first !== undefined
  const device = (type === 'char' || type === 'block') && !linked
  return {
    type: linked ? 'hardlink' : (type satisfies EntryType),
    name: path,
    linkName: first ?? (type === 'symlink' ? tree.readlink(number) : ('' as ByteString)),
    mode: inode.mode & 0o7777,
    uid: inode.uid,
    gid: inode.gid,
    sizeBytes: type === 'file' && !linked ? inode.sizeBytes : 0,
    mtimeSec: inode.mtimeSec,
    deviceMajor: device ? inode.deviceMajor : 0,
    deviceMinor: device ? inode.deviceMinor : 0,
    xattrs: tree.xattrs(number).filter(({ name }) => {
      if (!isOfTheImage(name)) return false
      if (isWritableXattr(name)) return true
      warn(path, `the xattr ${name} has a name that no tar can hold and is left out`)
      return false
    }),
  }
}
