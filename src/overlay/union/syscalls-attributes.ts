/**
 * The kernel's calls that change attributes, over a dentry that was found already. The container acts as root: nothing is refused
 * for want of permission.
 */
import type { Xattr } from '../../tar/entry.js'
import type { Time } from '../../tar/numbers.js'
import { copyUp, upperOf } from './copy-up.js'
import type { Dentry } from './dentry.js'
import { S_IFDIR, S_IFMT, S_IFREG } from './mode.js'
import type { Union } from './union.js'

const S_ISUID = 0o4000
const S_ISGID = 0o2000
const S_IXGRP = 0o010
/** chown's "leave it as it is", -1 as Node hands it on. */
const unchanged = 2 ** 32 - 1
const capability = 'security.capability'

export function chmod(union: Union, dentry: Dentry, mode: number): void {
  const upper = upperOf(union)
  upper.atomically(() => {
    const node = copyUp(union, dentry)
    upper.setAttributes(node, { mode: (node.mode & S_IFMT) | (mode & 0o7777), ctime: union.now() })
  })
  union.notices.changed(dentry)
}

/** Whoever changes the owner of a file takes its set-id bits and capabilities away (R-CU-6). */
export function chown(union: Union, dentry: Dentry, uid: number, gid: number): void {
  const upper = upperOf(union)
  upper.atomically(() => {
    const node = copyUp(union, dentry)
    upper.setAttributes(node, {
      uid: uid === unchanged ? node.uid : uid,
      gid: gid === unchanged ? node.gid : gid,
      mode: withoutSetId(node.mode),
      ctime: union.now(),
    })
    if ((node.mode & S_IFMT) === S_IFREG && node.xattrs.some(({ name }) => name === capability))
      upper.setXattrs(
        node,
        node.xattrs.filter(({ name }) => name !== capability),
      )
  })
  union.notices.changed(dentry)
}

function withoutSetId(mode: number): number {
  if ((mode & S_IFMT) === S_IFDIR) return mode
  return mode & ~S_ISUID & ((mode & S_IXGRP) === 0 ? ~0 : ~S_ISGID)
}

export function setTimes(union: Union, dentry: Dentry, atime: Time, mtime: Time): void {
  const upper = upperOf(union)
  upper.atomically(() => upper.setAttributes(copyUp(union, dentry), { atime, mtime, ctime: union.now() }))
  union.notices.changed(dentry)
}

/** setxattr(2)'s flags. */
export type XattrFlag = 'create' | 'replace'

/** Linux: XATTR_NAME_MAX and XATTR_SIZE_MAX. */
const nameBytes = 255
const valueBytes = 65_536

/** Why an xattr of this name cannot be, or undefined. The kernel's namespaces, as an ordinary file system has them. */
function nameRefusal(dentry: Dentry, name: string): string | undefined {
  if (name.length === 0 || name.length > nameBytes) return 'ERANGE'
  const [space, rest] = [name.slice(0, name.indexOf('.')), name.slice(name.indexOf('.') + 1)]
  if (!['user', 'trusted', 'security'].includes(space) || !name.includes('.')) return 'EOPNOTSUPP'
  if (rest === '') return 'EINVAL'
  const type = dentry.mode & S_IFMT
  return space === 'user' && type !== S_IFREG && type !== S_IFDIR ? 'EPERM' : undefined
}

/** The code of the failure, or undefined. */
export function setXattr(
  union: Union,
  dentry: Dentry,
  { name, value }: Xattr,
  flag: XattrFlag | undefined,
): string | undefined {
  const refusal = nameRefusal(dentry, name)
  if (refusal !== undefined) return refusal
  if (value.length > valueBytes) return 'E2BIG'
  const before = xattrsOf(union, dentry)
  const there = before.some(xattr => xattr.name === name)
  if (flag === 'create' && there) return 'EEXIST'
  if (flag === 'replace' && !there) return 'ENODATA'
  const upper = upperOf(union)
  upper.atomically(() => {
    const node = copyUp(union, dentry)
    upper.setXattrs(node, [...before.filter(xattr => xattr.name !== name), { name, value }])
    upper.setAttributes(node, { ctime: union.now() })
  })
  union.notices.changed(dentry)
  return undefined
}

export function removeXattr(union: Union, dentry: Dentry, name: string): string | undefined {
  const refusal = nameRefusal(dentry, name)
  if (refusal !== undefined) return refusal
  const before = xattrsOf(union, dentry)
  if (!before.some(xattr => xattr.name === name)) return 'ENODATA'
  const upper = upperOf(union)
  upper.atomically(() => {
    const node = copyUp(union, dentry)
    upper.setXattrs(
      node,
      before.filter(xattr => xattr.name !== name),
    )
    upper.setAttributes(node, { ctime: union.now() })
  })
  union.notices.changed(dentry)
  return undefined
}

export function xattrsOf(union: Union, dentry: Dentry): readonly Xattr[] {
  return dentry.lower < 0 ? [] : union.treeOf(dentry).xattrs(dentry.inode)
}
