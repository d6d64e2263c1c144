/** The reserve of a store: who takes from it on a full disk, who does not, and that it comes back. The disk is full as long as it stands. */
import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Io, nodeIo } from '../../src/disk/io.js'
import { openRoot, type RootOptions } from '../../src/disk/open-root.js'
import { StorePaths } from '../../src/disk/paths.js'
import { reserveFileBytes, reserveFiles } from '../../src/disk/reserve.js'
import type { Root } from '../../src/disk/root.js'
import { PhylloError } from '../../src/errors.js'
import type { ImageId } from '../../src/oci/digest.js'
import { listing, newRoot, startStoreProcess, watchedIo } from '../build/stores.js'

const fast: RootOptions = { durability: 'none' }
const image = `sha256:${'a'.repeat(64)}` as ImageId
const needRoom = ['mkdir', 'writeNew', 'link', 'symlink', 'rename', 'openLock', 'deleteTree']

const reserveAt = (root: string) => join(root, 'phyllo/reserve')
const count = (root: string) => (existsSync(reserveAt(root)) ? readdirSync(reserveAt(root)).length : 0)
const errno = (operation: string, path: string, code: string) =>
  new PhylloError('STORE_IO', `${operation} ${path}: ${code}`, { operation, path, errno: code })

interface Disk {
  readonly io: Io
  /** What calls fail with while there is a reserve; undefined: nothing. */
  full: string | undefined
  freeBytes: number
}

/** A disk that has room for small things as soon as the reserve is given up. */
function disk(path: string): Disk {
  const watched = watchedIo(({ operation, path: at }) => {
    const isReserve = at.startsWith(reserveAt(path))
    if (made.full === undefined || !needRoom.includes(operation)) return
    // What is there is found without room.
    if (['mkdir', 'openLock'].includes(operation) && existsSync(at)) return
    if (isReserve || count(path) > 0) throw errno(operation, at, made.full)
  })
  const statfs: Io['statfs'] = async at => ({ ...(await nodeIo.statfs(at)), freeBytes: made.freeBytes })
  const made: Disk = { io: { ...watched, statfs }, full: undefined, freeBytes: 2 ** 40 }
  return made
}

async function opened(t: TestContext, driver: 'packed' | 'overlay2' = 'packed') {
  const path = newRoot(t)
  const told = disk(path)
  const root = await openRoot(path, { ...fast, driver, io: told.io })
  t.after(() => root.close())
  return { path, root, told }
}

test('the reserve is bytes that no file system leaves out, and several inodes', async t => {
  const { path } = await opened(t)
  const files = readdirSync(reserveAt(path)).map(name => join(reserveAt(path), name))
  assert.equal(files.length, reserveFiles)
  for (const file of files) {
    const { blocks, mode, size } = statSync(file)
    assert.ok(size === reserveFileBytes && blocks * 512 >= size, `${size} bytes in ${blocks} blocks`)
    assert.equal(mode & 0o777, 0o600)
    assert.ok(new Set(readFileSync(file)).size > 250)
  }
})

/** What frees, or holds something for a moment; the answer says whether it did. */
const freeing: Readonly<Record<string, (root: Root) => Promise<unknown>>> = {
  'names are written anew': root => root.freeing.replaceFile(root.paths.repositories, 'new', 0o600),
  discard: root => root.discard(root.paths.imageConfig(image)),
  toTrash: root => root.toTrash(root.paths.imageConfig(image)),
  'setAside and condemn': async root => root.condemn((await root.setAside(root.paths.imageConfig(image)))!),
  'setAside and restore': async root => root.restore((await root.setAside(root.paths.imageConfig(image)))!),
  sweep: async root => {
    mkdirSync(join(root.paths.trash, 'old.1'))
    await root.sweep()
    assert.deepEqual(readdirSync(root.paths.trash), [])
  },
  lease: async root =>
    (await root.lease({ chains: new Set(), diffIds: new Set(), images: new Set([image]) })).release(),
  'the lock of the first collector': root => root.freeing.withCollectLock(async () => true),
  'an intent of a container': root => root.freeing.intend({ directory: 'x', container: 'f'.repeat(64) }),
  'an intent of a layer': root => root.freeing.intend({ directory: 'x' }),
}

for (const [name, work] of Object.entries(freeing))
  for (const code of ['ENOSPC', 'EDQUOT'])
    test(`${code}: ${name} takes from the reserve, which comes back when there is room`, async t => {
      const { path, root, told } = await opened(t, 'overlay2')
      await root.publishBytes(root.paths.imageConfig(image), 'config', 0o600)
      told.full = code
      await work(root)
      assert.equal(count(path), 0)
      told.full = undefined
      writeFileSync(join(root.paths.trash, 'of-others'), '')
      await root.sweep()
      assert.equal(count(path), reserveFiles)
    })

test('a stage goes on a full disk', async t => {
  const { path, root, told } = await opened(t)
  const stage = await root.stage()
  told.full = 'ENOSPC'
  await stage.dispose()
  assert.equal(count(path), 0)
  assert.deepEqual(readdirSync(root.paths.stages), [])
})

test('what adds to the store does not take from the reserve', async t => {
  const { path, root, told } = await opened(t, 'overlay2')
  told.full = 'ENOSPC'
  const adding = [
    () => root.publishBytes(root.paths.imageConfig(image), 'config', 0o600),
    () => root.replaceFile(root.paths.repositories, 'new', 0o600),
    () => root.stage(),
    () => root.intend({ directory: 'x' }),
    () => root.writeStaged(join(root.paths.stages, 'x'), 'x', 0o600),
  ]
  for (const add of adding) await assert.rejects(add, { code: 'STORE_IO', errno: 'ENOSPC' })
  assert.equal(count(path), reserveFiles)
})

test('a store is opened and closed on a full disk, and what the dead have left goes', async t => {
  const path = newRoot(t)
  const other = await startStoreProcess(t, path)
  const stage = await other.ask('stage')
  await other.kill()
  const told = disk(path)
  told.full = 'ENOSPC'
  const root = await openRoot(path, { ...fast, io: told.io })
  assert.equal(existsSync(stage), false)
  assert.equal(count(path), 0)
  await root.sweep()
  told.full = undefined
  await root.close()
  assert.equal(count(path), reserveFiles, 'made again at the end')
  assert.deepEqual(readdirSync(root.paths.owners), [])
})

test('two at once: both find the room that one of them made', async t => {
  const { root, told } = await opened(t)
  const paths = ['one', 'two', 'three'].map(name => join(root.paths.stages, name))
  for (const path of paths) writeFileSync(path, '')
  told.full = 'ENOSPC'
  const trashed = await Promise.all(paths.map(path => root.toTrash(path)))
  assert.ok(trashed.every(path => path !== undefined && existsSync(path)))
})

test('a call is tried again when another process has given the reserve up meanwhile', async t => {
  const path = newRoot(t)
  let failures = 1
  const io = watchedIo(({ operation, path: at }) => {
    if (operation !== 'rename' || failures-- <= 0) return
    rmSync(reserveAt(path), { recursive: true })
    throw errno(operation, at, 'ENOSPC')
  })
  const root = await openRoot(path, fast)
  writeFileSync(join(root.paths.stages, 'x'), '')
  const second = await openRoot(path, { ...fast, io, tidy: false })
  assert.notEqual(await second.toTrash(join(root.paths.stages, 'x')), undefined)
  await Promise.all([root.close(), second.close()])
})

for (const [code, left] of [
  ['ENOSPC', 0],
  ['EIO', reserveFiles],
] as const)
  test(`${code} in spite of it is the error, and the store is as before`, async t => {
    const path = newRoot(t)
    let fails = false
    const io = watchedIo(({ operation, path: at }) => {
      if (fails && operation === 'rename') throw errno(operation, at, code)
    })
    const root = await openRoot(path, { ...fast, io })
    await root.replaceFile(root.paths.repositories, 'old', 0o600)
    fails = true
    const work = root.freeing.replaceFile(root.paths.repositories, 'new', 0o600)
    await assert.rejects(work, { code: 'STORE_IO', errno: code, operation: 'rename' })
    assert.equal(readFileSync(root.paths.repositories, 'utf8'), 'old')
    assert.deepEqual(readdirSync(root.paths.stages), [])
    assert.equal(count(path), left)
    fails = false
    await root.close()
  })

test('half a file is not in the way of the next try', async t => {
  const path = newRoot(t)
  const plain = await openRoot(path, fast)
  await plain.close()
  let half = true
  const writeNew: Io['writeNew'] = async (at, bytes, ...rest) => {
    if (!half) return nodeIo.writeNew(at, bytes, ...rest)
    half = false
    writeFileSync(at, 'ha')
    throw errno('write', at, 'ENOSPC')
  }
  const root = await openRoot(path, { ...fast, io: { ...nodeIo, writeNew } })
  half = true
  await root.freeing.replaceFile(root.paths.repositories, 'whole', 0o600)
  assert.equal(readFileSync(root.paths.repositories, 'utf8'), 'whole')
  await root.close()
})

test('an older store gets its reserve when it is opened for writing, and only then', async t => {
  const path = newRoot(t)
  await (await openRoot(path, fast)).close()
  rmSync(reserveAt(path), { recursive: true })
  const before = listing(path)
  await (await openRoot(path, { ...fast, readOnly: true })).close()
  assert.deepEqual(listing(path), before)
  const told = disk(path)
  told.full = 'ENOSPC'
  await (await openRoot(path, { ...fast, io: told.io })).close()
  assert.deepEqual(listing(path), before, 'where there is no room for it, it can wait')
  await (await openRoot(path, fast)).close()
  assert.equal(count(path), reserveFiles)
})

test('what a power cut has taken of it is made again', async t => {
  const path = newRoot(t)
  await (await openRoot(path, fast)).close()
  truncateSync(join(reserveAt(path), '3'), 0)
  rmSync(join(reserveAt(path), '5'))
  const untouched = statSync(join(reserveAt(path), '4')).mtimeMs
  await (await openRoot(path, fast)).close()
  for (const name of ['3', '5']) assert.equal(statSync(join(reserveAt(path), name)).size, reserveFileBytes)
  assert.equal(statSync(join(reserveAt(path), '4')).mtimeMs, untouched)
})

test('while there is hardly more room than it takes, the room is left to others', async t => {
  const { path, root, told } = await opened(t)
  writeFileSync(join(root.paths.stages, 'x'), '')
  told.full = 'ENOSPC'
  await root.discard(join(root.paths.stages, 'x'))
  told.full = undefined
  told.freeBytes = 1.5 * reserveFiles * reserveFileBytes
  writeFileSync(join(root.paths.stages, 'y'), '')
  await root.discard(join(root.paths.stages, 'y'))
  assert.equal(count(path), 0)
  told.freeBytes = 2 ** 40
  writeFileSync(join(root.paths.stages, 'z'), '')
  await root.discard(join(root.paths.stages, 'z'))
  assert.equal(count(path), reserveFiles)
})

test('an intent of a layer takes no inode, where a file can have several names', async t => {
  const { path, root, told } = await opened(t, 'overlay2')
  const [owner] = readdirSync(root.paths.owners)
  const links = () => statSync(join(path, 'phyllo/owners', owner!)).nlink
  await root.intend({ directory: 'one' })
  assert.equal(links(), 2)
  const linkless: Io = { ...told.io, link: async (_, to) => Promise.reject(errno('link', to, 'EMLINK')) }
  const other = await openRoot(path, { ...fast, io: linkless })
  const intent = await other.intend({ directory: 'two' })
  assert.equal(readFileSync(intent, 'utf8'), '')
  await other.close()
  const free = await openRoot(path, fast)
  assert.deepEqual(
    (await free.freeIntents()).map(({ directory }) => directory),
    ['two'],
  )
  await free.close()
  assert.deepEqual(new StorePaths(path, 'overlay2').intents, root.paths.intents)
})
