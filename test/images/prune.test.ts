/** Removing images that nobody needs, by Docker's rules, and what holds besides. What Docker itself says: system tests. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openRoot } from '../../src/disk/open-root.js'
import { Store } from '../../src/index.js'
import type { ImageId } from '../../src/oci/digest.js'
import { imageIdOf, layerTar, legacyArchive, type MadeImage } from '../build/image.js'
import { pruneScenes } from '../build/prune-scenes.js'
import { addSceneDigests, expectedOf, runStep, type StepResult } from '../build/removal-run.js'
import { type RemovalScene, sceneArchive } from '../build/removal-scenes.js'
import { archiveFile, leftovers, published, scratchStore } from '../build/store.js'

type Context = Parameters<typeof scratchStore>[0]

async function storeOf(t: Context, scene: RemovalScene): Promise<Store> {
  const store = await scratchStore(t)
  await store.load(archiveFile(t, sceneArchive(scene)))
  addSceneDigests(scene, join(store.root, 'image/packed/repositories.json'))
  for (const image of scene.containers ?? []) await (await store.create(image)).close()
  return store
}

const sorted = ({ prints, errors }: StepResult) => ({ prints: prints.toSorted(), errors })

for (const scene of pruneScenes)
  test(scene.name, async t => {
    const store = await storeOf(t, scene)
    for (const step of scene.steps)
      assert.deepEqual(sorted(await runStep(store, scene, step)), sorted(expectedOf(scene, step)), step.run.join(' '))
    assert.deepEqual(leftovers(store.root), [])
  })

const lost: MadeImage = { layers: [layerTar({ lost: 'lost' })] }
const undated: MadeImage = { layers: [layerTar({ undated: 'undated' })], config: { created: undefined } }
const plain: MadeImage = { layers: [layerTar({ plain: 'plain' })], config: { config: null } }

async function loaded(t: Context, ...images: MadeImage[]): Promise<Store> {
  const store = await scratchStore(t)
  await store.load(archiveFile(t, legacyArchive(images)))
  return store
}

test('an image without a date is not older than anything', async t => {
  const store = await loaded(t, undated)
  assert.deepEqual(await store.prune({ filters: ['until=0h'] }), { removed: [], reclaimedBytes: 0 })
  assert.equal((await store.prune()).reclaimedBytes, 'undated'.length)
})

test('an image whose config says nothing has no labels: only those that were asked for go', async t => {
  const store = await loaded(t, plain)
  assert.deepEqual((await store.prune({ filters: ['label=any'] })).removed, [])
  assert.equal((await store.prune({ filters: ['label!=any'] })).removed.length, 2)
})

test('filters that are none', async t => {
  const store = await loaded(t, lost)
  const before = published(store.root)
  for (const [filters, said] of [
    [['nope=1'], "invalid filter 'nope': known are dangling, label, label!, until"],
    [['reference=a'], "invalid filter 'reference': known are dangling, label, label!, until"],
    [['label'], 'filter "label" is not of the form name=value'],
    [['until=1h', 'until=2h'], 'more than one until filter specified'],
    [['until=soon'], '"soon" is not a duration, a time or seconds since 1970'],
    [['dangling=perhaps'], "invalid filter 'dangling=perhaps': true or false"],
  ] as const)
    await assert.rejects(async () => store.prune({ filters }), new TypeError(said))
  assert.deepEqual(published(store.root), before)
})

test('an image that somebody loads again or tags stays, with its names', async t => {
  const tagged = { ...lost, tags: ['lost:1'] }
  const store = await loaded(t, tagged)
  const root = await openRoot(store.root, { durability: 'none' })
  const images = new Set([imageIdOf(lost) as ImageId])
  const lease = await root.lease({ chains: new Set(), diffIds: new Set(), images })
  assert.deepEqual((await store.prune({ all: true })).removed, [])
  assert.deepEqual((await store.image('lost:1'))?.tags, ['lost:1'])
  await lease.release()
  await root.close()
  assert.equal((await store.prune({ all: true })).removed.length, 3)
})

test('a view goes on; what only it has is for a later collection', async t => {
  const store = await loaded(t, { ...lost, tags: ['lost:1'] })
  const view = await store.view('lost:1')
  const { removed, reclaimedBytes } = await store.prune({ all: true })
  assert.deepEqual([removed, reclaimedBytes], [[{ untagged: 'lost:1' }, { deleted: imageIdOf(lost) }], 0])
  assert.equal(view.readFileSync('/lost', 'utf8'), 'lost')
  await view.close()
})

test('aborted before it begins, it removes nothing', async t => {
  const store = await loaded(t, lost)
  const reason = new Error('enough')
  await assert.rejects(async () => store.prune({ signal: AbortSignal.abort(reason) }), reason)
  assert.notEqual(await store.image(imageIdOf(lost)), undefined)
})

test('a store for reading only prunes nothing', async t => {
  const store = await loaded(t, lost)
  await using reader = await Store.open(store.root, { readOnly: true })
  await assert.rejects(async () => reader.prune(), { code: 'STORE_READ_ONLY' })
})
