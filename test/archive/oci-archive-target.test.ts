import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { OciArchiveTarget } from '../../src/archive/oci-archive-target.js'
import type { LayerTar } from '../../src/drivers/layer.js'
import type { StoredImage } from '../../src/images/target.js'
import type { Digest } from '../../src/oci/digest.js'
import { bytesOf, imagesIn, scratch } from '../build/archive.js'
import { configOf, digestOf, imageIdOf, layerTar, type MadeImage, ociTypes, sha256 } from '../build/image.js'
import { readMembers } from '../build/members.js'
import { storedImage } from '../build/stored-image.js'

const base = layerTar({ 'etc/os-release': 'ID=test\n' })
const upper = layerTar({ 'srv/app': 'two' })
const app: MadeImage = { layers: [base, upper, base], tags: ['app:v1', 'localhost:5000/app:v2'] }
const untagged: MadeImage = { layers: [upper] }

/** The job's stand-in: gzips into a file of its own, and counts how often it is asked. */
function gzipping(stage: string) {
  const asked: string[] = []
  return {
    asked,
    async gzipLayer(layer: LayerTar) {
      const tar = Buffer.alloc(layer.tarBytes)
      for (let at = 0; at < tar.length; ) at += await layer.readTar(at, tar.subarray(at))
      const bytes = gzipSync(tar)
      const path = join(stage, `${asked.push(layer.diffId)}.gz`)
      await writeFile(path, bytes)
      return { path, digest: digestOf(bytes) as Digest, sizeBytes: bytes.length }
    },
  }
}

async function written(t: TestContext, images: readonly StoredImage[]): Promise<Buffer> {
  const path = join(await scratch(t), 'out.tar')
  const { gzipLayer, asked } = gzipping(await scratch(t))
  await new OciArchiveTarget(path, { gzipLayer }).write(images)
  assert.deepEqual([...asked].sort(), [...new Set(images.flatMap(({ layers }) => layers.map(l => l.diffId)))].sort())
  return await readFile(path)
}

test('an OCI layout with gzip layers, named as skopeo and containerd name images', async t => {
  const members = await readMembers(await written(t, [storedImage(app), storedImage(untagged)]))
  const index = JSON.parse(String(members.get('index.json')!.body))
  assert.equal(index.mediaType, ociTypes.index)
  assert.deepEqual(
    index.manifests.map((entry: { annotations?: object }) => entry.annotations),
    [
      { 'io.containerd.image.name': 'docker.io/library/app:v1', 'org.opencontainers.image.ref.name': 'app:v1' },
      {
        'io.containerd.image.name': 'localhost:5000/app:v2',
        'org.opencontainers.image.ref.name': 'localhost:5000/app:v2',
      },
      undefined,
    ],
  )
  const blob = (digest: string) => members.get(`blobs/${digest.replace(':', '/')}`)!.body
  const manifest = JSON.parse(String(blob(index.manifests[0].digest)))
  assert.deepEqual(manifest.config, { mediaType: ociTypes.config, digest: imageIdOf(app), size: configOf(app).length })
  assert.deepEqual(
    manifest.layers.map(({ mediaType, size, digest }: { mediaType: string; size: number; digest: string }) => {
      assert.equal(blob(digest).length, size)
      assert.equal(digestOf(blob(digest)), digest)
      return [mediaType, digestOf(gunzipSync(blob(digest)))]
    }),
    app.layers.map(layer => [ociTypes.gzip, digestOf(layer)]),
  )
  assert.equal(String(members.get('oci-layout')!.body), '{"imageLayoutVersion": "1.0.0"}')
  assert.deepEqual([...members.keys()], [...members.keys()].sort())
  assert.equal(members.has('manifest.json'), false)
})

test('our own source reads it back', async t => {
  const images = await imagesIn(t, await written(t, [storedImage(app), storedImage(untagged)]))
  assert.deepEqual(
    images.map(({ imageId }) => imageId),
    [imageIdOf(app), imageIdOf(untagged)],
  )
  assert.deepEqual(
    images[0]!.references.map(({ path, tag }) => `${path}:${tag}`),
    ['library/app:v1', 'app:v2'],
  )
  for (const { range, diffId, digest } of images[0]!.layers) {
    const bytes = await bytesOf(range!)
    assert.deepEqual([digestOf(bytes), digestOf(gunzipSync(bytes))], [digest, diffId])
  }
})

test('saving twice gives the same bytes', async t => {
  assert.equal(sha256(await written(t, [storedImage(app)])), sha256(await written(t, [storedImage(app)])))
})

test('a layer that cannot be gzipped, or whose file went away, leaves no file', async t => {
  const path = await scratch(t)
  const output = join(path, 'out.tar')
  const failing = async (): Promise<never> => {
    throw new Error('no worker')
  }
  await assert.rejects(new OciArchiveTarget(output, { gzipLayer: failing }).write([storedImage(app)]), {
    message: 'no worker',
  })
  const gone = async (layer: LayerTar) => ({ path: join(path, 'gone'), digest: layer.diffId as Digest, sizeBytes: 10 })
  await assert.rejects(new OciArchiveTarget(output, { gzipLayer: gone }).write([storedImage(app)]), {
    code: 'STORE_IO',
  })
  assert.deepEqual(await readdir(path), [])
})
