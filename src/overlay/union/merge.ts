/**
 * The listing of a directory's stack: every name for which `lookup` finds something, each with its stack, in byte order.
 * Whiteouts are never listed (the kernel leaks some, R-RD-3; a view does not). Each member is listed once: the cost is the
 * sum of the members' entries.
 */
import type { ByteString } from '../../byte-string.js'
import { WHITEOUT } from '../../drivers/layer.js'
import { type Member, ownStack, type Stack, type Tree } from './lookup.js'
import { isDirectoryMode } from './mode.js'

/** What a name came to so far. `closed`: lower layers have no say any more. An empty, closed one is hidden. */
interface Merging {
  readonly members: Member[]
  closed: boolean
}

export function merge(
  lowers: readonly Tree[],
  directory: Stack,
  visit: (name: ByteString, stack: Stack) => void,
): void {
  if (directory.length === 1) {
    listAlone(lowers, directory[0]!, visit)
    return
  }
  const names = new Map<ByteString, Merging>()
  for (const { lower, inode: parent } of directory) {
    const tree = lowers[lower]!
    tree.list(parent, (name, inode) => {
      const merging = names.get(name)
      if (merging === undefined) names.set(name, begin(tree, lower, inode))
      else if (!merging.closed) proceed(merging, tree, lower, inode)
    })
  }
  for (const name of [...names.keys()].sort()) {
    const { members } = names.get(name)!
    if (members.length > 0) visit(name, members)
  }
}

function listAlone(
  lowers: readonly Tree[],
  { lower, inode: parent }: Member,
  visit: (name: ByteString, stack: Stack) => void,
): void {
  const tree = lowers[lower]!
  tree.list(parent, (name, inode) => {
    if (inode === WHITEOUT) return
    const member = { lower, inode }
    visit(name, (isDirectoryMode(tree.mode(inode)) && ownStack(tree, member)) || [member])
  })
}

function begin(tree: Tree, lower: number, inode: number): Merging {
  if (inode === WHITEOUT) return { members: [], closed: true }
  const own = isDirectoryMode(tree.mode(inode)) ? ownStack(tree, { lower, inode }) : undefined
  if (own !== undefined) return { members: [...own], closed: true }
  return { members: [{ lower, inode }], closed: !isDirectoryMode(tree.mode(inode)) || tree.opaque(inode) }
}

function proceed(merging: Merging, tree: Tree, lower: number, inode: number): void {
  if (inode === WHITEOUT || !isDirectoryMode(tree.mode(inode))) {
    merging.closed = true
    return
  }
  merging.members.push({ lower, inode })
  merging.closed = tree.opaque(inode)
}
