/** Processes that are killed with a store open: what they held is free, and what they left is cleared up. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openRoot, type RootOptions } from '../../src/disk/open-root.js'
import { hexOf } from '../../src/oci/digest.js'
import { addStack, diffIdOf } from '../build/layers.js'
import { newRoot, startStoreProcess } from '../build/stores.js'

const fast: RootOptions = { durability: 'none' }

for (const [name, env] of [
  ['libc', {}],
  ['flock(1)', { PHYLLO_NATIVE: '0' }],
] as const) {
  test(`leases and stages of the living are left alone, those of the dead are free (${name})`, async t => {
    const path = newRoot(t)
    const other = await startStoreProcess(t, path, env)
    const stage = await other.ask('stage')
    await other.ask('lease', diffIdOf('x'))
    const first = await openRoot(path, fast)
    await first.reap()
    assert.ok(existsSync(stage))
    assert.ok((await first.readLeases()).diffIds.has(diffIdOf('x')))
    await first.close()
    await other.kill()
    const root = await openRoot(path, fast)
    await root.sweep()
    assert.equal(existsSync(stage), false)
    assert.equal((await root.readLeases()).diffIds.size, 0)
    assert.deepEqual(readdirSync(root.paths.trash), [])
    assert.deepEqual(readdirSync(root.paths.owners).length, 1)
    await root.close()
  })
}

test('the root lock goes with the process that held it', async t => {
  const path = newRoot(t)
  const other = await startStoreProcess(t, path)
  const root = await openRoot(path, { ...fast, lockTimeoutMs: 50 })
  await other.ask('lock')
  await assert.rejects(
    root.withLock(async () => 1),
    { code: 'STORE_BUSY', path: root.paths.lock },
  )
  await other.kill()
  assert.equal(await root.withLock(async () => 1), 1)
  await root.close()
})

test('what a killed collector had set aside comes back', async t => {
  const path = newRoot(t)
  const other = await startStoreProcess(t, path)
  await other.ask('add', diffIdOf('a'))
  const file = join(path, 'packed', `${hexOf(diffIdOf('a'))}.tar.lz4`)
  const directory = join(path, 'image/packed/layerdb/sha256', hexOf(diffIdOf('a')))
  await other.ask('setAside', file)
  await other.ask('setAside', directory)
  assert.deepEqual([existsSync(file), existsSync(directory)], [false, false])
  await other.kill()
  const root = await openRoot(path, fast)
  assert.deepEqual([existsSync(file), existsSync(join(directory, 'diff'))], [true, true])
  assert.deepEqual(readdirSync(root.paths.limbo), [])
  await root.close()
})

test('limbo of the dead does not replace what came after', async t => {
  const path = newRoot(t)
  const other = await startStoreProcess(t, path)
  await other.ask('add', diffIdOf('a'))
  const file = join(path, 'packed', `${hexOf(diffIdOf('a'))}.tar.lz4`)
  const directory = join(path, 'image/packed/layerdb/sha256', hexOf(diffIdOf('a')))
  for (const target of [file, directory]) await other.ask('setAside', target)
  await other.kill()
  const before = await openRoot(path, { ...fast, readOnly: true })
  await before.close()
  writeFileSync(file, 'later')
  const root = await openRoot(path, fast)
  assert.equal(readFileSync(file, 'utf8'), 'later')
  assert.deepEqual(readdirSync(root.paths.limbo), [])
  await addStack(root, [diffIdOf('a')])
  await root.close()
})

test('several processes and stores count to the same number', async t => {
  const path = newRoot(t)
  const others = await Promise.all([startStoreProcess(t, path), startStoreProcess(t, path)])
  const root = await openRoot(path, fast)
  writeFileSync(root.paths.repositories, '0')
  const mine = Promise.all(
    Array.from({ length: 20 }, () =>
      root.withLock(async () => {
        const before = Number(readFileSync(root.paths.repositories, 'utf8'))
        await root.replaceFile(root.paths.repositories, String(before + 1), 0o600)
      }),
    ),
  )
  await Promise.all([mine, ...others.map(other => other.ask('count', '20', root.paths.repositories))])
  assert.equal(readFileSync(root.paths.repositories, 'utf8'), '60')
  await root.close()
})
