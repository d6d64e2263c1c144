/**
 * Copying much up by asynchronous calls, where copying up copies contents: no step copies more than a slice, a content is copied
 * once however many wait for it, and whatever others do meanwhile, calls are as if one had run after the other.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { createContainerFace } from '../../src/overlay/face/container-face.js'
import { Union, type UnionOptions } from '../../src/overlay/union/union.js'
import { LoopSteps } from '../build/loop-steps.js'
import { type Children, directory, file, hardlink, layersOf } from '../build/memory-layer.js'
import { copyingUpper, memoryUpper } from '../build/memory-upper.js'
import { comparable, dumpRoot } from '../build/union-dump.js'
import { testNow } from '../build/union-run.js'

const MiB = 1024 * 1024
const large = 6 * MiB
const big = Buffer.alloc(large, 'low.')

function make(tree: Children, options: UnionOptions = {}) {
  const layers = layersOf(tree)
  // As one whose content is in memory already
  for (const layer of layers) layer.read = async (...args) => layer.readSync(...args)
  const steps = new LoopSteps()
  const upper = copyingUpper(layers, bytes => steps.done(bytes))
  const union = new Union(layers, { upper, label: 'box', now: () => testNow, ...options })
  return { upper, union, steps, box: createContainerFace(union) }
}

type Made = ReturnType<typeof make>
type Box = Made['box']

const handled = async (box: Box, work: (handle: Awaited<ReturnType<Box['promises']['open']>>) => Promise<unknown>) => {
  const handle = await box.promises.open('/low', 'r')
  await work(handle)
  await handle.close()
}

const calls: Record<string, (box: Box) => Promise<unknown>> = {
  chmod: box => box.promises.chmod('/low', 0o600),
  'chmod by a callback': box => promisify(box.chmod)('/low', 0o600),
  chown: box => box.promises.chown('/low', 1, 2),
  lchown: box => box.promises.lchown('/low', 1, 2),
  utimes: box => box.promises.utimes('/low', 1, 2),
  lutimes: box => box.promises.lutimes('/low', 1, 2),
  setxattr: box => box.promises.setxattr('/low', 'user.a', 'b'),
  'setxattr by a callback': box =>
    new Promise((resolve, reject) => {
      box.setxattr('/low', 'user.a', 'b', error => (error ? reject(error) : resolve(undefined)))
    }),
  rename: box => box.promises.rename('/low', '/other'),
  link: box => box.promises.link('/low', '/other'),
  'open for writing': async box => (await box.promises.open('/low', 'r+')).close(),
  'open for writing by a callback': async box => {
    const fd = await promisify(
      box.open as (path: string, flags: string, done: (e: unknown, fd: number) => void) => void,
    )('/low', 'a')
    box.closeSync(fd)
  },
  appendFile: box => box.promises.appendFile('/low', 'x'),
  'writeFile without cutting off': box => box.promises.writeFile('/low', 'x', { flag: 'r+' }),
  'readFile of what may be written': box => box.promises.readFile('/low', { flag: 'r+' }),
  truncate: box => box.promises.truncate('/low', 100),
  createWriteStream: box =>
    new Promise(resolve => box.createWriteStream('/low', { flags: 'r+' }).end('x', () => resolve(undefined))),
  'FileHandle.chmod': box => handled(box, handle => handle.chmod(0o600)),
  'FileHandle.chown': box => handled(box, handle => handle.chown(1, 2)),
  'FileHandle.utimes': box => handled(box, handle => handle.utimes(1, 2)),
}

for (const [name, call] of Object.entries(calls)) {
  test(`no step copies more than a slice, and all is copied once: ${name}`, async () => {
    const { box, steps, union } = make({ low: file(big) })
    await call(box)
    assert.ok(steps.longest <= MiB, `${steps.longest} bytes in one step`)
    assert.equal(steps.total, large)
    const lazily = new Union(layersOf({ low: file(big) }), { upper: memoryUpper(), now: () => testNow })
    await call(createContainerFace(lazily))
    assert.deepEqual(comparable(dumpRoot(union)), comparable(dumpRoot(lazily)))
  })
}

test('truncating to nothing, opening to cut off and removing copy nothing', async () => {
  const { box, steps } = make({ a: file(big), b: file(big), c: file(big) })
  await Promise.all([box.promises.truncate('/a', 0), box.promises.writeFile('/b', ''), box.promises.rm('/c')])
  // An opening to truncate is one for writing, as in the kernel
  assert.equal(steps.total, large)
})

test('synchronous calls copy at once', () => {
  const { box, steps } = make({ low: file(big) })
  box.chmodSync('/low', 0o600)
  assert.deepEqual([steps.total, steps.longest], [large, large])
})

test('calls at the same time copy once', async () => {
  const { box, steps } = make({ low: file(big) })
  await Promise.all(['chmod', 'chown', 'utimes', 'link'].map(name => calls[name]!(box)))
  assert.equal(steps.total, large)
  const { mode, uid, mtimeMs } = box.statSync('/other')
  assert.deepEqual([mode & 0o777, uid, mtimeMs], [0o600, 1, 2000])
})

const many = 300
const folder = () =>
  directory({
    ...Object.fromEntries(Array.from({ length: many }, (_, i) => [`small${i}`, file(Buffer.alloc(20_000, `${i} `))])),
    big: file(big),
    first: file(Buffer.alloc(2 * MiB, 'linked ')),
    below: directory({ one: file(big), same: hardlink('/dir/first') }),
    second: hardlink('/dir/first'),
  })

test('a directory is renamed with all that is in it, slice by slice, and links stay links', async () => {
  const { box, steps } = make({ dir: folder() })
  await box.promises.rename('/dir', '/moved')
  // A slice of a large content and one of small files may fall into one turn of the loop
  assert.ok(steps.longest <= 2 * (MiB + 64 * 20_000), `${steps.longest} bytes in one step`)
  assert.equal(steps.total, many * 20_000 + 2 * large + 2 * MiB)
  const inodes = ['first', 'second', 'below/same'].map(name => box.statSync(`/moved/${name}`))
  assert.deepEqual([new Set(inodes.map(({ ino }) => ino)).size, inodes[0]!.nlink], [1, 3])
  assert.equal(box.readdirSync('/moved').length, many + 4)
  assert.equal(box.existsSync('/dir'), false)
})

test('what a call says while it copies is what it would have said before or after the others', async () => {
  const { box, steps, upper } = make({ low: file(big), dir: directory({ low: file(big) }) })
  const renamed = box.promises.rename('/low', '/new')
  const changed = box.promises.chmod('/dir/low', 0o600)
  box.unlinkSync('/low')
  box.renameSync('/dir', '/away')
  // Both are heard from now on: which of them fails first is not said.
  await Promise.all([
    assert.rejects(renamed, { code: 'ENOENT', syscall: 'rename', path: '/low', dest: '/new' }),
    assert.rejects(changed, { code: 'ENOENT', syscall: 'chmod', path: '/dir/low' }),
  ])
  assert.deepEqual(box.readdirSync('/'), ['away'])
  assert.equal(box.statSync('/away/low').mode & 0o777, 0o644)
  // Nothing was made of what had lost its name by then
  assert.equal(upper.changes.filter(change => change.op === 'create').length, 2)
  assert.ok(steps.total >= large)
})

test('a refused call has copied nothing: rename over a directory, link to a name that is there', async () => {
  const { box, steps } = make({ low: file(big), dir: directory({ x: '' }), there: '' })
  await assert.rejects(box.promises.rename('/low', '/dir'), { code: 'EISDIR' })
  await assert.rejects(box.promises.link('/low', '/there'), { code: 'EEXIST' })
  assert.equal(steps.total, 0)
})

test('a container that is closed meanwhile says so, and its copies are thrown away', async () => {
  const { box, union } = make({ low: file(big) })
  const changed = box.promises.chmod('/low', 0o600)
  const closing = union.close()
  await assert.rejects(changed, { code: 'STORE_CLOSED' })
  await closing
})

test('an open file that loses its name while it is copied up is changed without one', async () => {
  const { box, union } = make({ low: file(big) })
  const handle = await box.promises.open('/low', 'r')
  const changed = handle.chmod(0o600)
  box.unlinkSync('/low')
  await changed
  assert.equal((await handle.stat()).mode & 0o777, 0o600)
  await handle.close()
  assert.equal(union.upper!.inodeCount, 1)
})

const overBound: Record<string, { call: (box: Box) => Promise<unknown>; now: (box: Box) => void; syscall: string }> = {
  chmod: { call: box => box.promises.chmod('/low', 0o600), now: box => box.chmodSync('/low', 0o600), syscall: 'chmod' },
  utimes: {
    call: box => box.promises.utimes('/low', 1, 2),
    now: box => box.utimesSync('/low', 1, 2),
    syscall: 'utime',
  },
  rename: {
    call: box => box.promises.rename('/low', '/n'),
    now: box => box.renameSync('/low', '/n'),
    syscall: 'rename',
  },
  link: { call: box => box.promises.link('/low', '/n'), now: box => box.linkSync('/low', '/n'), syscall: 'link' },
  open: { call: box => box.promises.open('/low', 'r+'), now: box => void box.openSync('/low', 'r+'), syscall: 'open' },
  setxattr: {
    call: box => box.promises.setxattr('/low', 'user.a', 'b'),
    now: box => box.setxattrSync('/low', 'user.a', 'b'),
    syscall: 'setxattr',
  },
  'rename of a directory': {
    call: box => box.promises.rename('/dir', '/n'),
    now: box => box.renameSync('/dir', '/n'),
    syscall: 'rename',
  },
}

for (const [name, { call, now, syscall }] of Object.entries(overBound)) {
  test(`EDQUOT before anything is copied, in the words of the call: ${name}`, async () => {
    const half = { a: file(big.subarray(0, large / 2)), b: file(big.subarray(0, large / 2)) }
    const { box, steps } = make({ low: file(big), dir: directory(half) }, { maxBytes: large - 1 })
    await assert.rejects(call(box), { code: 'EDQUOT', syscall })
    assert.throws(() => now(box), { code: 'EDQUOT', syscall })
    assert.equal(steps.total, 0)
    const roomy = make({ low: file(big), dir: directory(half) }, { maxBytes: large })
    await call(roomy.box)
    assert.equal(roomy.upper.usedBytes, large)
  })
}

test('two copies for which there is room apart, and not together: one of them is EDQUOT', async () => {
  const { box, upper } = make({ a: file(big), b: file(big) }, { maxBytes: large + MiB })
  const results = await Promise.allSettled([box.promises.chmod('/a', 0o600), box.promises.chmod('/b', 0o600)])
  const failed = results.flatMap(result => (result.status === 'rejected' ? [result.reason] : []))
  assert.deepEqual(
    failed.map(({ code, syscall }) => [code, syscall]),
    [['EDQUOT', 'chmod']],
  )
  assert.equal(upper.usedBytes, large)
})

// Calls that are begun together, against every order of the same calls made one by one where nothing is copied up at all.

type Command = readonly [name: string, ...args: (string | number)[]]

const paths = ['/big', '/dir/big', '/dir/sub/big', '/dir/link', '/new', '/dir', '/dir/sub', '/other']
const path = fc.constantFrom(...paths)
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.tuple(fc.constant('chmod'), path, fc.constantFrom(0o600, 0o711)),
  fc.tuple(fc.constant('chown'), path, fc.constantFrom(1, 2), fc.constant(3)),
  fc.tuple(fc.constant('rename'), path, path),
  fc.tuple(fc.constant('rename'), path, path),
  fc.tuple(fc.constant('link'), path, path),
  fc.tuple(fc.constant('unlink'), path),
  fc.tuple(fc.constant('truncate'), path, fc.constantFrom(0, 5)),
  fc.tuple(fc.constant('appendFile'), path, fc.constantFrom('x', 'yy')),
  fc.tuple(fc.constant('mkdir'), path),
)

const few = Buffer.alloc(MiB + 10, 'abc ')
const scene = (): Children => ({
  big: file(few),
  dir: directory({ big: file(few), link: hardlink('/dir/big'), sub: directory({ big: file(few), small: 'small' }) }),
})

type AnyCalls = Record<string, (...args: unknown[]) => unknown>

function runNow(box: Box, [name, ...args]: Command): string {
  try {
    ;(box as unknown as AnyCalls)[`${name}Sync`]!(...args)
    return 'done'
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

async function runLater(box: Box, [name, ...args]: Command): Promise<string> {
  try {
    await (box.promises as unknown as AnyCalls)[name]!(...args)
    return 'done'
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

function* orders(indices: readonly number[]): Generator<number[]> {
  if (indices.length === 0) yield []
  for (const first of indices)
    for (const rest of orders(indices.filter(index => index !== first))) yield [first, ...rest]
}

function inOrder(commands: readonly Command[], order: readonly number[]): string {
  const union = new Union(layersOf(scene()), { upper: memoryUpper(), now: () => testNow })
  const box = createContainerFace(union)
  const outcomes: string[] = []
  for (const index of order) outcomes[index] = runNow(box, commands[index]!)
  return JSON.stringify([outcomes, shown(union)])
}

/** Without links of what was copied up by a call that came to nothing: as in the kernel (R-HL-2). Of contents their ends. */
function shown(union: Union): unknown {
  const plain = (key: string, value: unknown) => {
    if (key === 'nlink' || key === 'first') return undefined
    return key === 'data' ? [String(value).length, String(value).slice(-9)] : value
  }
  return JSON.parse(JSON.stringify(comparable(dumpRoot(union)), plain))
}

test('calls at the same time are as if they had run one after the other', async () => {
  const waits = fc.array(fc.nat(6), { minLength: 4, maxLength: 4 })
  const property = fc.asyncProperty(
    fc.array(command, { minLength: 2, maxLength: 3 }),
    waits,
    async (commands, turns) => {
      const { box, union } = make(scene())
      const outcomes = await Promise.all(
        commands.map(async (each, index) => {
          for (let left = turns[index]!; left > 0; left--) await new Promise(setImmediate)
          // Some of them at once, in the middle of others
          return turns[index]! % 3 === 2 ? runNow(box, each) : runLater(box, each)
        }),
      )
      const seen = JSON.stringify([outcomes, shown(union)])
      let found = false
      for (const order of orders(commands.map((_, index) => index))) found ||= inOrder(commands, order) === seen
      assert.ok(found, `${seen.slice(0, 200)} is no order of ${JSON.stringify(commands)}`)
    },
  )
  await fc.assert(property, { numRuns: 60, verbose: true })
})
