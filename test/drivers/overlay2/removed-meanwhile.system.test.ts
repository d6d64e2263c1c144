/** A layer that somebody removes while it is read: a dockerd on its own root asks nobody. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Store } from '../../../src/index.js'
import { archiveOf, layerTar, legacyArchive } from '../../build/image.js'
import { ownTmpfs } from '../../build/mounted.js'

const scratch = ownTmpfs()
const whole = Array.from({ length: 60 }, (_, n) => `f${String(n).padStart(2, '0')}`)
const comes = {
  layers: [layerTar({ base: 'b' }), layerTar(Object.fromEntries(whole.map(name => [name, name])))],
  tags: ['comes:1'],
}

test('a layer that is half removed is an error, and not half a tree', async () => {
  const root = join(scratch, 'r')
  writeFileSync(join(scratch, 'one.tar'), archiveOf(legacyArchive([comes])))
  {
    await using store = await Store.open(root, { driver: 'overlay2', workers: 1, durability: 'none' })
    await store.load(join(scratch, 'one.tar'))
  }
  await using early = await Store.open(root, { readOnly: true })
  await using late = await Store.open(root, { readOnly: true })
  const [before, view] = [await early.view('comes:1'), await late.view('comes:1')]
  assert.deepEqual(before.readdirSync('/').sort(), ['base', ...whole])
  // As dockerd does: the record is renamed, then the directory goes, entry by entry.
  const layers = join(root, 'image/overlay2/layerdb/sha256')
  const [chain] = readdirSync(layers).filter(name => existsSync(join(layers, name, 'parent')))
  const cacheId = readFileSync(join(layers, chain!, 'cache-id'), 'utf8')
  renameSync(join(layers, chain!), join(layers, `${chain}-${'1'.repeat(64)}-removing`))
  for (const name of readdirSync(join(root, 'overlay2', cacheId, 'diff')).slice(30))
    rmSync(join(root, 'overlay2', cacheId, 'diff', name))
  assert.throws(() => view.readdirSync('/'), /is being removed/)
  assert.deepEqual(before.readdirSync('/').sort(), ['base', ...whole])
  await Promise.all([before.close(), view.close()])
})
