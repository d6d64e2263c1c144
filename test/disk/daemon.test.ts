/** A root that somebody uses as a dockerd does: its databases are locked. What a real one locks is in test/system. */
import assert from 'node:assert/strict'
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openRoot } from '../../src/disk/open-root.js'
import { flockProtocol } from '../../src/native/flock.js'
import { listing, newRoot } from '../build/stores.js'

const options = { driver: 'overlay2', durability: 'none' } as const

async function hold(t: TestContext, path: string): Promise<() => void> {
  mkdirSync(dirname(path), { recursive: true })
  const fd = openSync(path, 'a')
  assert.equal(await (await flockProtocol())?.tryExclusive(fd), true)
  let held = true
  const release = () => {
    if (held) closeSync(fd)
    held = false
  }
  t.after(release)
  return release
}

for (const database of ['volumes/metadata.db', 'buildkit/snapshots.db'])
  test(`${database} is locked: STORE_BUSY before anything is written, and readOnly works`, async t => {
    const path = newRoot(t)
    const release = await hold(t, join(path, database))
    const before = listing(path)
    await assert.rejects(openRoot(path, options), { code: 'STORE_BUSY', path, held: join(path, database) })
    const reader = await openRoot(path, { ...options, readOnly: true })
    assert.deepEqual(await reader.io.readdir(path), [dirname(database)])
    assert.deepEqual(listing(path), before)
    release()
    await (await openRoot(path, options)).close()
    assert.ok(existsSync(join(path, 'phyllo/store.json')))
  })

test('every write looks again before it publishes', async t => {
  const path = newRoot(t)
  const root = await openRoot(path, options)
  t.after(() => root.close())
  const final = root.paths.repositories
  const release = await hold(t, join(path, 'volumes/metadata.db'))
  const stage = await root.stage()
  await root.writeStaged(stage.file('file'), 'x', 0o600)
  for (const publish of [
    () => root.replaceFile(final, '{}', 0o600),
    () => root.publishBytes(final, '{}', 0o600),
    () => root.publishFile(stage.file('file'), final, 0o600),
    () => root.publishDirectory(stage.path, join(root.paths.layers, 'a')),
  ])
    await assert.rejects(publish(), { code: 'STORE_BUSY' })
  assert.equal(existsSync(final), false)
  release()
  await root.replaceFile(final, '{}', 0o600)
  await stage.dispose()
})

test('a packed root is nobody else’s', async t => {
  const path = newRoot(t)
  await hold(t, join(path, 'volumes/metadata.db'))
  await (await openRoot(path, { ...options, driver: 'packed' })).close()
})
