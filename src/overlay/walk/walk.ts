/**
 * Every entry of a view, one by one, with its content on demand. In stored order the contents of a layer are read in big pieces of
 * its tar, each byte once, while the consumer works on what came before.
 */
import { type ByteString, toText } from '../../byte-string.js'
import { readAll } from '../union/content.js'
import type { Dentry } from '../union/dentry.js'
import { itemsPerLook } from '../union/pace.js'
import type { Union } from '../union/union.js'
import { globMatcher } from './glob.js'
import { StoredContents } from './stored-contents.js'
import { StoredFiles } from './stored-files.js'
import { viewEntry, type WalkEntry, withContent } from './view-entry.js'

export interface WalkOptions {
  /** Which paths: absolute ones are tested. A glob is taken from the root, and its wildcards match dot files. */
  readonly match?: string | RegExp | ((path: string) => boolean)
  /**
   * `path` (default): parents before children, children in byte order, entries of every type.
   * `stored`: regular files alone, of an image as they lie in their layers, base first. The fast way to read all contents.
   */
  readonly order?: 'path' | 'stored'
}

export type { WalkEntry }

type Match = WalkOptions['match']

export function walk(union: Union, { match, order = 'path' }: WalkOptions = {}): AsyncGenerator<WalkEntry, void, void> {
  if (order === 'path') return pathWalk(union, match)
  return union.upper === undefined ? storedWalk(union, match) : filesOf(pathWalk(union, match))
}

async function* pathWalk(union: Union, match: Match): AsyncGenerator<WalkEntry, void, void> {
  union.assertOpen()
  const { pace } = union
  let visited = 0
  for (const name of names(union, testOf(match))) {
    if (name !== undefined) {
      const { dentry, path } = name
      yield withContent(viewEntry(union, dentry, path), () => readAll(union, dentry, 0))
    }
    if (++visited % itemsPerLook === 0 && pace.due()) await pace.turn()
  }
}

/** Of a container: its own contents lie in no order that is worth keeping to. */
async function* filesOf(entries: AsyncGenerator<WalkEntry, void, void>): AsyncGenerator<WalkEntry, void, void> {
  for await (const entry of entries) if (entry.type === 'file') yield entry
}

async function* storedWalk(union: Union, match: Match): AsyncGenerator<WalkEntry, void, void> {
  union.assertOpen()
  const { pace } = union
  const layers = await StoredFiles.of(union, testOf(match))
  const contents = await StoredContents.of(union, layers)
  let visited = 0
  try {
    for (const files of layers) {
      let prefix: ByteString | undefined
      let folder = ''
      for (let at = 0; at < files.length; at++) {
        const name = files.name(at)
        // Neighbours are mostly of one directory
        if (files.prefix(at) !== prefix) folder = toText((prefix = files.prefix(at)))
        const file = files.file(at)
        const entry = viewEntry(union, file, (prefix + name) as ByteString, folder + toText(name))
        yield withContent(entry, contents.next(file))
        if (++visited % itemsPerLook === 0 && pace.due()) await pace.turn()
      }
    }
  } finally {
    contents.end()
  }
}

interface Named {
  readonly dentry: Dentry
  readonly path: ByteString
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

function testOf(match: Match): ((path: string) => boolean) | undefined {
  if (match === undefined) return undefined
  if (typeof match === 'function') return match
  if (typeof match === 'string') return globMatcher(match)
  // A regular expression with the flag g or y remembers where it stopped
  return path => {
    match.lastIndex = 0
    return match.test(path)
  }
}
