/** The shape of the object: every name of the running Node, own, enumerable, without `this`; and the manners of callbacks and close. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { callDecisions, decisionOf, fileHandleDecisions, rules } from '../../src/overlay/face/names.js'
import { createView, type View } from '../../src/overlay/face/view.js'
import { shapes } from '../build/face-shapes.js'
import { layersOf } from '../build/memory-layer.js'

const makeView = () => createView(layersOf({ etc: { file: 'content' } }))

test('every name of the running node:fs has been decided on', async () => {
  for (const name of Object.keys(fs)) assert.notEqual(decisionOf(name), undefined, `fs.${name} is undecided`)
  for (const name of Object.keys(fs.promises)) {
    assert.notEqual(decisionOf(name), undefined, `fs.promises.${name} is undecided`)
  }
  const handle = await fs.promises.open(process.execPath)
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(handle))) {
    assert.notEqual(fileHandleDecisions[name], undefined, `FileHandle.${name} is undecided`)
  }
  await handle.close()
  for (const decision of [...Object.values(callDecisions), ...Object.values(fileHandleDecisions)]) {
    if (typeof decision === 'object') assert.ok(decision.rule in rules)
  }
})

test('every name of the running node:fs is there, own and enumerable, of the same type', async () => {
  const view = makeView()
  const look = (mine: object, nodes: object, label: string) => {
    for (const name of Object.keys(nodes)) {
      const expected = typeof nodes[name as keyof typeof nodes]
      assert.equal(typeof mine[name as keyof typeof mine], expected, `${label}.${name}`)
      if (expected !== 'undefined')
        assert.ok(Object.prototype.propertyIsEnumerable.call(mine, name), `${label}.${name}`)
    }
  }
  look(view, fs, 'fs')
  look(view.promises, fs.promises, 'fs.promises')
  const [mine, nodes] = [await view.promises.open('/etc/file'), await fs.promises.open(process.execPath)]
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(nodes))) {
    assert.equal(typeof mine[name as 'read'], typeof nodes[name as 'read'], `FileHandle.${name}`)
  }
  assert.equal(mine.constructor.name, 'FileHandle')
  await nodes.close()
  await mine.close()
})

test('no function is one of the host, but for the classes and _toUnixTimestamp', () => {
  const view = makeView()
  const shared = Object.keys(fs).filter(name => {
    const value = (fs as unknown as Record<string, unknown>)[name]
    return typeof value === 'function' && value === (view as unknown as Record<string, unknown>)[name]
  })
  assert.deepEqual(shared.sort(), ['Dir', 'Dirent', 'Stats', '_toUnixTimestamp'])
})

test('functions have the names and arities of node:fs’s', () => {
  assert.deepEqual(...shapes(makeView()))
})

test('spread, destructured and assigned over node:fs it still reads the view', async () => {
  const view = makeView()
  const spread = { ...view }
  const { readFileSync, promises } = view
  const { readFile } = promises
  const over = Object.assign({}, fs, view)
  assert.equal(spread.readFileSync('/etc/file', 'utf8'), 'content')
  assert.equal(readFileSync('/etc/file', 'utf8'), 'content')
  assert.equal(await readFile('/etc/file', 'utf8'), 'content')
  assert.deepEqual(over.readdirSync('/'), ['etc'])
  assert.deepEqual(await over.promises.readdir('/etc'), ['file'])
  assert.deepEqual(await promisify(over.readdir)('/'), ['etc'])
  assert.equal(over.realpathSync.native('/etc/../etc/file'), '/etc/file')
  assert.throws(() => over.readFileSync(process.execPath), { code: 'ENOENT' })
})

test('callbacks come later, never at once, and with undefined or null for no error', async () => {
  const view = makeView()
  const fd = view.openSync('/etc/file', 'r')
  const calls: [string, (done: (...args: unknown[]) => void) => void][] = [
    ['stat', done => view.stat('/etc', done)],
    ['stat of nothing', done => view.stat('/nope', done)],
    ['readFile', done => view.readFile('/etc/file', done)],
    ['readdir', done => view.readdir('/etc', done)],
    ['read', done => view.read(fd, Buffer.alloc(3), 0, 3, 0, done)],
    ['exists', done => view.exists('/etc', done)],
    ['access', done => view.access('/etc', done)],
    ['opendir', done => view.opendir('/etc', done)],
    ['mkdir', done => view.mkdir('/x', done)],
    ['realpath.native', done => view.realpath.native('/etc', done)],
    ['close', done => view.close(fd, done)],
  ]
  for (const [name, call] of calls) {
    const late = await new Promise<boolean>(resolve => {
      let returned = false
      call(() => resolve(returned))
      returned = true
    })
    assert.ok(late, `${name} called back before it returned`)
  }
})

test('util.promisify: exists, read and readv have their own', async () => {
  const view = makeView()
  assert.equal(await promisify(view.exists)('/etc'), true)
  assert.equal(await promisify(view.exists)('/nope'), false)
  const fd = await promisify(view.open)('/etc/file', 'r')
  const buffer = Buffer.alloc(4)
  assert.deepEqual(await promisify(view.read)(fd, buffer, 0, 4, 1), { bytesRead: 4, buffer: Buffer.from('onte') })
  const vector = await promisify(view.readv)(fd, [buffer], 0)
  assert.deepEqual(vector, { bytesRead: 4, buffers: [Buffer.from('cont')] })
})

test('descriptors: from 2^30 up, of one view alone', () => {
  const [view, other] = [makeView(), makeView()]
  const fd = view.openSync('/etc/file', 'r')
  assert.ok(fd >= 2 ** 30)
  assert.throws(() => fs.fstatSync(fd), { code: 'EBADF' })
  assert.throws(() => other.fstatSync(fd), { code: 'EBADF' })
  assert.throws(() => view.fstatSync(0), { code: 'EBADF' })
})

test('close: idempotent, waits for reads, releases once; calls after it are STORE_CLOSED', async () => {
  let released = 0
  const view = createView(layersOf({ file: 'x'.repeat(1000) }), {
    label: 'view of app:v1',
    onClose: async () => {
      released++
    },
  })
  view.statSync('/file')
  const reading = view.promises.readFile('/file')
  await new Promise<void>(resolve => queueMicrotask(resolve))
  const [first, second] = [view.close(), view.close()]
  assert.equal(first, second)
  assert.equal(released, 0)
  assert.equal((await reading).length, 1000)
  await first
  assert.equal(released, 1)
  for (const call of closedCalls(view)) {
    assert.throws(call, { code: 'STORE_CLOSED', message: 'view of app:v1 is closed' })
  }
  await assert.rejects(view.promises.readFile('/file'), { code: 'STORE_CLOSED' })
  await view.close()
  assert.equal(released, 1)
})

function closedCalls(view: View): (() => unknown)[] {
  return [
    () => view.statSync('/file'),
    () => view.existsSync('/file'),
    () => view.realpathSync('/'),
    () => view.readFileSync('/file'),
    () => view.mkdirSync('/x'),
    () => view.entry('/file'),
    () => view.statfsSync('/'),
  ]
}

test('relative paths begin at the view’s cwd, never at the host’s', () => {
  const view = createView(layersOf({ work: { a: 'A' }, b: 'B' }), { cwd: '/work' })
  assert.equal(view.readFileSync('a', 'utf8'), 'A')
  assert.equal(view.readFileSync('../b', 'utf8'), 'B')
  assert.equal(view.realpathSync('a'), '/work/a')
  assert.equal(view.realpathSync.native('.'), '/work')
  assert.throws(() => view.statSync(''), { code: 'ENOENT' })
  assert.throws(() => createView([], { cwd: '/none' }).statSync('x'), { code: 'ENOENT' })
})

test('a view without layers is an empty directory', () => {
  const view = createView([])
  assert.deepEqual(view.readdirSync('/'), [])
  assert.ok(view.statSync('/').isDirectory())
  assert.equal(view.entry('/')?.layer, -1)
  assert.throws(() => view.readFileSync('/x'), { code: 'ENOENT' })
})
