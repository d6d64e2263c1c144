/** What a parity test compares: results and errors, brought to a form in which a directory of the host and a view can be equal. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { Plain } from './plain-tree.js'

export const parityTree: Record<string, Plain> = {
  file: 'some content\nsecond line\n',
  empty: '',
  näme: 'ünïcode',
  twin: { same: '/file' },
  link: { link: 'file' },
  dangling: { link: 'nowhere' },
  loop: { link: 'loop' },
  dirlink: { link: 'dir/sub' },
  dir: { in: { a: 'A', b: 'B', up: { link: '../file' }, sub: { in: { deep: 'D', 'x y': '' } }, none: { in: {} } } },
}

const unlike: ReadonlySet<string> = new Set([
  'dev',
  'ino',
  'atime',
  'atimeMs',
  'atimeNs',
  'ctime',
  'ctimeMs',
  'ctimeNs',
  'birthtime',
  'birthtimeMs',
  'birthtimeNs',
  'blocks',
])
const unlikeOfDirectories = new Set(['size'])

export function comparable(value: unknown, prefix: string): unknown {
  if (typeof value === 'string') return value.replaceAll(prefix, '') || (value === '' ? '' : '/')
  if (Buffer.isBuffer(value))
    return { bytes: value.toString('latin1').replaceAll(prefix, '') || (value.length > 0 ? '/' : '') }
  if (Array.isArray(value)) return value.map(item => comparable(item, prefix)).sort(byText)
  if (value instanceof fs.Dirent) {
    const types = [
      'isFile',
      'isDirectory',
      'isSymbolicLink',
      'isFIFO',
      'isSocket',
      'isBlockDevice',
      'isCharacterDevice',
    ] as const
    const fields = Object.entries(value).map(([key, field]) => [key, comparable(field, prefix)])
    return { ...Object.fromEntries(fields), types: types.filter(type => value[type]()) }
  }
  if (value !== null && typeof value === 'object' && 'nlink' in value) return statsFields(value as fs.Stats)
  return value
}

function statsFields(stats: fs.Stats): unknown {
  const keys = Object.keys(stats)
  const directory = stats.isDirectory()
  const values = keys.filter(key => !unlike.has(key) && !(directory && unlikeOfDirectories.has(key)))
  return {
    keys,
    json: Object.keys(JSON.parse(JSON.stringify(stats, (_, v) => (typeof v === 'bigint' ? `${v}` : v)))),
    prototype: Object.getPrototypeOf(stats) === fs.Stats.prototype,
    name: stats.constructor.name,
    mtime: stats.mtime.getTime(),
    kinds: [stats.isFile(), directory, stats.isSymbolicLink(), stats.isFIFO(), stats.isSocket()],
    fields: values.map(key => [key, stats[key as keyof fs.Stats]]),
  }
}

function byText(a: unknown, b: unknown): number {
  const [x, y] = [a, b].map(item => JSON.stringify(item, (_, v) => (typeof v === 'bigint' ? `${v}` : v))) as [
    string,
    string,
  ]
  return x < y ? -1 : x > y ? 1 : 0
}

export function failure(error: unknown, prefix: string): unknown {
  assert.ok(error instanceof Error)
  const { code, errno, syscall, path, dest } = error as NodeJS.ErrnoException & { dest?: string }
  // The newest Node adds the path to this one, and its readlink calls the path by two names
  if (code === 'EISDIR' && syscall === 'read') return { name: error.name, code, errno, syscall }
  const plain = (text: string | undefined) =>
    text === undefined ? undefined : text.replaceAll(prefix, '').replace('oldPath', 'path')
  return { name: error.name, code, errno, syscall, path: plain(path), dest: plain(dest), message: plain(error.message) }
}

export type Fs = typeof fs
export type Outcome = { value: unknown } | { failure: unknown }

export async function outcome(prefix: string, run: () => unknown): Promise<Outcome> {
  try {
    return { value: comparable(await run(), prefix) }
  } catch (error) {
    return { failure: failure(error, prefix) }
  }
}

/** A call, with `at(path)` for every path. */
export type Operation = readonly [name: string, ...args: unknown[]]
export const at = (path: string) => ({ path })

/** Every path as it is meant for one of the two sides: below the directory, or the view's own. */
export function argumentsFor(prefix: string, args: readonly unknown[]): unknown[] {
  return args.map(arg => {
    if (typeof arg !== 'object' || arg === null || !('path' in arg)) return arg
    const { path, as } = arg as { path: string; as?: string }
    const full = path === '' ? '' : `${prefix}${path}`
    return as === 'buffer' ? Buffer.from(full) : as === 'url' ? pathToFileURL(full) : full
  })
}

export const forms: Readonly<Record<string, (side: Fs, name: string, args: unknown[]) => unknown>> = {
  sync: (side, name, args) => (side[`${name}Sync` as keyof Fs] as (...args: unknown[]) => unknown)(...args),
  callback: (side, name, args) =>
    new Promise((resolve, reject) => {
      const done = (error: unknown, result: unknown) => (error ? reject(error) : resolve(result))
      ;(side[name as keyof Fs] as (...args: unknown[]) => void)(...args, done)
    }),
  promise: (side, name, args) =>
    (side.promises as unknown as Record<string, (...args: unknown[]) => unknown>)[name]!(...args),
}
