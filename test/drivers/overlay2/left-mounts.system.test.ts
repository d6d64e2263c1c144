/** Mounts that a dockerd which was killed has left in directories that are ours to remove. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { Store } from '../../../src/index.js'
import { remains } from '../../build/docker-root.js'
import { DockerRoots } from '../../build/docker-roots.js'
import { archiveOf, layerTar, legacyArchive } from '../../build/image.js'

const roots = new DockerRoots()
const overlay2 = { driver: 'overlay2', workers: 1, durability: 'none' } as const
const small = { layers: [layerTar({ base: 'b' }), layerTar({ top: 't' })], tags: ['small:1'] }
const layerdb = (root: string) => roots.path(root, 'image/overlay2/layerdb')
const cacheIds = (root: string) =>
  readdirSync(`${layerdb(root)}/sha256`).map(name => readFileSync(`${layerdb(root)}/sha256/${name}/cache-id`, 'utf8'))

test('mounts that are left in what we remove are detached: nothing is deleted through them', async () => {
  const root = 'merged'
  await using store = await Store.open(roots.path(root), overlay2)
  writeFileSync(roots.path('small.tar'), archiveOf(legacyArchive([small])))
  await store.load(roots.path('small.tar'))
  const box = await store.create('small:1', { name: 'box' })
  const other = await store.create('small:1', { name: 'other' })
  box.writeFileSync('/own', 'o')
  const mount = readFileSync(`${layerdb(root)}/mounts/${box.id}/mount-id`, 'utf8')
  await Promise.all([box.close(), other.close()])
  const lower = (id: string) => readFileSync(roots.path(root, 'overlay2', id, 'lower'), 'utf8')
  const merged = roots.mountMerged(root, mount, lower(mount), 'container')
  // And one above it.
  execFileSync('mount', ['-t', 'tmpfs', 'none', merged])
  writeFileSync(`${merged}/not`, 'of the store')
  await store.removeContainer('box')
  assert.equal(existsSync(roots.path(root, 'overlay2', mount)), false)
  assert.deepEqual(roots.mounts(roots.path(root)), [])
  const view = await store.view('small:1')
  assert.deepEqual(view.readdirSync('/').sort(), ['base', 'top'])
  await view.close()
  await store.removeContainer('other')
  const [top] = cacheIds(root).filter(id => existsSync(roots.path(root, 'overlay2', id, 'lower')))
  roots.mountMerged(root, top!, lower(top!), 'layer')
  await store.remove('small:1')
  assert.deepEqual(roots.mounts(roots.path(root)), [])
  assert.deepEqual(remains(roots.path(root)), [])
})
