/** Which manifest an image is pushed with. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { sha256 } from '../build/fake-registry.js'
import { digestOf } from '../build/image.js'
import { notedScene as noted, type PushScene, pushScene, itsBlob as zipped } from '../build/push-scene.js'

const blob = { digest: digestOf(zipped) }

test('an OCI manifest for whoever asks for one', async t => {
  const scene = await pushScene(t)
  await scene.store.push(scene.name, { format: 'oci' })
  const { bytes, type, manifest } = scene.pushed()
  assert.equal(type, 'application/vnd.oci.image.manifest.v1+json')
  assert.equal(manifest.config.mediaType, 'application/vnd.oci.image.config.v1+json')
  assert.ok(manifest.layers.every(({ mediaType }) => mediaType === 'application/vnd.oci.image.layer.v1.tar+gzip'))
  // As containers/image writes it: compact, in the order of the specification.
  assert.equal(bytes.toString(), JSON.stringify(manifest))
  assert.deepEqual(Object.keys(manifest), ['schemaVersion', 'mediaType', 'config', 'layers'])
})

test('a blob that is kept goes as it came, and so does the manifest that fits it', async t => {
  const scene = await noted(t, ['elsewhere.example/x'])
  scene.keep(zipped)
  const original = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      annotations: { 'org.example': 'as it came' },
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: digestOf(scene.config),
        size: scene.config.length,
      },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: blob.digest, size: zipped.length }],
    }),
  )
  const plain = await scene.store.push(scene.name)
  assert.equal(scene.pushed().type, 'application/vnd.docker.distribution.manifest.v2+json')
  assert.ok(scene.pushed().blobs[0]!.equals(zipped))
  // It is known by a digest, whose manifest is kept.
  await knownBy(scene, `elsewhere.example/x@${digestOf(original)}`)
  scene.keep(original)
  const pushed = await scene.store.push(scene.name)
  assert.equal(pushed.digest, digestOf(original))
  assert.ok(scene.pushed().bytes.equals(original))
  // Unless another one is asked for, or it is no longer what it was.
  assert.equal((await scene.store.push(scene.name, { format: 'docker' })).digest, plain.digest)
  scene.keep(Buffer.concat([original, Buffer.from(' ')]), digestOf(original).slice(7))
  assert.equal((await scene.store.push(scene.name)).digest, plain.digest)
})

test('an image that came out of an index has the manifest that it had there', async t => {
  const scene = await noted(t, ['elsewhere.example/x'])
  scene.keep(zipped)
  await scene.store.push(scene.name, { format: 'oci' })
  const { bytes } = scene.pushed()
  const annotated = Buffer.from(JSON.stringify({ ...JSON.parse(bytes.toString()), annotations: { a: 'b' } }))
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [
        { mediaType, digest: sha256('not kept'), size: 8 },
        { mediaType, digest: digestOf(annotated), size: annotated.length },
      ],
    }),
  )
  scene.keep(index)
  scene.keep(annotated)
  await knownBy(scene, `elsewhere.example/x@${digestOf(index)}`)
  assert.equal((await scene.store.push(scene.name)).digest, digestOf(annotated))
})

test('a kept manifest of other layers is not the image’s', async t => {
  const scene = await noted(t, ['elsewhere.example/x'])
  scene.keep(zipped)
  await scene.store.push(scene.name)
  const { manifest, bytes } = scene.pushed()
  const [only] = manifest.layers
  for (const layers of [[], [only, only], [{ ...only, size: 5 }], [{ ...only, digest: sha256('other') }]]) {
    const other = Buffer.from(JSON.stringify({ ...manifest, layers }))
    scene.keep(other)
    await knownBy(scene, `elsewhere.example/x@${digestOf(other)}`)
  }
  assert.equal((await scene.store.push(scene.name)).digest, digestOf(bytes))
})

/** As a pull by digest records it. */
async function knownBy(scene: PushScene, reference: string): Promise<void> {
  const path = `${scene.store.root}/image/packed/repositories.json`
  const names = JSON.parse(readFileSync(path, 'utf8')) as { Repositories: Record<string, Record<string, string>> }
  const repository = reference.split('@')[0]!
  const keys = (names.Repositories[repository] ??= {})
  keys[reference] = digestOf(scene.config)
  writeFileSync(path, JSON.stringify(names))
}
