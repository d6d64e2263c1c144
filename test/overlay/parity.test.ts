/**
 * The same calls through node:fs on a plain directory and on a view that holds the same tree, in every form: results, errors
 * (code, errno, syscall, path, message) and Stats fields are equal, but for the rules of `names.ts`.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, test } from 'node:test'
import { createView } from '../../src/overlay/face/view.js'
import { argumentsFor, at, forms, type Operation, outcome, parityTree } from '../build/parity.js'
import { plainDirectory, plainLayer } from '../build/plain-tree.js'

const root = plainDirectory(parityTree)
after(() => fs.rmSync(root, { recursive: true, force: true }))
const view = createView([plainLayer(parityTree, root)])

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
