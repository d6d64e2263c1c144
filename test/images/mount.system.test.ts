/** An image mounted by the kernel keeps its layers: a mount outlives its process, and no collector takes away what it stands on. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Store } from '../../src/index.js'
import { archiveOf, layerTar, legacyArchive } from '../build/image.js'
import { ownTmpfs } from '../build/mounted.js'
import { archiveFile } from '../build/store.js'

const place = ownTmpfs()

const archive = archiveOf(
  legacyArchive([
    { tags: ['app:v1'], layers: [layerTar({ base: 'base' }), layerTar({ top: 'top' })] },
    { tags: ['app:v2'], layers: [layerTar({ base: 'base' }), layerTar({ other: 'other' })] },
  ]),
)

async function mounted(t: TestContext, name: string) {
  const [root, target] = [join(place, name), join(place, `${name}-mnt`)]
  mkdirSync(target)
  const open = () => Store.open(root, { driver: 'overlay2', durability: 'none', workers: 1 })
  const store = await open()
  await store.load(archiveFile(t, archive))
  await store.mount('app:v1', target)
  t.after(() => {
    if (readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${target} `)) execFileSync('umount', [target])
    rmSync(root, { recursive: true })
  })
  return { store, open, root, target }
}

const layers = (root: string) => readdirSync(join(root, 'overlay2')).filter(name => name !== 'l').length
const records = (root: string) => readdirSync(join(root, 'image/overlay2/layerdb/sha256')).length

test('rmi of a mounted image leaves its layers, also after the process that mounted it; unmounted, they go', async t => {
  const { store, open, root, target } = await mounted(t, 'kept')
  assert.deepEqual([layers(root), records(root)], [3, 3])
  await store.remove('app:v1', { force: true })
  assert.deepEqual([layers(root), records(root)], [3, 3])
  await store.close()
  await using later = await open()
  await later.remove('app:v2', { force: true })
  assert.deepEqual([layers(root), records(root)], [2, 2], 'what is not mounted goes')
  assert.equal(readFileSync(join(target, 'base'), 'utf8') + readFileSync(join(target, 'top'), 'utf8'), 'basetop')
  await later.unmount(target)
  await later.load(archiveFile(t, archive))
  await later.remove('app:v1', { force: true })
  await later.remove('app:v2', { force: true })
  assert.deepEqual([layers(root), records(root)], [0, 0])
  assert.equal(existsSync(join(target, 'base')), false)
})
