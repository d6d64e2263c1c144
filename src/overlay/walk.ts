/**
 * Every entry of a view, one by one, with its content on demand. In stored order the contents of a layer are read in big pieces of
 * its tar, each byte once, while the consumer works on what came before.
 */
import { type ByteString, toText } from '../byte-string.js'
import { readAll } from './content.js'
import type { Dentry } from './dentry.js'
import { globMatcher } from './glob.js'
import { S_IFMT, S_IFREG } from './mode.js'
import { itemsPerLook } from './pace.js'
import { storedContents } from './stored-order.js'
import type { Union } from './union.js'
import { type ViewEntry, viewEntry } from './view-entry.js'

export interface WalkOptions {
  /** Which paths: absolute ones are tested. A glob is taken from the root, and its wildcards match dot files. */
  readonly match?: string | RegExp | ((path: string) => boolean)
  /**
   * `path` (default): parents before children, children in byte order, entries of every type.
   * `stored`: regular files alone, as they lie in their layers, base first. The fast way to read all contents.
   */
  readonly order?: 'path' | 'stored'
}

export interface WalkEntry extends ViewEntry {
  /** The content of a regular file. In stored order it is read once for all its hard links, which come one after the other. */
  content(): Promise<Buffer>
}

export async function* walk(
  union: Union,
  { match, order = 'path' }: WalkOptions = {},
): AsyncGenerator<WalkEntry, void, void> {
  union.assertOpen()
  const { pace } = union
  const named = names(union, testOf(match))
  let visited = 0
  if (order === 'path') {
    for (const name of named) {
      if (name !== undefined) yield entryOf(union, name, () => readAll(union, name.dentry, 0))
      if (++visited % itemsPerLook === 0 && pace.due()) await pace.turn()
    }
    return
  }
  const files = new Map<Dentry, ByteString>()
  for (const name of named) {
    if (name !== undefined && (name.dentry.mode & S_IFMT) === S_IFREG) files.set(name.dentry, name.path)
    if (++visited % itemsPerLook === 0 && pace.due()) await pace.turn()
  }
  const contents = storedContents(union, [...files.keys()])
  try {
    for (const dentry of contents.order) {
      yield entryOf(union, { dentry, path: files.get(dentry)! }, contents.next(dentry))
      if (++visited % itemsPerLook === 0 && pace.due()) await pace.turn()
    }
  } finally {
    contents.end()
  }
}

interface Named {
  readonly dentry: Dentry
  readonly path: ByteString
}

function entryOf(union: Union, { dentry, path }: Named, content: () => Promise<Buffer>): WalkEntry {
  return Object.assign(viewEntry(union, dentry, path), { content })
}

/** Every name, parents first; undefined for one that does not match: a place to pause. */
function* names(union: Union, matches: (path: string) => boolean): Generator<Named | undefined, void, void> {
  const { tree } = union
  const stack: Named[] = [{ dentry: tree.root, path: '/' as ByteString }]
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    yield matches(toText(next.path)) ? next : undefined
    const { dentry, path } = next
    if (dentry.directory === undefined) continue
    const prefix = path === '/' ? '/' : `${path}/`
    const first = stack.length
    for (const child of tree.children(dentry)) stack.push({ dentry: child, path: (prefix + child.name) as ByteString })
    reverse(stack, first)
  }
}

/** Turns the end of a list round, from an index on: children come off the stack in their order. */
function reverse(stack: Named[], first: number): void {
  for (let low = first, high = stack.length - 1; low < high; low++, high--) {
    const item = stack[low]!
    stack[low] = stack[high]!
    stack[high] = item
  }
}

function testOf(match: WalkOptions['match']): (path: string) => boolean {
  if (match === undefined) return () => true
  if (typeof match === 'function') return match
  if (typeof match === 'string') return globMatcher(match)
  // A regular expression with the flag g or y remembers where it stopped
  return path => {
    match.lastIndex = 0
    return match.test(path)
  }
}
