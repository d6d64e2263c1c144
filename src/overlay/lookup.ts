/**
 * One name through a stack of layers: rule R-LK-1, as a pure function.
 *
 * A stack is what makes up one visible object, top first: one member for what is not a directory, one or more for a
 * directory. Attributes are the first member's; the others contribute names. A writable upper goes on top of the lowers as one
 * more tree; nothing here knows the difference.
 */
import type { ByteString } from '../byte-string.js'
import { ABSENT, type Layer, WHITEOUT } from '../drivers/layer.js'
import { isDirectoryMode } from './mode.js'

/** The part of a layer that decides what is visible. */
export type Tree = Pick<Layer, 'lookup' | 'list' | 'mode' | 'opaque'>

export interface Member {
  /** Index into the lowers of the view, 0 is the topmost. */
  readonly lower: number
  /** The layer's own inode number. */
  readonly inode: number
}

export type Stack = readonly Member[]

/** From an image's layers (base first) to a view's lowers (top first): the one place where the order turns round. */
export function lowersOf<L>(layers: readonly L[]): L[] {
  return [...layers].reverse()
}

/** The union's root: the roots of all layers, whatever opaque marks they bear (R-LK-3). */
export function rootStack(lowers: readonly Tree[]): Stack {
  return lowers.map((_, lower) => ({ lower, inode: 0 }))
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
    found.push({ lower, inode })
    if (!directoryHere || tree.opaque(inode)) break
  }
  return found
}
