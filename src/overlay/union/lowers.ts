/** What lies below an upper, as the union merges it: for uppers that have to know. */
import type { Layer, Tree } from '../../drivers/layer.js'
import type { Lowers } from '../../drivers/upper.js'
import { lookup, lowersOf, rootStack } from './lookup.js'

/** `layers` base first, as in an image. */
export function lowersBelow(layers: readonly Layer[]): Lowers {
  // The upper itself is number 0: it is in no stack that is looked up here
  const trees: Tree[] = []
  for (const [at, layer] of lowersOf(layers).entries()) trees[at + 1] = layer
  return {
    root: rootStack(layers).map(({ inode }, at) => ({ lower: at + 1, inode })),
    lookup: (directory, name) => lookup(trees, directory, name),
    tree: lower => trees[lower]!,
  }
}
