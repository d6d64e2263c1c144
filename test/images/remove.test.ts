/** Removing images by Docker's rules, and what holds besides. What Docker itself says to the scenes: system tests. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { OperationEvent, Store } from '../../src/index.js'
import { imageIdOf, layerTar, legacyArchive } from '../build/image.js'
import { addSceneDigests, expectedOf, runStep } from '../build/removal-run.js'
import { type RemovalScene, removalScenes, sceneArchive } from '../build/removal-scenes.js'
import { archiveFile, leftovers, published, scratchStore } from '../build/store.js'

const repositories = (store: Store) => join(store.root, 'image/packed/repositories.json')

async function storeOf(t: Parameters<typeof scratchStore>[0], scene: RemovalScene): Promise<Store> {
  const store = await scratchStore(t)
  await store.load(archiveFile(t, sceneArchive(scene)))
  addSceneDigests(scene, repositories(store))
  for (const image of scene.containers ?? []) await (await store.create(image)).close()
  return store
}

for (const scene of removalScenes)
  test(scene.name, async t => {
    const store = await storeOf(t, scene)
    for (const step of scene.steps)
      assert.deepEqual(await runStep(store, scene, step), expectedOf(scene, step), step.run.join(' '))
    assert.deepEqual(leftovers(store.root), [])
  })

const app = { layers: [layerTar({ a: 'a' }), layerTar({ b: 'b' })], tags: ['app:v1'] }
const both = { layers: [layerTar({ a: 'a' }), layerTar({ c: 'c' })], tags: ['both:v1'] }

async function loaded(t: Parameters<typeof scratchStore>[0]): Promise<Store> {
  const store = await scratchStore(t)
  await store.load(archiveFile(t, legacyArchive([app, both])))
  return store
}

test('of everything nothing is left: no file, no name, no directory of metadata', async t => {
  const store = await scratchStore(t)
  await store.load(archiveFile(t, legacyArchive([both])))
  await store.remove('both:v1')
  const empty = published(store.root)
  await store.load(archiveFile(t, legacyArchive([app])))
  await store.tag('app:v1', 'app:v2')
  await store.remove('app:v2')
  await store.remove('app:v1')
  assert.deepEqual(published(store.root), empty)
  assert.equal(readFileSync(repositories(store), 'utf8'), '{"Repositories":{}}')
})

test('an image that was removed can come again', async t => {
  const store = await loaded(t)
  await store.remove('app:v1')
  await store.load(archiveFile(t, legacyArchive([app])))
  await using view = await store.view('app:v1')
  assert.equal(view.readFileSync('/b', 'utf8'), 'b')
})

test('a view and a container go on; what only they had is for a later collection', async t => {
  const store = await loaded(t)
  const box = await store.create('app:v1', { name: 'box' })
  const view = await store.view('app:v1')
  const gone = await store.remove('app:v1', { force: true })
  assert.deepEqual(gone, [{ untagged: 'app:v1' }, { deleted: imageIdOf(app) }])
  assert.equal(view.readFileSync('/b', 'utf8'), 'b')
  box.writeFileSync('/b', 'new')
  await box.commit({ tag: 'next:1' })
  assert.equal((await store.image('next:1'))?.parent, undefined)
  await view.close()
  await box.close()
  await store.removeContainer('box')
  const next = await store.remove('next:1')
  // The name, the image, and two layers: the base is of another image, too.
  assert.equal(next.length, 4)
})

test('which container is said, and that it can be forced', async t => {
  const store = await loaded(t)
  const box = await store.create('app:v1')
  await assert.rejects(async () => store.remove('app:v1'), {
    code: 'IMAGE_IN_USE',
    image: imageIdOf(app),
    container: box.id,
    forcible: true,
  })
  await assert.rejects(async () => store.remove('UPPER'), { code: 'REFERENCE_INVALID' })
  await box.close()
})

test('names that cannot be read stay, and so does what they stand in', async t => {
  const store = await loaded(t)
  const file = JSON.parse(readFileSync(repositories(store), 'utf8')) as { Repositories: Record<string, object> }
  file.Repositories.app = { ...file.Repositories.app, 'docker.io/library/app:v9': imageIdOf(app) }
  writeFileSync(repositories(store), JSON.stringify(file))
  await store.remove('app:v1')
  const after = JSON.parse(readFileSync(repositories(store), 'utf8')) as typeof file
  assert.deepEqual(after.Repositories.app, { 'docker.io/library/app:v9': imageIdOf(app) })
  assert.equal(await store.image(imageIdOf(app)), undefined)
})

test('layers that cannot be collected are a warning: the image is gone', async t => {
  const store = await loaded(t)
  const records = join(store.root, 'phyllo/containers')
  mkdirSync(records, { recursive: true })
  writeFileSync(join(records, `${'0'.repeat(64)}.json`), 'damaged')
  const removing = store.remove('app:v1')
  const events: OperationEvent[] = []
  for await (const event of removing) events.push(event)
  assert.deepEqual(await removing, [{ untagged: 'app:v1' }, { deleted: imageIdOf(app) }])
  assert.equal(events.length, 1)
  assert.match(
    events[0]?.type === 'warning' ? events[0].message : '',
    /^layers of the image are left, .*damaged|not JSON/,
  )
  assert.equal(readdirSync(join(store.root, 'image/packed/layerdb/sha256')).length, 3)
})

test('somebody who loads the image again keeps it: its names go, and by id it is in use', async t => {
  const store = await loaded(t)
  const { openRoot } = await import('../../src/disk/open-root.js')
  const root = await openRoot(store.root, { durability: 'none' })
  const lease = await root.lease({ chains: new Set(), diffIds: new Set(), images: new Set([imageIdOf(app) as never]) })
  await assert.rejects(async () => store.remove(imageIdOf(app)), {
    message: `conflict: unable to delete ${imageIdOf(app).slice(7, 19)} (cannot be forced) - image is being loaded, tagged or built on`,
  })
  assert.deepEqual(await store.remove('app:v1'), [{ untagged: 'app:v1' }])
  assert.deepEqual((await store.image(imageIdOf(app)))?.tags, [])
  await lease.release()
  await root.close()
  assert.equal((await store.remove(imageIdOf(app))).length, 2)
})

test('a store for reading only removes nothing', async t => {
  const store = await loaded(t)
  const { Store } = await import('../../src/index.js')
  await using reader = await Store.open(store.root, { readOnly: true })
  const before = published(store.root)
  await assert.rejects(async () => reader.remove('app:v1'), { code: 'STORE_READ_ONLY' })
  assert.deepEqual(published(store.root), before)
})
