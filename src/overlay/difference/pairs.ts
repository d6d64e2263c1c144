/**
 * Where a container may show something else than the layers below it: names with what they stand for in the one (`view`) and
 * in the other (`base`).
 *
 * Invariants:
 * - What is left out is the same object, with the same names below it. Nothing is expanded before somebody asks for it.
 * - `base` is looked up in the merged layers, so that a whiteout or opaque directory in the middle counts (R-DF-2).
 */
import type { ByteString } from '../../byte-string.js'
import type { Metadata } from '../../drivers/layer.js'
import type { UpperOrigin } from '../../drivers/upper.js'
import { lookup, rootStack, type Stack } from '../union/lookup.js'
import { merge } from '../union/merge.js'
import { isDirectoryMode } from '../union/mode.js'
import { itemsPerLook } from '../union/pace.js'

/** A container's trees, top first: the upper, then the layers below it. */
export interface ContainerTrees {
  readonly trees: readonly Metadata[]
  /** Of the upper. */
  node(id: number): UpperOrigin
}

export interface Pair {
  readonly name: ByteString
  /** What the container has under the name; empty: nothing. */
  readonly view: Stack
  /** What the layers below have under it. */
  readonly base: Stack
}

/** The roots of both. */
export function rootPair({ trees }: ContainerTrees): Pair {
  const view = rootStack(trees)
  return { name: '' as ByteString, view, base: view.slice(1) }
}

export function isDirectory({ trees }: ContainerTrees, stack: Stack): boolean {
  const top = stack[0]
  return top !== undefined && isDirectoryMode(trees[top.lower]!.mode(top.inode))
}

/** What a directory of the container merges with, itself left out if it is in the upper. */
export function belowOf(view: Stack): Stack {
  return view[0]?.lower === 0 ? view.slice(1) : view
}

export function sameStack(one: Stack, other: Stack): boolean {
  return (
    one.length === other.length &&
    one.every(({ lower, inode }, at) => lower === other[at]!.lower && inode === other[at]!.inode)
  )
}

/**
 * The names in a directory of the container under which something may have changed, in byte order. Yields now and then, so that
 * whoever works for long can give others their turn.
 */
export function* pairsIn(container: ContainerTrees, { view, base }: Pair): Generator<undefined, Pair[], void> {
  const { trees } = container
  const under = isDirectory(container, base) ? base : []
  const pairs = sameStack(belowOf(view), under) ? yield* touched(container, view, under) : all(trees, view, under)
  return pairs.filter(pair => !sameStack(pair.view, pair.base))
}

/** So many single look-ups, in all layers together, cost more than to go through the whole directory once. */
const manyLookups = 100_000

/** Only what the upper has names for: all else is what it was. */
function* touched(container: ContainerTrees, view: Stack, under: Stack): Generator<undefined, Pair[], void> {
  const { trees } = container
  const pairs: Pair[] = []
  const { lower, inode } = view[0]!
  if (lower !== 0) return pairs
  const names: ByteString[] = []
  trees[0]!.list(inode, name => names.push(name))
  const below = names.length * under.length > manyLookups ? merged(trees, under) : undefined
  for (const name of names) {
    const now = lookup(trees, view, name)
    const base = below === undefined ? baseOf(container, under, name, now) : (below.get(name) ?? [])
    pairs.push({ name, view: now, base })
    if (pairs.length % itemsPerLook === 0) yield
  }
  return pairs
}

/**
 * What is under a name in the merged layers. A file that still has the name that it was copied up from was found there then, and
 * layers don't change: so one layer has to be asked, not all. It is that name, for what has an origin has one name there.
 */
function baseOf(container: ContainerTrees, under: Stack, name: ByteString, now: Stack): Stack {
  const { trees } = container
  const top = now[0]
  if (top?.lower === 0 && !isDirectory(container, now)) {
    const { origin } = container.node(top.inode)
    const parent = origin && under.find(({ lower }) => lower === origin.lower)
    if (parent && trees[parent.lower]!.lookup(parent.inode, name) === origin.inode) return [origin]
  }
  return lookup(trees, under, name)
}

function merged(trees: readonly Metadata[], under: Stack): Map<ByteString, Stack> {
  const names = new Map<ByteString, Stack>()
  merge(trees, under, (name, stack) => names.set(name, stack))
  return names
}

/** A directory that was made anew, or renamed: whatever it shows, and whatever was there. */
function all(trees: readonly Metadata[], view: Stack, under: Stack): Pair[] {
  const pairs = new Map<ByteString, Pair>()
  merge(trees, view, (name, stack) => pairs.set(name, { name, view: stack, base: [] }))
  if (under.length === 0) return [...pairs.values()]
  merge(trees, under, (name, stack) => {
    pairs.set(name, { name, view: pairs.get(name)?.view ?? [], base: stack })
  })
  return [...pairs.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}
