/**
 * Changes through node:fs on a plain directory and on a container that holds the same tree, in every form: results, errors (code,
 * errno, syscall, path, dest, message) and the trees that come of it are equal, but for the rules of `names.ts`.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { argumentsFor, at, type Fs, forms, type Operation, parityTree } from '../build/parity.js'
import { dump, outcomeOf, pair } from '../build/write-parity.js'

const roots: string[] = []
after(() => {
  for (const root of roots) fs.rmSync(root, { recursive: true, force: true })
})

/** Hard links of a layer part when one of them is changed (rule `links-part`): these two are made by both sides. */
const fresh = () => {
  const { twin: _, ...tree } = parityTree
  const made = pair(tree)
  roots.push(made.root)
  fs.linkSync(`${made.root}/empty`, `${made.root}/twin`)
  made.box.linkSync('/empty', '/twin')
  return { ...made, before: made.upper.changes.length }
}

const userId = process.getuid!()
const groupId = process.getgid!()

const places = [
  '/file',
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
  '/dangling/',
  '/new',
  '/new/',
  '/dir/none',
  '/dir/new',
  '/dirlink/new',
  '/file/x',
  '/nope/x',
  '/dir/.',
  '/dir/..',
  '',
  `/${'n'.repeat(256)}`,
].map(at)

const { COPYFILE_EXCL, O_CREAT, O_EXCL } = fs.constants
/** With how many arguments after the path. */
const misused = {
  mkdir: 0,
  rmdir: 0,
  unlink: 0,
  chmod: 1,
  chown: 2,
  lchown: 2,
  utimes: 2,
  lutimes: 2,
  truncate: 1,
  rm: 0,
  writeFile: 1,
  appendFile: 1,
  mkdtemp: 0,
} as const

/** Each is run on a fresh tree. */
const alone: Operation[] = [
  ...places.flatMap((place): Operation[] => [
    ['mkdir', place],
    ['mkdir', place, { recursive: true }],
    ['rmdir', place],
    ['unlink', place],
    ['rm', place],
    ['rm', place, { force: true }],
    ['rename', place, at('/renamed')],
    ['rename', at('/file'), place],
    ['rename', at('/dir'), place],
    ['link', place, at('/linked')],
    ['link', at('/file'), place],
    ['symlink', 'target', place],
    ['chmod', place, 0o751],
    ['chown', place, userId, groupId],
    ['lchown', place, -1, -1],
    ['utimes', place, 1_000_000_001, 1_000_000_002.5],
    ['lutimes', place, 1_000_000_001, 1_000_000_002.5],
    ['truncate', place, 3],
    ['writeFile', place, 'written'],
    ['writeFile', place, 'written', { flag: 'wx' }],
    ['writeFile', place, 'XY', { flag: 'r+' }],
    ['appendFile', place, 'more'],
    ['copyFile', place, at('/copied')],
    ['copyFile', at('/empty'), place],
    ['copyFile', at('/file'), place, COPYFILE_EXCL],
    ['cp', place, at('/copied')],
    ['access', place, fs.constants.W_OK],
    ['open', place, O_CREAT | O_EXCL],
  ]),
  ['mkdir', at('/a/b/c'), { recursive: true }],
  ['mkdir', at('/dir/none/c/'), { recursive: true, mode: 0o700 }],
  ['mkdir', at('/a'), 0o711],
  ['mkdir', at('/a'), '711'],
  ['mkdir', at('/a'), { mode: 0o1777 }],
  ['rm', at('/dir'), { recursive: true }],
  ['rm', at('/dirlink'), { recursive: true }],
  ['rm', at('/nope'), { recursive: true }],
  ['rm', at('/nope'), { recursive: true, force: true, maxRetries: 3, retryDelay: 1 }],
  ['rmdir', at('/nope'), { recursive: false }],
  ['cp', at('/dir'), at('/copied'), { recursive: true }],
  ['cp', at('/dir'), at('/copied/below'), { recursive: true, dereference: true }],
  ['cp', at('/dir'), at('/copied'), { recursive: true, verbatimSymlinks: true, preserveTimestamps: true }],
  ['cp', at('/dir'), at('/dir/sub/x'), { recursive: true }],
  ['cp', at('/dir'), at('/dir'), { recursive: true }],
  ['cp', at('/dir'), at('/file'), { recursive: true }],
  ['cp', at('/file'), at('/dir')],
  ['cp', at('/file'), at('/twin')],
  ['cp', at('/empty'), at('/twin')],
  ['copyFile', at('/empty'), at('/twin')],
  ['rename', at('/empty'), at('/twin')],
  ['cp', at('/file'), at('/empty')],
  ['cp', at('/file'), at('/empty'), { force: false }],
  ['cp', at('/file'), at('/empty'), { force: false, errorOnExist: true }],
  ['cp', at('/file'), at('/copied'), { preserveTimestamps: true }],
  ['cp', at('/file'), at('/copied'), { mode: COPYFILE_EXCL }],
  ['cp', at('/link'), at('/dangling')],
  ['cp', at('/link'), at('/dirlink')],
  ['cp', at('/dirlink'), at('/link')],
  ['cp', at('/link'), at('/file')],
  ['cp', at('/link'), at('/empty')],
  ['cp', at('/dangling'), at('/copied'), { dereference: true }],
  ['cp', at('/dir'), at('/copied'), { recursive: true, filter: (from: string) => !from.endsWith('sub') }],
  ['cp', at('/nope'), at('/copied'), { filter: () => false }],
  ['cp', at('/file'), at('/a/b/c')],
  ['utimes', at('/file'), '1000000001', '1000000002.25'],
  ['utimes', at('/file'), new Date(1_000_000_003_500), new Date(1_000_000_004_125)],
  ['utimes', at('/file'), 0, 0],
  ['utimes', at('/file'), 'soon', 1],
  ['utimes', at('/file'), {}, 1],
  ['chmod', at('/file'), '600'],
  ['chmod', at('/file'), 'x'],
  ['chmod', at('/file'), -1],
  ['chmod', at('/file')],
  ['chown', at('/file'), 'root', 0],
  ['chown', at('/file'), 0],
  ['chown', at('/file'), 1.5, 0],
  ['chown', at('/file'), -2, 0],
  ['truncate', at('/file')],
  ['truncate', at('/file'), 100],
  ['truncate', at('/file'), -5],
  ['truncate', at('/file'), 1.5],
  ['truncate', at('/file'), 'x'],
  ['writeFile', at('/new'), new Uint16Array([0x6161, 0x6262])],
  ['writeFile', at('/new'), 'c3a4', 'hex'],
  ['writeFile', at('/new'), 'ä', { encoding: 'latin1', mode: 0o640 }],
  ['writeFile', at('/new'), '', { flush: true }],
  ['writeFile', at('/new'), 'x', { flush: 1 }],
  ['writeFile', at('/new'), 'x', { flag: 'zz' }],
  ['writeFile', at('/new'), 'x', { mode: 'x' }],
  ['writeFile', at('/new'), 'x', 'no-such-encoding'],
  ['writeFile', at('/new'), 'x', { signal: 'none' }],
  ['writeFile', at('/file'), '', { flag: 'r' }],
  ['writeFile', at('/file'), 'x', { flag: 'r' }],
  ['writeFile', at('/dir/none/x'), Buffer.from('bytes'), { flag: 'ax' }],
  ['writeFile', { path: '/n%C3%A4me', as: 'url' }, 'x'],
  ['writeFile', { path: '/bytes', as: 'buffer' }, 'x'],
  ['writeFile', { path: '/nope/bytes', as: 'buffer' }, 'x'],
  ['writeFile', at('/new')],
  ['writeFile', at('/new'), {}],
  ['writeFile', at('/new'), 5],
  ['writeFile', at('/new'), null],
  ['copyFile', at('/file'), at('/copied'), 99],
  ['copyFile', at('/file'), at('/copied'), 'x'],
  ['cp', at('/file'), at('/copied'), { recursive: 1 }],
  ['cp', at('/file'), at('/copied'), { dereference: true, verbatimSymlinks: true }],
  ['cp', at('/file'), at('/copied'), { filter: 5 }],
  ['cp', at('/file'), at('/copied'), { mode: 99 }],
  ['mkdir', at('/x'), { recursive: 'yes' }],
  ['mkdir', at('/x'), 'rwx'],
  ['mkdir', at('/x'), -1],
  ['rm', at('/file'), { force: 1 }],
  ['rm', at('/file'), { maxRetries: -1 }],
  ['rm', at('/file'), 5],
  ['rmdir', at('/file'), 5],
  ['symlink', at('/file'), at('/s'), 'dir'],
  ['symlink', at('/file'), at('/s'), 'hard'],
  ['symlink', '', at('/s')],
  ['symlink', 'x'.repeat(4096), at('/s')],
  ...Object.entries(misused).flatMap(([name, more]): Operation[] =>
    ['nul\0byte', {}, null, true].map(bad => [name, bad, ...Array(more).fill(name.endsWith('File') ? 'x' : 0)]),
  ),
  ...(['rename', 'link', 'symlink', 'copyFile', 'cp'] as const).flatMap((name): Operation[] => [
    [name, 'nul\0', at('/x')],
    [name, at('/file'), 'nul\0'],
    [name, {}, at('/x')],
    [name, at('/file'), 5],
  ]),
]

const [nodeMajor = 0] = process.versions.node.split('.').map(Number)

/** Where node:fs differs from itself between its forms. */
function isUnlike(form: string, [name, ...args]: Operation): boolean {
  const [first, second] = args as [{ path?: string } | undefined, { path?: string; recursive?: boolean } | undefined]
  const path = first?.path ?? ''
  // Its asynchronous mkdir -p names the ancestor, and gives nothing for a trailing slash
  if (name === 'mkdir' && form !== 'sync' && second?.recursive === true)
    return ['/dangling/', '/dir/none/c/', '/new/', '/loop', '/dangling'].includes(path)
  // The synchronous one alone follows the target; and the errno of what is a directory is Node 20's, 22, for others have none
  if (name === 'cp' && form === 'sync')
    return (
      (path === '/link' && second?.path === '/dangling') ||
      (nodeMajor >= 22 && /^\/dir(link\/|\/none|\/\.?)?$/.test(path) && args.length === 2)
    )
  if (form !== 'callback') return false
  // A missing argument is where the callback then is; and this form alone writes nothing, which fails
  const least = { chmod: 2, chown: 3, writeFile: 2 }[name] ?? 1
  return args.length < least || (name === 'writeFile' && args[1] === '')
}

/** From Node 22 on cpSync is a program of its own, whose errors and links are other than cp's: the container has one for all forms. */
const formOfNode = (form: string, name: string) =>
  form === 'sync' && name === 'cp' && nodeMajor >= 22 ? 'promise' : form

/** libuv from 1.51 on gives the copy of an empty file the times of the original, that of any other the time of the copying. */
const emptyKeepsTimes = (() => {
  const { root } = fresh()
  fs.writeFileSync(`${root}/old`, '')
  fs.utimesSync(`${root}/old`, 1, 1)
  fs.copyFileSync(`${root}/old`, `${root}/copy`)
  return fs.statSync(`${root}/copy`).mtimeMs === 1000
})()

const comparable = (tree: unknown, [name, , , options]: Operation) =>
  emptyKeepsTimes && /^(cp|copyFile)$/.test(name) && !Object(options).preserveTimestamps ? withoutTimes(tree) : tree

function withoutTimes(tree: unknown): unknown {
  return JSON.parse(JSON.stringify(tree, (key, value) => (key === 'mtime' ? undefined : value)))
}

/** Descriptors and handles are closed, and are no results that could be equal. */
async function outcomeAlone(side: Fs, run: (typeof forms)[string], name: string, args: unknown[]): Promise<unknown> {
  const result = await run(side, name, args)
  if (name !== 'open') return result
  if (typeof result === 'number') side.closeSync(result)
  else await (result as fs.promises.FileHandle).close()
  return 'opened'
}

for (const [form, run] of Object.entries(forms)) {
  test(`each change on a fresh tree, ${form}`, async () => {
    let side = fresh()
    const unlike: unknown[] = []
    for (const operation of alone) {
      if (isUnlike(form, operation)) continue
      const [name, ...args] = operation
      const label = `${form} ${name} ${JSON.stringify(args)}`
      const runNode = forms[formOfNode(form, name)]!
      const there = await outcomeOf(side.root, () => outcomeAlone(fs, runNode, name, argumentsFor(side.root, args)))
      const box = side.box as unknown as Fs
      const here = await outcomeOf('', () => outcomeAlone(box, run, name, argumentsFor('', args)))
      const trees = [dump(box, ''), dump(fs, side.root)].map(tree => comparable(tree, operation))
      if (!isDeepStrictEqual(here, there)) unlike.push({ label, here, there })
      else if (!isDeepStrictEqual(trees[0], trees[1])) unlike.push({ label, here: trees[0], there: trees[1] })
      if (side.upper.changes.length > side.before || !isDeepStrictEqual(trees[0], trees[1])) side = fresh()
    }
    assert.deepEqual(unlike, [])
  })
}
