/**
 * The same calls through node:fs on a plain directory and on a view that holds the same tree, in every form: results, errors
 * (code, errno, syscall, path, message) and Stats fields are equal, but for the rules of `names.ts`.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { createView } from '../../src/overlay/view.js'
import { type Plain, plainDirectory, plainLayer } from '../build/plain-tree.js'

const tree: Record<string, Plain> = {
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

const root = plainDirectory(tree)
after(() => fs.rmSync(root, { recursive: true, force: true }))
const view = createView([plainLayer(tree, root)])

const at = (path: string) => ({ path })
type Argument = unknown
type Operation = readonly [name: string, ...args: Argument[]]

/** Every path as it is meant for one of the two sides: below the directory, or the view's own. */
function argumentsFor(prefix: string, args: readonly Argument[]): unknown[] {
  return args.map(arg => {
    if (typeof arg !== 'object' || arg === null || !('path' in arg)) return arg
    const { path, as } = arg as { path: string; as?: string }
    const full = path === '' ? '' : `${prefix}${path}`
    return as === 'buffer' ? Buffer.from(full) : as === 'url' ? pathToFileURL(full) : full
  })
}

const unlike = new Set([
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

function comparable(value: unknown, prefix: string): unknown {
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

function failure(error: unknown, prefix: string): unknown {
  assert.ok(error instanceof Error)
  const { code, errno, syscall, path, dest } = error as NodeJS.ErrnoException & { dest?: string }
  const plain = (text: string | undefined) => (text === undefined ? undefined : text.replaceAll(prefix, ''))
  return { name: error.name, code, errno, syscall, path: plain(path), dest: plain(dest), message: plain(error.message) }
}

type Fs = typeof fs
type Outcome = { value: unknown } | { failure: unknown }

async function outcome(prefix: string, run: () => unknown): Promise<Outcome> {
  try {
    return { value: comparable(await run(), prefix) }
  } catch (error) {
    return { failure: failure(error, prefix) }
  }
}

const forms: Record<string, (side: Fs, name: string, args: unknown[]) => unknown> = {
  sync: (side, name, args) => (side[`${name}Sync` as keyof Fs] as (...args: unknown[]) => unknown)(...args),
  callback: (side, name, args) =>
    new Promise((resolve, reject) => {
      const done = (error: unknown, result: unknown) => (error ? reject(error) : resolve(result))
      ;(side[name as keyof Fs] as (...args: unknown[]) => void)(...args, done)
    }),
  promise: (side, name, args) =>
    (side.promises as unknown as Record<string, (...args: unknown[]) => unknown>)[name]!(...args),
}

const places = [
  '/file',
  '/empty',
  '/näme',
  '/twin',
  '/link',
  '/dangling',
  '/loop',
  '/dirlink',
  '/dir',
  '/dir/',
  '/file/',
  '/link/',
  '/dirlink/',
  '/dir/sub/deep',
  '/dir/../file',
  '/dir/up',
  '/file/x',
  '/nope',
  '/nope/x',
  '/dir/.',
  '/',
  '',
  '/dangling/',
  '/loop/x',
  `/${'n'.repeat(256)}`,
  '/dir/none',
].map(at)

const operations: Operation[] = [
  ...places.flatMap((place): Operation[] => [
    ['stat', place],
    ['stat', place, { bigint: true }],
    ['lstat', place],
    ['lstat', place, { bigint: true }],
    ['readdir', place],
    ['readlink', place],
    ['realpath', place],
    ['readFile', place],
    ['readFile', place, 'utf8'],
    ['access', place],
    ['access', place, fs.constants.R_OK],
  ]),
  ['readdir', at('/dir'), { withFileTypes: true }],
  ['readdir', at('/dir/'), { withFileTypes: true }],
  ['readdir', at('/dir'), 'buffer'],
  ['readdir', at('/'), { encoding: 'hex' }],
  ['readdir', at('/'), { encoding: 'latin1' }],
  ['readdir', at('/dir'), { recursive: true }],
  ['readdir', at('/dir'), { recursive: true, withFileTypes: true }],
  ['readdir', at('/dir'), { withFileTypes: true, encoding: 'buffer' }],
  ['readdir', at('/dir'), { recursive: 1 }],
  ['readlink', at('/link'), 'buffer'],
  ['readlink', at('/link'), { encoding: 'base64' }],
  ['realpath', at('/dir/up'), 'buffer'],
  ['readFile', at('/file'), { encoding: 'base64' }],
  ['readFile', at('/file'), { encoding: 'buffer' }],
  ['readFile', at('/file'), { flag: 'zz' }],
  ['readFile', at('/file'), { flag: fs.constants.O_RDONLY | fs.constants.O_DIRECTORY }],
  ['readFile', at('/link'), { flag: fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW }],
  ['readFile', at('/dirlink'), { flag: fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_DIRECTORY }],
  ['stat', { path: '/file', as: 'buffer' }],
  ['stat', { path: '/nope', as: 'buffer' }],
  ['stat', { path: '/n%C3%A4me', as: 'url' }],
  ['readFile', { path: '/file', as: 'url' }, 'utf8'],
  // Misuse: the words are Node's
  ...(
    ['stat', 'lstat', 'readdir', 'readlink', 'realpath', 'readFile', 'access', 'open', 'opendir', 'statfs'] as const
  ).flatMap((name): Operation[] => [
    [name],
    [name, 5],
    [name, null],
    [name, {}],
    [name, 'nul\0byte'],
    [name, new URL('http://host/x')],
    [name, true],
  ]),
  ...(['readdir', 'readlink', 'realpath', 'readFile', 'opendir'] as const).flatMap((name): Operation[] => [
    [name, at('/nope'), 'no-such-encoding'],
    [name, at('/nope'), { encoding: 'no-such-encoding' }],
    [name, at('/nope'), 5],
  ]),
  ['open', at('/file'), 'zz'],
  ['open', at('/file'), {}],
  ['access', at('/file'), 99],
  ['access', at('/file'), 'r'],
  ['readFile', at('/file'), { signal: 'no signal' }],
]

for (const [form, run] of Object.entries(forms)) {
  test(`results and errors of node:fs, ${form}`, async () => {
    for (const [name, ...args] of operations) {
      // Their own: promises have the kernel's realpath and check less; an empty path is the cwd for realpath
      if (form === 'promise' && (name === 'realpath' || (args[1] as { recursive?: unknown })?.recursive === 1)) continue
      // Node's realpath makes text of whatever it gets, and an empty path is the cwd to it
      if (name === 'realpath' && (typeof args[0] !== 'object' || !(args[0] as { path?: string })?.path)) continue
      // opendir of promises is promisified, and misses its callback first; a number is a descriptor to readFile
      if ((form === 'callback' || name === 'opendir') && args.length === 0) continue
      if (name === 'readFile' && args[0] === 5) continue
      const there = await outcome(root, () => run(fs, name, argumentsFor(root, args)))
      const here = await outcome('\0', () => run(view, name, argumentsFor('', args)))
      const label = `${name} ${JSON.stringify(args)}`
      // A view's root is `/`; the directory's is its own path, which then vanishes
      const same = JSON.stringify(there, big).replaceAll(`''`, `'/'`)
      if (args[0] !== undefined && (args[0] as { path?: string })?.path === '/') continue
      assert.equal(JSON.stringify(here, big).replaceAll(`''`, `'/'`), same, label)
    }
  })
}

function big(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value
}

test('realpath.native and promises.realpath are the kernel’s', async () => {
  for (const place of places.filter(({ path }) => path !== '/')) {
    const [hostPath] = argumentsFor(root, [place]) as [string]
    const there = await outcome(root, () => fs.realpathSync.native(hostPath))
    assert.deepEqual(await outcome('\0', () => view.realpathSync.native(place.path)), there, place.path)
    assert.deepEqual(await outcome('\0', () => view.promises.realpath(place.path)), there, place.path)
  }
})

test('throwIfNoEntry, exists, and what existsSync takes for a path', async () => {
  for (const { path } of places.filter(({ path }) => path !== '/')) {
    const hostPath = path === '' ? '' : `${root}${path}`
    assert.equal(view.existsSync(path), fs.existsSync(hostPath), path)
    for (const name of ['statSync', 'lstatSync'] as const) {
      const there = await outcome(root, () => fs[name](hostPath, { throwIfNoEntry: false })?.mode)
      assert.deepEqual(
        await outcome('\0', () => view[name](path, { throwIfNoEntry: false })?.mode),
        there,
        `${name} ${path}`,
      )
    }
  }
  for (const bad of [undefined, 5, {}, 'a\0b']) assert.equal(view.existsSync(bad as string), false)
})

test('reading through a descriptor: positions, ranges, vectors, the end', () => {
  const script = (side: Fs, prefix: string) => {
    const fd = side.openSync(`${prefix}/file`, 'r')
    const log: unknown[] = []
    const read = (...args: unknown[]) => {
      const buffer = Buffer.alloc(8, '.')
      try {
        log.push([(side.readSync as (...args: unknown[]) => number)(fd, buffer, ...args), buffer.toString()])
      } catch (error) {
        log.push(failure(error, prefix))
      }
    }
    read()
    read(2, 3)
    read(0, 8, 1)
    read(0, 8, null)
    read(0, 8, 1000)
    read(0, 0)
    read({ offset: 1, length: 2, position: 3 })
    read(0, 8, 5n)
    read(9, 1)
    read(0, 9)
    read(-1)
    read(0, 8, 'x')
    read(0, 8, -1)
    const pair = [Buffer.alloc(3), Buffer.alloc(4)]
    log.push(side.readvSync(fd, pair, 2), pair.map(String))
    log.push(side.readFileSync(fd, 'utf8'), side.readFileSync(fd, 'utf8'))
    side.closeSync(fd)
    try {
      side.fstatSync(fd)
    } catch (error) {
      log.push(failure(error, prefix))
    }
    for (const bad of [-1, 1.5, '1', 2 ** 31, undefined]) {
      try {
        side.closeSync(bad as number)
      } catch (error) {
        log.push(failure(error, prefix))
      }
    }
    return log
  }
  assert.deepEqual(script(view as unknown as Fs, ''), script(fs, root))
})

test('opendir: entries, path, closing twice', async () => {
  const script = async (side: Fs, prefix: string) => {
    const dir = await side.promises.opendir(`${prefix}/dir`)
    const names: string[] = []
    for await (const entry of dir) names.push(entry.name)
    const again = side.opendirSync(`${prefix}/dir`)
    const first = again.readSync() !== null
    again.closeSync()
    const closedTwice = await outcome(prefix, () => again.closeSync())
    const readClosed = await outcome(prefix, () => again.readSync())
    return { names: names.sort(), first, path: again.path.replace(prefix, ''), closedTwice, readClosed }
  }
  assert.deepEqual(await script(view as unknown as Fs, ''), await script(fs, root))
})

test('streams: ranges, encodings, errors', async () => {
  const script = async (side: Fs, prefix: string) => {
    const collect = async (path: string, options?: object | string) => {
      const stream = side.createReadStream(`${prefix}${path}`, options as object)
      assert.ok(stream instanceof fs.ReadStream)
      let text = ''
      for await (const chunk of stream) text += String(chunk)
      return text
    }
    const handle = await side.promises.open(`${prefix}/file`)
    const lines: string[] = []
    for await (const line of handle.readLines()) lines.push(line)
    return [
      await outcome(prefix, () => collect('/file')),
      await outcome(prefix, () => collect('/file', { start: 2, end: 6, encoding: 'utf8' })),
      await outcome(prefix, () => collect('/file', 'base64')),
      await outcome(prefix, () => collect('/file', { highWaterMark: 3 })),
      await outcome(prefix, () => collect('/nope')),
      await outcome(prefix, () => collect('/dir')),
      await outcome(prefix, () => collect('/file', { start: 5, end: 1 })),
      lines,
      handle.fd,
    ]
  }
  assert.deepEqual(await script(view as unknown as Fs, ''), await script(fs, root))
})
