/** Trees as `overlay-kernel.py` shows them: the merged tree of a union, and its upper as a directory that a kernel can mount. */
import type { ByteString } from '../../src/byte-string.js'
import { WHITEOUT } from '../../src/drivers/layer.js'
import type { UpperNode } from '../../src/drivers/upper.js'
import { readAllSync } from '../../src/overlay/union/content.js'
import type { Dentry } from '../../src/overlay/union/dentry.js'
import { lookup, type Stack } from '../../src/overlay/union/lookup.js'
import * as attributes from '../../src/overlay/union/syscalls-attributes.js'
import type { Union } from '../../src/overlay/union/union.js'
import { testNow } from './union-run.js'
import type { TreeNode, TreeNodes } from './union-sequence.js'

const nano = 1e9

const letterOf = new Map([
  [0o040000, 'd'],
  [0o100000, 'f'],
  [0o120000, 'l'],
  [0o020000, 'c'],
  [0o060000, 'b'],
  [0o010000, 'p'],
  [0o140000, 's'],
] as const)

/** The merged tree. */
export function dumpUnion(union: Union): TreeNodes {
  return dumpRoot(union).children!
}

/** The merged tree, with what its root is. */
export function dumpRoot(union: Union): TreeNode {
  const groups = new Map<string, number>()
  const dump = (dentry: Dentry): TreeNodes =>
    Object.fromEntries([...union.tree.children(dentry)].map(child => [child.name, describe(child)]))
  const describe = (dentry: Dentry): TreeNode => {
    const inode = union.tree.attributes(dentry)
    const t = letterOf.get((inode.mode & 0o170000) as 0o040000)!
    const xattrs = attributes.xattrsOf(union, dentry)
    const group = `${dentry.lower} ${dentry.inode}`
    if (!groups.has(group)) groups.set(group, groups.size)
    return {
      t,
      mode: inode.mode & 0o7777,
      uid: inode.uid,
      gid: inode.gid,
      mtime: inode.mtimeSec * nano + inode.mtimeNsec,
      ...(xattrs.length > 0 && {
        xattrs: Object.fromEntries(xattrs.map(({ name, value }) => [name, value.toString('latin1')])),
      }),
      ...(t === 'd' ? { children: dump(dentry) } : { nlink: inode.nlink, group: groups.get(group)! }),
      ...(t === 'f' && { data: readAllSync(union, dentry, 0).toString('latin1') }),
      ...(t === 'l' && { target: union.tree.linkTarget(dentry) }),
      ...((t === 'c' || t === 'b') && { rdev: [inode.deviceMajor, inode.deviceMinor] as [number, number] }),
    }
  }
  return describe(union.tree.root)
}

/** What the upper holds, as a directory that a kernel could mount: whiteouts, and opaque where nothing below is merged. */
export function dumpUpper(union: Union): TreeNode {
  const { upper } = union
  const names = new Map<number, string>()
  const dump = (directory: UpperNode, at: string): TreeNodes =>
    Object.fromEntries(
      [...directory.children]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, child]) => [name, entry(child, at + name)]),
    )
  const entry = (child: UpperNode | typeof WHITEOUT, at: string): TreeNode =>
    child === WHITEOUT ? { t: 'w' } : describe(child, at)
  const describe = (child: UpperNode, at: string): TreeNode => {
    const t = letterOf.get((child.mode & 0o170000) as 0o040000)!
    const first = t === 'd' ? undefined : names.get(child.id)
    if (first !== undefined) return { t, link: first }
    names.set(child.id, at)
    return {
      t,
      mode: child.mode & 0o7777,
      uid: child.uid,
      gid: child.gid,
      mtime: child.mtime.sec * nano + child.mtime.nsec,
      ...(child.xattrs.length > 0 && {
        xattrs: Object.fromEntries(child.xattrs.map(({ name, value }) => [name, value.toString('latin1')])),
      }),
      ...(t === 'd' && { opaque: child.lowers.length === 0, children: dump(child, at === '' ? '' : `${at}/`) }),
      ...(t === 'f' && { data: contentOf(union, child) }),
      ...(t === 'l' && { target: child.target }),
      ...((t === 'c' || t === 'b') && { rdev: [child.deviceMajor, child.deviceMinor] as [number, number] }),
    }
  }
  return describe(upper!.root, '')
}

function contentOf(union: Union, child: UpperNode): string {
  const { lower, inode } = child.lowerContent ?? { lower: 0, inode: child.id }
  const buffer = Buffer.alloc(child.sizeBytes)
  union.trees[lower]!.readSync(inode, 0, buffer)
  return buffer.toString('latin1')
}

/** The canonical form of an upper (R-UP-7): only whiteouts and marks that hide something. Kinds alone. */
export function canonical(union: Union, upper: TreeNode): unknown {
  const dump = (nodes: TreeNodes, below: Stack): unknown =>
    Object.fromEntries(
      Object.entries(nodes).flatMap(([name, child]): [string, unknown][] => {
        const under = lookup(union.trees, below, name as ByteString)
        if (child.t === 'w') return under.length > 0 ? [[name, 'w']] : []
        if (child.t !== 'd') return [[name, child.t]]
        const merges = under.length > 0 && (union.trees[under[0]!.lower]!.mode(under[0]!.inode) & 0o170000) === 0o040000
        const opaque = merges && child.opaque === true
        return [[name, { opaque, children: dump(child.children ?? {}, merges && !opaque ? under : []) }]]
      }),
    )
  return dump(
    upper.children!,
    union.tree.root.directory!.stack.filter(({ lower }) => lower > 0),
  )
}

/** A tree without what differs by nature: numbers of groups, and times that are now. */
export function comparable(root: TreeNode): unknown {
  const groups = new Map<number, string>()
  const plain = ({ group, nlink, children, mtime, ...node }: TreeNode, at: string): unknown => {
    if (group !== undefined && !groups.has(group)) groups.set(group, at)
    return {
      ...node,
      mtime: mtime! >= testNow.sec * nano ? 'now' : mtime,
      ...(group !== undefined && { first: groups.get(group), nlink }),
      ...(children !== undefined && { children: walk(children, at) }),
    }
  }
  const walk = (nodes: TreeNodes, at: string): unknown =>
    Object.fromEntries(
      Object.entries(nodes)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, node]) => [name, plain(node, `${at}/${name}`)]),
    )
  return plain(root, '')
}
