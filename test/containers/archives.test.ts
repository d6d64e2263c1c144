/** Archives of containers: parts of them as tars, and tars from anywhere unpacked into them. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Container, Store } from '../../src/index.js'
import { scan } from '../build/scan.js'
import { scratchDir, scratchStore } from '../build/store.js'
import { dir, file, hardlink, symlink, tar } from '../build/tar.js'

const owner = { uid: 12, gid: 34, mtime: 981_158_400 }
const tree = tar([
  dir('d/', { ...owner, mode: 0o750 }),
  file('d/f', 'content', { ...owner, mode: 0o4755 }),
  hardlink('d/h', 'd/f', owner),
  dir('d/sub/', owner),
  file('d/sub/x', Buffer.alloc(3_000_000, 'x'), owner),
  symlink('link', 'd', owner),
])

async function boxWithTree(t: TestContext): Promise<{ store: Store; box: Container }> {
  const store = await scratchStore(t)
  const box = await store.create('scratch', { name: 'box' })
  await box.putArchive(Readable.from([tree]), '/')
  return { store, box }
}

const namesOf = (bytes: Buffer) => scan(bytes).map(({ name }) => name)

/** docker 20.10, run with the same paths. */
const names: readonly (readonly [path: string, ...names: readonly string[]])[] = [
  ['/d', 'd/', 'd/f', 'd/h', 'd/sub/', 'd/sub/x'],
  ['d', 'd/', 'd/f', 'd/h', 'd/sub/', 'd/sub/x'],
  ['/d/', 'd/', 'd/f', 'd/h', 'd/sub/', 'd/sub/x'],
  ['/d/.', './', './f', './h', './sub/', './sub/x'],
  ['/d/sub/..', 'd/', 'd/f', 'd/h', 'd/sub/', 'd/sub/x'],
  ['/d/f', 'f'],
  ['/link', 'link'],
  ['/link/', 'link/', 'link/f', 'link/h', 'link/sub/', 'link/sub/x'],
  ['/link/.', './', './f', './h', './sub/', './sub/x'],
  ['/link/sub/x', 'x'],
  ['/', '/', '/d/', '/d/f', '/d/h', '/d/sub/', '/d/sub/x', '/link'],
  ['.', './', './d/', './d/f', './d/h', './d/sub/', './d/sub/x', './link'],
]

test('getArchive: names begin with the last name of the path', async t => {
  const { box } = await boxWithTree(t)
  for (const [path, ...wanted] of names) assert.deepEqual(namesOf(await buffer(box.getArchive(path))), wanted, path)
})

test('getArchive: what is there, hard links as such, sockets left out and told', async t => {
  const { box } = await boxWithTree(t)
  box.mknodSync('/d/socket', 0o140644)
  const told: string[] = []
  const bytes = await buffer(box.getArchive('/d', { onWarning: message => told.push(message) }))
  const [top, f, h] = scan(bytes)
  assert.deepEqual([top?.mode, top?.uid, top?.gid], [0o750, 12, 34])
  assert.deepEqual([f?.mode, f?.sizeBytes, f?.mtimeSec], [0o4755, 7, 981_158_400])
  assert.deepEqual([h?.type, h?.linkName], ['hardlink', 'd/f'])
  assert.deepEqual(told, ['d/socket: a socket cannot be put into a layer and is left out'])
})

test('getArchive: what is not there is told at once', async t => {
  const { box } = await boxWithTree(t)
  for (const [path, message] of [
    ['/nope', "ENOENT: no such file or directory, getArchive '/nope'"],
    ['/d/f/', "ENOTDIR: not a directory, getArchive '/d/f/'"],
    ['/d/f/x', "ENOTDIR: not a directory, getArchive '/d/f/x'"],
    ['', "ENOENT: no such file or directory, getArchive ''"],
  ] as const)
    assert.throws(() => box.getArchive(path), { message })
  assert.throws(() => box.getArchive(5 as never), { code: 'ERR_INVALID_ARG_TYPE' })
})

test('getArchive: a container that closes meanwhile ends the stream, which holds nothing', async t => {
  const { box } = await boxWithTree(t)
  const untouched = box.getArchive('/')
  const stream = box.getArchive('/')
  const iterator = stream[Symbol.asyncIterator]()
  await iterator.next()
  await box.close()
  await assert.rejects(
    async () => {
      for (;;) if ((await iterator.next()).done) return
    },
    { code: 'STORE_CLOSED' },
  )
  await assert.rejects(buffer(untouched), { code: 'STORE_CLOSED' })
})

test('getArchive: that holds for what has no content, too', async t => {
  const { box } = await boxWithTree(t)
  box.mkdirSync('/many')
  for (let i = 0; i < 6000; i++) box.writeFileSync(`/many/${i}`, '')
  const iterator = box.getArchive('/many')[Symbol.asyncIterator]()
  await iterator.next()
  await box.close()
  await assert.rejects(
    async () => {
      for (;;) if ((await iterator.next()).done) return
    },
    { code: 'STORE_CLOSED' },
  )
})

test('what one gives another takes: the same tree', async t => {
  const { store, box } = await boxWithTree(t)
  const other = await store.create('scratch')
  other.mkdirSync('/to')
  await other.putArchive(box.getArchive('/d'), '/to')
  assert.deepEqual(namesOf(await buffer(other.getArchive('/to/d'))), names[0]!.slice(1))
  const stats = other.statSync('/to/d/f')
  assert.deepEqual(
    [stats.mode & 0o7777, stats.uid, stats.gid, stats.mtimeMs, stats.nlink],
    [0o4755, 12, 34, 981_158_400_000, 2],
  )
  assert.equal(other.readFileSync('/to/d/h', 'utf8'), 'content')
})

test('putArchive: out of a file, compressed or not; the report counts', async t => {
  const { box } = await boxWithTree(t)
  const path = join(scratchDir(t), 'in.tar.gz')
  writeFileSync(path, gzipSync(tar([file('zipped', 'z')])))
  const operation = box.putArchive(path, '/d')
  const events = []
  for await (const event of operation) events.push(event.type)
  await operation
  assert.equal(box.readFileSync('/d/zipped', 'utf8'), 'z')
  assert.equal(operation.report.bytesRead, readFileSync(path).length)
  assert.ok(events.includes('progress'))
})

test('putArchive: failures name what and why', async t => {
  const { box } = await boxWithTree(t)
  const put = (bytes: Buffer, path = '/d') => box.putArchive(Readable.from([bytes]), path).then()
  await assert.rejects(put(tree, '/nope'), { code: 'ENOENT', syscall: 'putArchive', path: '/nope' })
  await assert.rejects(put(tree, '/d/f'), { code: 'ENOTDIR' })
  await assert.rejects(put(Buffer.from('no tar'.repeat(300))), { code: 'TAR_INVALID' })
  await assert.rejects(put(gzipSync(tree).subarray(0, 100)), { code: 'COMPRESSION_INVALID' })
  await assert.rejects(box.putArchive('/nope.tar', '/d').then(), { code: 'INPUT_IO', message: /^nope\.tar: / })
  await assert.rejects(box.putArchive(Readable.from(['text']) as never, '/d').then(), TypeError)
})

test('putArchive: an abort ends it while nothing comes, and the container can be used', async t => {
  const { box } = await boxWithTree(t)
  const input = new PassThrough()
  input.write(tar([file('first', '1')]).subarray(0, 1024))
  const abort = new AbortController()
  const operation = box.putArchive(input, '/d', { signal: abort.signal })
  while (!box.existsSync('/d/first')) await new Promise(setImmediate)
  abort.abort(new Error('enough'))
  await assert.rejects(operation.then(), { message: 'enough' })
  assert.equal(input.destroyed, true)
  assert.equal(box.readFileSync('/d/first', 'utf8'), '1')
})
