/**
 * Every entry of a view, one by one, with its content on demand. In stored order the contents of a layer are read in big pieces of
 * its tar, each byte once, while the consumer works on what came before.
 */
import { toText } from '../byte-string.js'
import { readAll } from './content.js'
import type { Dentry } from './dentry.js'
import { globMatcher } from './glob.js'
import { S_IFMT, S_IFREG } from './mode.js'
import { itemsPerLook } from './pace.js'
import { type Contents, storedContents } from './stored-order.js'
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
  const matches = testOf(match)
  if (order === 'path') {
    for await (const dentry of dentries(union, matches)) yield entryOf(union, dentry, () => readAll(union, dentry, 0))
    return
  }
  const files: Dentry[] = []
  for await (const dentry of dentries(union, matches)) if ((dentry.mode & S_IFMT) === S_IFREG) files.push(dentry)
  const contents: Contents = storedContents(union, files)
  try {
    for (const dentry of contents.order) yield entryOf(union, dentry, contents.next(dentry))
  } finally {
    contents.end()
  }
}

function entryOf(union: Union, dentry: Dentry, content: () => Promise<Buffer>): WalkEntry {
  return { ...viewEntry(union, dentry), content }
}

async function* dentries(union: Union, matches: (path: string) => boolean): AsyncGenerator<Dentry, void, void> {
  const { tree, pace } = union
  const stack: Dentry[] = [tree.root]
  let visited = 0
  for (let dentry = stack.pop(); dentry !== undefined; dentry = stack.pop()) {
    if (matches(toText(tree.pathOf(dentry)))) yield dentry
    if (++visited % itemsPerLook === 0 && pace.due()) await pace.turn()
    if (dentry.directory === undefined) continue
    const children = [...tree.children(dentry)]
    for (let at = children.length - 1; at >= 0; at--) stack.push(children[at]!)
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
