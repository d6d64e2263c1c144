/**
 * What a container has changed: A (added), C (changed) and D (deleted), parents before children, in byte order (facts: R-DF).
 *
 * - `docker`: as `docker diff` prints it: a directory in which something changed is listed as C before it.
 * - `minimal`: every change once; directories only for their own mode, owner or xattrs.
 *
 * Computed while it is asked for; what is held is one directory's names at each depth. The root is never listed.
 */
import { type ByteString, toText } from '../../byte-string.js'
import type { Union } from '../union/union.js'
import { differs } from './differs.js'
import { type ContainerTrees, isDirectory, type Pair, pairsIn, rootPair } from './pairs.js'

export type ChangeKind = 'A' | 'C' | 'D'

export interface ContainerChange {
  readonly kind: ChangeKind
  /** Absolute. */
  readonly path: string
  readonly pathBytes: ByteString
}

export interface ChangesOptions {
  /** Default `docker`. */
  readonly style?: 'docker' | 'minimal'
}

interface Open {
  readonly path: ByteString
  readonly pairs: Iterator<Pair>
  /** It is in the list, or must not be. */
  listed: boolean
}

/** Of a union with an upper; one without has changed nothing. */
export function* changes(
  union: Union,
  { style = 'docker' }: ChangesOptions = {},
): Generator<ContainerChange, void, void> {
  const { upper, trees } = union
  if (upper === undefined) return
  union.assertOpen()
  const container: ContainerTrees = { trees, node: id => upper.node(id) }
  const open: Open[] = [opened(container, rootPair(container), '' as ByteString, true)]
  for (let directory = open.at(-1); directory !== undefined; directory = open.at(-1)) {
    const next = directory.pairs.next()
    if (next.done) {
      open.pop()
      continue
    }
    const pair = next.value
    const path = `${directory.path}/${pair.name}` as ByteString
    const kind = kindOf(container, pair, style)
    if (kind !== undefined) {
      if (style === 'docker') yield* parentsOf(open)
      yield change(kind, path)
    }
    if (isDirectory(container, pair.view)) open.push(opened(container, pair, path, kind !== undefined))
  }
}

function opened(container: ContainerTrees, pair: Pair, path: ByteString, listed: boolean): Open {
  return { path, pairs: atOnce(pairsIn(container, pair)).values(), listed }
}

/** What a generator returns in the end. */
function atOnce<T>(work: Generator<undefined, T, void>): T {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}

function kindOf(container: ContainerTrees, pair: Pair, style: 'docker' | 'minimal'): ChangeKind | undefined {
  if (pair.view.length === 0) return 'D'
  if (pair.base.length === 0) return 'A'
  return differs(container, pair, style) ? 'C' : undefined
}

/** Directories on the way that are not in the list yet. */
function* parentsOf(open: readonly Open[]): Generator<ContainerChange, void, void> {
  for (const directory of open) {
    if (directory.listed) continue
    directory.listed = true
    yield change('C', directory.path)
  }
}

function change(kind: ChangeKind, pathBytes: ByteString): ContainerChange {
  return { kind, path: toText(pathBytes), pathBytes }
}
