import assert from 'node:assert/strict'
import { chmodSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openRoot, type RootOptions } from '../../src/disk/open-root.js'
import { StorePaths } from '../../src/disk/paths.js'
import { listing, newRoot, startStoreProcess, watchedIo } from '../build/stores.js'

const fast: RootOptions = { durability: 'none' }

/** Docker's table of modes (its daemon runs with umask 022); phyllo/ and packed/ are ours. */
const newStore = [
  '0710 .',
  '0700 image',
  '0700 image/packed',
  '0700 image/packed/imagedb',
  '0700 image/packed/imagedb/content',
  '0700 image/packed/imagedb/content/sha256',
  '0700 image/packed/imagedb/metadata',
  '0700 image/packed/imagedb/metadata/sha256',
  '0700 image/packed/layerdb',
  '0755 image/packed/layerdb/sha256',
  '0755 image/packed/layerdb/mounts',
  '0700 image/packed/distribution',
  '0755 image/packed/distribution/diffid-by-digest',
  '0755 image/packed/distribution/diffid-by-digest/sha256',
  '0755 image/packed/distribution/v2metadata-by-diffid',
  '0755 image/packed/distribution/v2metadata-by-diffid/sha256',
  '0710 packed',
  '0700 phyllo',
  '0700 phyllo/containers',
  '0700 phyllo/limbo',
  '0600 phyllo/lock',
  '0700 phyllo/owners',
  '0700 phyllo/reserve',
  ...Array.from({ length: 8 }, (_, at) => `0600 phyllo/reserve/${at}`),
  '0700 phyllo/stages',
  '0600 phyllo/store.json',
  '0700 phyllo/trash',
]

for (const umask of [0o022, 0o077, 0o000]) {
  test(`a new store has Docker's modes, with umask ${umask.toString(8)}`, async t => {
    const path = newRoot(t)
    const before = process.umask(umask)
    t.after(() => process.umask(before))
    const root = await openRoot(path, fast)
    await root.close()
    const names = listing(path).map(line => line.split(' ').slice(0, 2).join(' '))
    assert.deepEqual(names, [...newStore].sort())
    assert.equal(
      readFileSync(join(path, 'phyllo/store.json'), 'utf8'),
      '{"version":1,"driver":"packed","lock":"flock"}\n',
    )
  })
}

test('reading writes nothing: a root that is not there, an empty folder, a store', async t => {
  const path = newRoot(t)
  const watched = watchedIo(({ operation, path }) =>
    assert.ok(['readdir', 'readFile', 'status', 'sleep'].includes(operation), `${operation} ${path}`),
  )
  const read = () => openRoot(path, { readOnly: true, io: watched })
  await (await read()).close()
  assert.equal(lstatSync(path, { throwIfNoEntry: false }), undefined)
  mkdirSync(path)
  await (await read()).close()
  assert.deepEqual(listing(path).length, 1)
  await (await openRoot(path, fast)).close()
  const before = listing(path)
  const root = await read()
  assert.equal(root.readOnlyReason, 'it was opened with readOnly')
  for (const write of [() => root.withLock(async () => 1), () => root.stage(), () => root.discard(path)]) {
    await assert.rejects(async () => write(), { code: 'STORE_READ_ONLY' })
  }
  const lease = await root.lease({ chains: new Set(), diffIds: new Set(), images: new Set() })
  await lease.release()
  await root.close()
  assert.deepEqual(listing(path), before)
})

test('a store that may not be written can be read', async t => {
  const path = newRoot(t)
  await (await openRoot(path, fast)).close()
  for (const folder of ['phyllo', '.']) chmodSync(join(path, folder), 0o500)
  const root = await openRoot(path, { readOnly: true })
  assert.equal(root.paths.driver, 'packed')
  await root.close()
  for (const folder of ['.', 'phyllo']) chmodSync(join(path, folder), 0o700)
})

test('the driver is the store’s own, and another one is refused', async t => {
  const path = newRoot(t)
  await (await openRoot(path, { ...fast, driver: 'overlay2' })).close()
  const root = await openRoot(path, fast)
  assert.equal(root.paths.driver, 'overlay2')
  await root.close()
  await assert.rejects(openRoot(path, { ...fast, driver: 'packed' }), { code: 'DRIVER_MISMATCH', driver: 'overlay2' })
})

test('a root of Docker has no store.json and is what its directories say', async t => {
  const path = newRoot(t)
  mkdirSync(join(path, 'overlay2/l'), { recursive: true })
  const root = await openRoot(path, { readOnly: true })
  assert.equal(root.paths.driver, 'overlay2')
  await root.close()
  mkdirSync(join(path, 'packed/x'), { recursive: true })
  await assert.rejects(openRoot(path, { readOnly: true }), { code: 'STORE_CORRUPT' })
})

test('a newer format opens for reading, and a write says why not', async t => {
  const path = newRoot(t)
  await (await openRoot(path, fast)).close()
  const file = new StorePaths(path, 'packed').storeFile
  writeFileSync(file, '{"version":2,"driver":"packed","lock":"lease-server","more":[]}')
  const before = listing(path)
  const root = await openRoot(path, fast)
  assert.match(root.readOnlyReason ?? '', /version 2/)
  await assert.rejects(async () => root.stage(), { code: 'STORE_VERSION' })
  await root.close()
  assert.deepEqual(listing(path), before)
  writeFileSync(file, '{"version":1,"driver":"packed","lock":"lease-server"}')
  await assert.rejects(async () => (await openRoot(path, fast)).stage(), { code: 'STORE_READ_ONLY' })
  writeFileSync(file, '{"version":2,"driver":"zfs","lock":"flock"}')
  await assert.rejects(openRoot(path, fast), { code: 'STORE_VERSION' })
})

for (const text of [
  '',
  '{',
  'null',
  '[]',
  '{"version":0}',
  '{"version":1,"driver":"vfs","lock":"flock"}',
  '\0'.repeat(47),
]) {
  test(`store.json of ${JSON.stringify(text.slice(0, 12))} is corrupt`, async t => {
    const path = newRoot(t)
    await (await openRoot(path, fast)).close()
    const file = new StorePaths(path, 'packed').storeFile
    writeFileSync(file, text)
    await assert.rejects(openRoot(path, fast), { code: 'STORE_CORRUPT', path: file })
  })
}

test('metadata that is too large is not read', async t => {
  const path = newRoot(t)
  await (await openRoot(path, fast)).close()
  writeFileSync(new StorePaths(path, 'packed').storeFile, ' '.repeat(65_537))
  await assert.rejects(openRoot(path, fast), { code: 'STORE_CORRUPT' })
})

test('without a lock protocol a store opens for reading', async t => {
  const path = newRoot(t)
  const root = await openRoot(path, { ...fast, flock: async () => undefined })
  assert.match(root.readOnlyReason ?? '', /no way to lock/)
  assert.equal(lstatSync(path, { throwIfNoEntry: false }), undefined)
  await assert.rejects(async () => root.stage(), { code: 'STORE_READ_ONLY' })
})

test('many open a new store at once: it is made once, and all are owners', async t => {
  const path = newRoot(t)
  const roots = await Promise.all(Array.from({ length: 5 }, () => openRoot(path, fast)))
  assert.equal((await roots[0]!.io.readdir(roots[0]!.paths.owners)).length, 5)
  await Promise.all(roots.map(root => root.close()))
  assert.deepEqual(await roots[0]!.io.readdir(roots[0]!.paths.owners), [])
})

test('with PHYLLO_NATIVE=0 locks go through flock(1), and exclude those who use libc', async t => {
  const path = newRoot(t)
  const other = await startStoreProcess(t, path, { PHYLLO_NATIVE: '0' })
  await other.ask('lock')
  const opening = openRoot(path, { ...fast, lockTimeoutMs: 100 })
  await assert.rejects(opening, { code: 'STORE_BUSY' })
  await other.kill()
  const root = await openRoot(path, fast)
  assert.equal(root.readOnlyReason, undefined)
  await root.close()
})

test('close is idempotent, and afterwards everything says STORE_CLOSED', async t => {
  const root = await openRoot(newRoot(t), fast)
  const stage = await root.stage()
  await Promise.all([root.close(), root.close()])
  await root.close()
  assert.equal(lstatSync(stage.path, { throwIfNoEntry: false }), undefined)
  await assert.rejects(async () => root.stage(), { code: 'STORE_CLOSED' })
  await assert.rejects(async () => root.publishBytes(root.paths.repositories, '', 0o600), { code: 'STORE_CLOSED' })
})
