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
import { StoredContents, type StoredFile, storedFile } from './stored-order.js'
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
  const files: StoredFile[][] = union.lowers.map(() => [])
  for (const name of named) {
    if (name !== undefined && (name.dentry.mode & S_IFMT) === S_IFREG)
      files[name.dentry.lower]!.push(storedFile(union, name.dentry))
    if (++visited % itemsPerLook === 0 && pace.due()) await pace.turn()
  }
  const contents = await StoredContents.of(union, files)
  const pathOf = pathsOf(union)
  try {
    for (const file of contents.order) {
      const { dentry } = file
      yield entryOf(union, { dentry, path: pathOf(dentry) }, contents.next(file))
      if (++visited % itemsPerLook === 0 && pace.due()) await pace.turn()
    }
  } finally {
    contents.end()
  }
}

/** Paths of files, one after the other: neighbours in a tar are mostly of one directory. */
function pathsOf({ tree }: Union): (file: Dentry) => ByteString {
  let directory: Dentry | undefined
  let prefix = ''
  return ({ name, parent }) => {
    if (parent !== directory) prefix = parent.parent === parent ? '/' : `${tree.pathOf(parent)}/`
    directory = parent
    return (prefix + name) as ByteString
  }
}

interface Named {
  readonly dentry: Dentry
  readonly path: ByteString
}

function entryOf(union: Union, { dentry, path }: Named, content: () => Promise<Buffer>): WalkEntry {
  const entry: ViewEntry & { content?: () => Promise<Buffer> } = viewEntry(union, dentry, path)
  entry.content = content
  return entry as WalkEntry
}

/** Every name, parents first; undefined for one that does not match: a place to pause. */
function* names(
  union: Union,
  matches: ((path: string) => boolean) | undefined,
): Generator<Named | undefined, void, void> {
  const { tree } = union
  const stack: Named[] = [{ dentry: tree.root, path: '/' as ByteString }]
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    yield matches === undefined || matches(toText(next.path)) ? next : undefined
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

function testOf(match: WalkOptions['match']): ((path: string) => boolean) | undefined {
  if (match === undefined) return undefined
  if (typeof match === 'function') return match
  if (typeof match === 'string') return globMatcher(match)
  // A regular expression with the flag g or y remembers where it stopped
  return path => {
    match.lastIndex = 0
    return match.test(path)
  }
}
