/** What is pulled and kept as it came is pushed as it came: no byte of it is another one. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { FakeRegistry } from '../build/fake-registry.js'
import { ociTypes } from '../build/image.js'
import { noiseLayer, pullingStore, putImage } from '../build/registry-images.js'

/** As nobody writes them: with another level, spaces, and annotations. */
function oddImage(fake: FakeRegistry) {
  return putImage(
    fake,
    { layers: [noiseLayer('a', 50_000), noiseLayer('b', 70_000)] },
    {
      pack: layer => gzipSync(layer, { level: 1 }),
      change: manifest => Buffer.from(`${JSON.stringify({ ...manifest, annotations: { a: 'ä' } }, undefined, 5)}\n`),
    },
  )
}

for (const how of ['a manifest', 'an index'] as const)
  test(`${how}: digests survive a pull, a collection and a push`, async t => {
    const [from, to] = [await FakeRegistry.start(t), await FakeRegistry.start(t)]
    const { digest, blobs, descriptor } = oddImage(from)
    if (how === 'an index') {
      const platform = { os: 'linux', architecture: 'amd64' }
      const index = { schemaVersion: 2, mediaType: ociTypes.index, manifests: [{ ...descriptor, platform }] }
      from.addManifest(index, { tag: 'v1', type: ociTypes.index })
    }
    const store = await pullingStore(t, { blobs: 'keep' })
    await store.pull(`${from.host}/a/b:v1`, { platform: 'linux/amd64' })
    await store.tag(`${from.host}/a/b:v1`, `${to.host}/c/d:v2`)
    assert.deepEqual((await store.gc()).garbage, [])
    assert.equal((await store.push(`${to.host}/c/d:v2`)).digest, digest)
    assert.ok(to.manifests.get('v2')!.bytes.equals(from.manifests.get(digest)!.bytes))
    for (const blob of blobs) assert.ok(to.blobs.get(blob)!.equals(from.blobs.get(blob)!))
  })

test('a kept document that cannot be read keeps nothing, and nobody from collecting', async t => {
  const from = await FakeRegistry.start(t)
  const { digest } = oddImage(from)
  const store = await pullingStore(t, { blobs: 'keep' })
  await store.pull(`${from.host}/a/b:v1`)
  writeFileSync(`${store.root}/blobs/sha256/${digest.slice(7)}`, 'not JSON')
  assert.deepEqual((await store.gc()).garbage, [])
  assert.equal((await store.check({ depth: 'full' })).findings[0]?.kind, 'blob')
})
