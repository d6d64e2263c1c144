/**
 * One name through a stack of layers: rule R-LK-1, as a pure function.
 *
 * A writable upper goes on top of the lowers as one more tree. All that is special about it: its directories say themselves what
 * they merge with, since one that was renamed goes on merging with what it merged with before.
 */
import type { ByteString } from '../../byte-string.js'
import { ABSENT, type Member, type Stack, WHITEOUT, type Tree as WholeTree } from '../../drivers/layer.js'
import { isDirectoryMode } from './mode.js'

export type { Member, Stack }

/** The part of a tree that decides what is visible. */
export type Tree = Pick<WholeTree, 'lookup' | 'list' | 'mode' | 'opaque' | 'merges'>

/** From an image's layers (base first) to a view's lowers (top first): the one place where the order turns round. */
export function lowersOf<L>(layers: readonly L[]): L[] {
  return [...layers].reverse()
}

/** The union's root: the roots of all trees, whatever opaque marks they bear (R-LK-3). */
export function rootStack(lowers: readonly Tree[]): Stack {
  return lowers.map((_, lower) => ({ lower, inode: 0 }))
}

/** The stack of a directory that says itself what it merges with. */
export function ownStack(tree: Tree, member: Member): Stack | undefined {
  const below = tree.merges?.(member.inode)
  return below && [member, ...below]
}

/** The stack of `name` in a directory's stack; empty if the name does not exist. */
export function lookup(lowers: readonly Tree[], directory: Stack, name: ByteString): Stack {
  const found: Member[] = []
  for (const { lower, inode: parent } of directory) {
    const tree = lowers[lower]!
    const inode = tree.lookup(parent, name)
    if (inode === ABSENT) continue
    if (inode === WHITEOUT) break
    const directoryHere = isDirectoryMode(tree.mode(inode))
    if (!directoryHere && found.length > 0) break
    const own = directoryHere ? ownStack(tree, { lower, inode }) : undefined
    if (own !== undefined) return own
    found.push({ lower, inode })
    if (!directoryHere || tree.opaque(inode)) break
  }
  return found
}
