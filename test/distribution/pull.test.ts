/** Pull from a registry that does what it is told: what comes into the store, by which requests, and under which names. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { FakeRegistry } from '../build/fake-registry.js'
import { layerTar } from '../build/image.js'
import { blobRequests, pullingStore, putImage } from '../build/registry-images.js'
import { leftovers } from '../build/store.js'

const two = { layers: [layerTar({ a: 'one' }), layerTar({ b: 'two' })] }

function names(root: string): object {
  return JSON.parse(readFileSync(join(root, 'image/packed/repositories.json'), 'utf8')).Repositories
}

test('by tag: the image is there, its digest and its tag are recorded, and nothing else is left', async t => {
  const fake = await FakeRegistry.start(t)
  const { digest, imageId, blobs } = putImage(fake, two)
  const store = await pullingStore(t)
  const image = await store.pull(`${fake.host}/a/b:v1`)
  assert.equal(image.id, imageId)
  assert.deepEqual(image.tags, [`${fake.host}/a/b:v1`])
  assert.deepEqual(image.digests, [`${fake.host}/a/b@${digest}`])
  await using view = await store.view(`${fake.host}/a/b:v1`)
  assert.equal(view.readFileSync('/a', 'utf8') + view.readFileSync('/b', 'utf8'), 'onetwo')
  assert.deepEqual(names(store.root), {
    [`${fake.host}/a/b`]: { [`${fake.host}/a/b:v1`]: imageId, [`${fake.host}/a/b@${digest}`]: imageId },
  })
  assert.deepEqual(fake.asked.slice(0, 4), [
    'GET /v2/',
    'HEAD /v2/a/b/manifests/v1',
    `GET /v2/a/b/manifests/${digest}`,
    `GET /v2/a/b/blobs/${imageId}`,
  ])
  assert.deepEqual(blobRequests(fake).slice(1).sort(), [...blobs].sort())
  assert.deepEqual(leftovers(store.root), [])
  assert.deepEqual((await store.check({ depth: 'full' })).findings, [])
  for (const blob of blobs) assert.equal(existsSync(join(store.root, 'partial/sha256', blob.slice(7))), false)
})
