/** The shape of a container's object: every name of the running Node decided on and there, and what node:fs lacks beside it. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { createContainerFace } from '../../src/overlay/face/container-face.js'
import { containerDecisionOf, containerExtras, containerHandleDecisionOf, rules } from '../../src/overlay/face/names.js'
import { Union, type UnionOptions } from '../../src/overlay/union/union.js'
import { shapes } from '../build/face-shapes.js'
import { layersOf } from '../build/memory-layer.js'
import { memoryUpper } from '../build/memory-upper.js'

function make(options: UnionOptions = {}) {
  const upper = memoryUpper()
  const layers = layersOf({ etc: { file: 'content' }, big: 'b'.repeat(3 * 1024 * 1024) })
  return { upper, box: createContainerFace(new Union(layers, { upper, label: 'box', ...options })) }
}

test('functions have the names and arities of node:fs’s', () => {
  assert.deepEqual(...shapes(make().box))
})

test('every name of the running node:fs has been decided on, and none is refused', async () => {
  const handle = await fs.promises.open(process.execPath)
  const decisions = [
    ...[...Object.keys(fs), ...Object.keys(fs.promises)].map(name => [name, containerDecisionOf(name)] as const),
    ...Object.getOwnPropertyNames(Object.getPrototypeOf(handle)).map(
      name => [`FileHandle.${name}`, containerHandleDecisionOf(name)] as const,
    ),
  ]
  await handle.close()
  for (const [name, decision] of decisions) {
    assert.notEqual(decision, undefined, `${name} is undecided`)
    assert.notEqual(decision, 'refused', `${name} is refused`)
    if (typeof decision === 'object') assert.ok(decision.rule in rules, name)
  }
})

test('every name is there, own and enumerable, of the same type', async () => {
  const { box } = make()
  const look = (mine: object, nodes: object, label: string) => {
    for (const name of Object.keys(nodes)) {
      const expected = typeof nodes[name as keyof typeof nodes]
      assert.equal(typeof mine[name as keyof typeof mine], expected, `${label}.${name}`)
    }
  }
  look(box, fs, 'fs')
  look(box.promises, fs.promises, 'fs.promises')
  for (const name of containerExtras) {
    for (const there of [box[name], box[`${name}Sync`], box.promises[name]]) assert.equal(typeof there, 'function')
  }
})

test('spread and destructured it writes to the container', async () => {
  const { box } = make()
  const over = Object.assign({}, fs, box)
  over.writeFileSync('/etc/new', 'new')
  const { writeFile } = { ...box.promises }
  await writeFile('/etc/newer', 'newer')
  assert.deepEqual(box.readdirSync('/etc'), ['file', 'new', 'newer'])
})

test('callbacks come later, never at once', async () => {
  const { box } = make()
  const fd = box.openSync('/etc/file', 'r+')
  type Done = (...args: unknown[]) => void
  const calls: Record<string, (done: Done) => void> = {
    mkdir: done => box.mkdir('/d', done),
    writeFile: done => box.writeFile('/f', 'x', done),
    appendFile: done => box.appendFile('/f', 'x', done),
    write: done => box.write(fd, 'x', done),
    'write of a buffer': done => box.write(fd, Buffer.from('x'), 0, 1, 0, done),
    writev: done => box.writev(fd, [Buffer.from('x')], done),
    rename: done => box.rename('/f', '/g', done),
    'rm of nothing': done => box.rm('/nope', done),
    copyFile: done => box.copyFile('/g', '/h', done),
    cp: done => box.cp('/g', '/i', done),
    chmod: done => box.chmod('/g', 0o600, done),
    ftruncate: done => box.ftruncate(fd, 1, done),
    fsync: done => box.fsync(fd, done),
    mknod: done => box.mknod('/node', 0o644, done),
    listxattr: done => box.listxattr('/node', done),
  }
  for (const [name, call] of Object.entries(calls)) {
    const late = await new Promise<boolean>(resolve => {
      let returned = false
      call(() => resolve(returned))
      returned = true
    })
    assert.ok(late, `${name} called back before it returned`)
  }
})

test('util.promisify of write and writev', async () => {
  const { box } = make()
  const fd = box.openSync('/etc/new', 'w+')
  const buffer = Buffer.from('abc')
  assert.deepEqual(await promisify(box.write)(fd, buffer, 1, 2, 0), { bytesWritten: 2, buffer })
  assert.deepEqual(await promisify(box.writev)(fd, [buffer, buffer]), { bytesWritten: 6, buffers: [buffer, buffer] })
  assert.equal(box.readFileSync('/etc/new', 'utf8'), 'abcabc')
})

test('special files and extended attributes, in the three forms', async () => {
  const { box } = make()
  box.mknodSync('/null', 0o020666, { major: 1, minor: 3 })
  await box.promises.mkfifo('/pipe', 0o600)
  await promisify(box.mknod as (path: string, mode: number) => void)('/plain', 0o640)
  assert.ok(box.statSync('/null').isCharacterDevice())
  assert.equal(box.statSync('/null').rdev, 0x103)
  assert.ok(box.statSync('/pipe').isFIFO())
  assert.equal(box.statSync('/pipe').mode & 0o777, 0o600)
  assert.ok(box.statSync('/plain').isFile())
  assert.throws(() => box.mknodSync('/white', 0o020000), { code: 'EPERM', syscall: 'mknod' })
  assert.throws(() => box.mknodSync('/d', 0o040755), { code: 'EPERM' })
  assert.throws(() => box.mknodSync('/plain', 0o644), { code: 'EEXIST', path: '/plain' })
  assert.throws(() => box.mknodSync('/x', 0o644, { major: -1 }), { code: 'ERR_OUT_OF_RANGE' })
  box.setxattrSync('/etc/file', 'user.a', 'one')
  await box.promises.setxattr('/etc/file', 'trusted.b', Buffer.from([0, 255]))
  assert.deepEqual(box.listxattrSync('/etc/file').sort(), ['trusted.b', 'user.a'])
  assert.deepEqual(await box.promises.getxattr('/etc/file', 'trusted.b'), Buffer.from([0, 255]))
  assert.throws(() => box.setxattrSync('/etc/file', 'user.a', '', { flag: 'create' }), { code: 'EEXIST' })
  await assert.rejects(box.promises.setxattr('/etc/file', 'user.c', '', { flag: 'replace' }), { code: 'ENODATA' })
  assert.throws(() => box.setxattrSync('/pipe', 'user.a', 'x'), { code: 'EPERM', syscall: 'setxattr' })
  box.removexattrSync('/etc/file', 'user.a')
  assert.throws(() => box.getxattrSync('/etc/file', 'user.a'), { code: 'ENODATA', syscall: 'getxattr' })
  box.symlinkSync('/etc/file', '/link')
  assert.deepEqual(box.listxattrSync('/link'), ['trusted.b'])
  assert.deepEqual(box.listxattrSync('/link', { follow: false }), [])
})

test('statfs shows the bounds, and EDQUOT comes at them', () => {
  const { box } = make({ maxBytes: 40_960, maxEntries: 4 })
  const before = box.statfsSync('/')
  assert.equal(before.blocks * before.bsize, 40_960)
  assert.equal(before.bfree, before.blocks)
  assert.equal(before.files, 4)
  box.writeFileSync('/new', Buffer.alloc(8192))
  const after = box.statfsSync('/')
  assert.equal(after.bfree, before.bfree - 2)
  assert.equal(after.ffree, before.ffree - 1)
  assert.throws(() => box.appendFileSync('/new', Buffer.alloc(40_000)), { code: 'EDQUOT', syscall: 'write' })
  box.writeFileSync('/two', '')
  box.writeFileSync('/three', '')
  assert.throws(() => box.mkdirSync('/four'), { code: 'EDQUOT', syscall: 'mkdir', path: '/four' })
  assert.equal(make().box.statfsSync('/', { bigint: true }).bavail > 0n, true)
})

test('copyFile and cp of what lies in a layer copy no byte', async () => {
  const { box, upper } = make({ maxBytes: 10 })
  box.copyFileSync('/big', '/copy')
  await box.promises.copyFile('/copy', '/again')
  box.cpSync('/etc', '/tree', { recursive: true })
  assert.equal(upper.usedBytes, 0)
  assert.deepEqual(box.readFileSync('/again'), box.readFileSync('/big'))
  assert.equal(box.readFileSync('/tree/file', 'utf8'), 'content')
  assert.throws(() => box.copyFileSync('/big', '/etc/file'), { code: 'EDQUOT', syscall: 'copyfile', dest: '/etc/file' })
})

test('the tree of an rm is one whiteout, whatever was done in it', async () => {
  const { box, upper } = make()
  box.writeFileSync('/etc/new', 'x')
  box.mkdirSync('/etc/d')
  await box.promises.rm('/etc', { recursive: true })
  assert.deepEqual(box.readdirSync('/'), ['big'])
  assert.equal(upper.usedEntries, 2)
  for (let at = 0; at < 3000; at++) box.writeFileSync(`/n${at}`, '')
  box.mkdirSync('/many')
  for (let at = 0; at < 3000; at++) box.renameSync(`/n${at}`, `/many/n${at}`)
  await box.promises.rm('/many', { recursive: true })
  assert.equal(upper.usedEntries, 2)
})
