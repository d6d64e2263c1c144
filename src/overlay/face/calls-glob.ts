/** fs.glob, where the running Node has it. Patterns are matched without following links; names with a leading dot need one. */
import fs from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ByteString, fromText, toText } from '../../byte-string.js'
import { checkedByNode } from '../union/arguments.js'
import type { Dentry } from '../union/dentry.js'
import { itemsPerLook } from '../union/pace.js'
import type { Union } from '../union/union.js'
import { globMatcher, literalPrefix, type Matcher } from '../walk/glob.js'
import { direntOf } from './dirent.js'
import type { Calls, Implementation } from './forms.js'

interface GlobOptions {
  readonly cwd?: string | URL
  readonly withFileTypes?: boolean
  readonly exclude?: ((item: string | fs.Dirent) => boolean) | readonly string[]
}

type Found = string | fs.Dirent

/** Undefined stands for a name that was visited and did not match: a place to pause. */
type Steps = Generator<Found | undefined, void, void>

function* globSteps(union: Union, given: unknown, options: GlobOptions): Steps {
  const seen = new Set<string>()
  for (const pattern of patternsOf(given)) {
    const matcher = globMatcher(pattern, { dot: false })
    const directoriesOnly = pattern.endsWith('/')
    for (const { path, dentry } of candidates(union, pattern, options)) {
      const found = matcher(path) && !seen.has(path) && (!directoriesOnly || dentry.directory !== undefined)
      if (found) seen.add(path)
      yield found ? resultOf(path, dentry, options) : undefined
    }
  }
}

function patternsOf(given: unknown): string[] {
  const patterns = Array.isArray(given) ? given : [given]
  for (const pattern of patterns) {
    // Node names the argument as it names paths
    if (typeof pattern !== 'string') fs.accessSync(Symbol('pattern') as never)
  }
  return patterns.map(pattern => posix.normalize(pattern as string))
}

interface Candidate {
  readonly path: string
  readonly dentry: Dentry
}

/** Everything below the literal part of a pattern, that part included, without what is excluded. */
function* candidates(union: Union, pattern: string, options: GlobOptions): Generator<Candidate, void, void> {
  const { cwd = '' } = options
  const base = typeof cwd === 'string' ? cwd : fileURLToPath(cwd, { windows: false })
  const prefix = literalPrefix(pattern)
  const absolute = pattern.startsWith('/')
  const start = (absolute ? prefix || '/' : [base, prefix].filter(part => part !== '').join('/')) || '.'
  const top = union.lookup({ text: start, bytes: fromText(start), exact: true }, true)
  if (typeof top === 'string') return
  const excluded = excluder(options)
  const stack: Candidate[] = [{ path: prefix || (absolute ? '/' : '.'), dentry: top }]
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    yield next
    if (next.dentry.directory === undefined) continue
    const below: Candidate[] = []
    for (const dentry of union.tree.children(next.dentry)) {
      const path = childPath(next.path, dentry.name)
      if (!excluded(path, dentry)) below.push({ path, dentry })
    }
    for (const child of below.reverse()) stack.push(child)
  }
}

function childPath(parent: string, name: ByteString): string {
  if (parent === '.') return toText(name)
  return `${parent === '/' ? '' : parent}/${toText(name)}`
}

function excluder({ exclude, withFileTypes }: GlobOptions): (path: string, dentry: Dentry) => boolean {
  if (typeof exclude === 'function') {
    return (path, dentry) =>
      exclude(withFileTypes ? direntOf(dentry, posix.dirname(path), 'utf8') : toText(dentry.name))
  }
  const matchers: Matcher[] = (exclude ?? []).map(pattern => globMatcher(posix.normalize(pattern), { dot: false }))
  return path => matchers.some(matcher => matcher(path))
}

function resultOf(path: string, dentry: Dentry, { withFileTypes }: GlobOptions): Found {
  return withFileTypes ? direntOf(dentry, posix.dirname(path), 'utf8') : path
}

function optionsOf(options: unknown): GlobOptions {
  if (typeof options === 'object' && options !== null) return { ...options }
  if (options !== undefined && typeof options !== 'function') checkedByNode(() => fs.readlinkSync('', options as never))
  return {}
}

function globSync(union: Union): Implementation {
  return (pattern, options) => [...globSteps(union, pattern, optionsOf(options))].filter(item => item !== undefined)
}

export function globPromise(union: Union): (pattern: unknown, options?: unknown) => AsyncGenerator<Found, void, void> {
  return async function* (pattern, options) {
    let visited = 0
    for (const item of globSteps(union, pattern, optionsOf(options))) {
      if (item !== undefined) yield item
      if (++visited % itemsPerLook === 0 && union.pace.due()) await union.pace.turn()
    }
  }
}

async function collected(items: AsyncIterable<Found>): Promise<Found[]> {
  const all: Found[] = []
  for await (const item of items) all.push(item)
  return all
}

export function globCalls(union: Union): Calls {
  const glob = globPromise(union)
  return { glob: { sync: globSync(union), later: (pattern, options) => collected(glob(pattern, options)) } }
}
