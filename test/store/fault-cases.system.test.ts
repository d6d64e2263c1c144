/** Failing calls that once did harm with driver overlay2, one test each. */
import '../build/failing-fs.js'
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const { failingFs } = await import('../build/failing-fs.js')
const { assertTold, faultStore } = await import('../build/fault-store.js')

test('making a directory with its parents tells a failed call of the store as what it is', async t => {
  const { store, failure } = await faultStore(t, { a: ['keep:1'] }, 'overlay2')
  const box = await store.create('keep:1', { name: 'box' })
  const make = async () => void box.mkdirSync('/deep/er', { recursive: true })
  assertTold(await failure({ errno: 'EIO', only: /^lchown .*work/ }, make), 'STORE_IO', 'lchown', 'EIO')
  await make()
  assert.ok(box.statSync('/deep/er').isDirectory())
  await box.close()
})

test('a layer that cannot be published leaves no directory, and no intent', async t => {
  const { root, store, archive, failure } = await faultStore(t, { a: ['keep:1'] }, 'overlay2')
  await store.remove('keep:1')
  for (const only of [/^syncfs .*tar-split/, /^rename .*layerdb\/sha256/, /^symlink .*overlay2\/l\//]) {
    const error = await failure({ errno: 'EIO', only }, () => store.load(archive))
    assert.deepEqual([error?.code, error?.errno], ['STORE_IO', 'EIO'])
    assert.deepEqual(readdirSync(join(root, 'phyllo/intents')), [])
    assert.deepEqual(readdirSync(join(root, 'overlay2')), ['l'])
  }
  await store.load(archive)
})

test('a layer that cannot be opened, and a size that cannot be told, leave no descriptor', async t => {
  const { dir, store, failure } = await faultStore(t, { a: ['keep:1'] }, 'overlay2')
  await (await store.create('keep:1', { name: 'box' })).close()
  const held = failingFs.open(dir)
  const fstat = { errno: 'EIO', only: /^fstat .*diff$/ } as const
  assertTold(await failure(fstat, () => store.view('keep:1')), 'STORE_IO', 'fstat', 'EIO')
  assert.deepEqual(failingFs.open(dir), held)
  const sizes = { errno: 'EIO', only: /^open .*layerdb.*size$/, at: 2 } as const
  assert.equal((await failure(sizes, () => store.containers({ size: true })))?.code, 'STORE_IO')
  assert.deepEqual(failingFs.open(dir), held)
})

test('a disk that does not answer is no lack of what driver overlay2 needs', async t => {
  const { root, store, failure } = await faultStore(t, {}, 'overlay2')
  await store.close()
  const { Store } = await import('../../src/index.js')
  const error = await failure({ errno: 'EIO', only: /^lsetxattr / }, () => Store.open(root, { driver: 'overlay2' }))
  assertTold(error, 'STORE_IO', 'lsetxattr', 'EIO')
})

test('what driver overlay2 lacks because a call failed names the call', async t => {
  const { root, store, failure } = await faultStore(t, {}, 'overlay2')
  await store.close()
  const { Store } = await import('../../src/index.js')
  const open = () => Store.open(root, { driver: 'overlay2' })
  assertTold(await failure({ errno: 'EACCES', only: /^mkdir .*probe/ }, open), 'DRIVER_UNSUPPORTED', 'mkdir', 'EACCES')
  const chown = await failure({ errno: 'EROFS', only: /^chown / }, open)
  assertTold(chown, 'DRIVER_UNSUPPORTED', 'chown', 'EROFS')
  assert.match(String(chown?.message), /owners of files \(chown: EROFS\)/)
})
