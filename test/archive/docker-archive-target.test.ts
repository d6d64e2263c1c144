import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { DockerArchiveTarget } from '../../src/archive/docker-archive-target.js'
import type { StoredImage } from '../../src/images/target.js'
import { imagesIn, scratch, summaryOf } from '../build/archive.js'
import { configOf, digestOf, imageIdOf, layerTar, type MadeImage, ociTypes, sha256 } from '../build/image.js'
import { readMembers } from '../build/members.js'
import { storedImage, tarLayer } from '../build/stored-image.js'

const base = layerTar({ 'etc/os-release': 'ID=test\n', big: 'z'.repeat(2_500_000) })
const upper = layerTar({ 'srv/app': 'two' })
const history = (...steps: string[]) => ({ history: steps.map(created_by => ({ created_by })) })
const parent: MadeImage = { layers: [base], tags: ['base:1'], config: history('a') }
const app: MadeImage = { layers: [base, upper], tags: ['app:v1', 'localhost:5000/app:v2'], config: history('a', 'b') }
const untagged: MadeImage = { layers: [upper, base, upper] }

async function written(t: TestContext, images: readonly StoredImage[]): Promise<Buffer> {
  const path = join(await scratch(t), 'out.tar')
  const target = new DockerArchiveTarget(path)
  await target.write(images)
  const bytes = await readFile(path)
  assert.equal(target.bytesWritten, bytes.length)
  assert.deepEqual(await readdir(dirname(path)), ['out.tar'])
  return bytes
}

test('the documents of docker-store facts 8.4, character by character', async t => {
  const members = await readMembers(await written(t, [storedImage(app, parent), storedImage(parent)]))
  const blob = (bytes: Buffer) => `blobs/sha256/${sha256(bytes)}`
  const descriptor = (layer: Buffer) =>
    `{"mediaType":"${ociTypes.layer}","digest":"${digestOf(layer)}","size":${layer.length}}`
  const manifestOf = (image: MadeImage) =>
    Buffer.from(
      `{"schemaVersion":2,"mediaType":"${ociTypes.manifest}","config":{"mediaType":"${ociTypes.config}",` +
        `"digest":"${imageIdOf(image)}","size":${configOf(image).length}},"layers":[${image.layers.map(descriptor)}]}`,
    )
  const sources = (image: MadeImage) =>
    `{${[...image.layers].sort((a, b) => (digestOf(a) < digestOf(b) ? -1 : 1)).map(layer => `"${digestOf(layer)}":${descriptor(layer)}`)}}`
  const item = (image: MadeImage, tags: string, extra = '') =>
    `{"Config":"${blob(configOf(image))}","RepoTags":[${tags}],"Layers":[${image.layers.map(layer => `"${blob(layer)}"`)}]${extra},"LayerSources":${sources(image)}}`
  const entry = (image: MadeImage, name: string, tag: string) =>
    `{"mediaType":"${ociTypes.manifest}","digest":"${digestOf(manifestOf(image))}","size":${manifestOf(image).length},` +
    `"annotations":{"io.containerd.image.name":"${name}","org.opencontainers.image.ref.name":"${tag}"}}`
  const text = (name: string) => String(members.get(name)?.body)
  assert.equal(
    text('manifest.json'),
    `[${item(app, '"app:v1","localhost:5000/app:v2"', `,"Parent":"${imageIdOf(parent)}"`)},${item(parent, '"base:1"')}]\n`,
  )
  assert.equal(
    text('index.json'),
    `{"schemaVersion":2,"mediaType":"${ociTypes.index}","manifests":[${entry(app, 'docker.io/library/app:v1', 'v1')},` +
      `${entry(app, 'localhost:5000/app:v2', 'v2')},${entry(parent, 'docker.io/library/base:1', '1')}]}`,
  )
  assert.equal(text('oci-layout'), '{"imageLayoutVersion": "1.0.0"}')
  assert.equal(
    text('repositories'),
    `{"app":{"v1":"${sha256(upper)}"},"base":{"1":"${sha256(base)}"},"localhost:5000/app":{"v2":"${sha256(upper)}"}}\n`,
  )
  const blobs = [base, upper, configOf(app), configOf(parent), manifestOf(app), manifestOf(parent)]
  assert.deepEqual(
    [...members.keys()],
    ['blobs/', 'blobs/sha256/', ...blobs.map(blob).sort(), 'index.json', 'manifest.json', 'oci-layout', 'repositories'],
  )
  for (const bytes of blobs) assert.equal(digestOf(members.get(blob(bytes))!.body), digestOf(bytes))
  for (const [name, { header }] of members)
    assert.deepEqual(
      [header.uid, header.gid, header.mtime!.getTime(), header.mode],
      [0, 0, 0, name.endsWith('/') ? 0o755 : 0o644],
      name,
    )
})

test('what is written is what our own source reads: tags, layers, parents', async t => {
  const stored = [storedImage(app, parent), storedImage(parent), storedImage(untagged), storedImage({ layers: [] })]
  const images = await imagesIn(t, await written(t, stored))
  const expected = [app, parent, untagged, { layers: [] } as MadeImage].map(image => ({
    imageId: imageIdOf(image),
    config: imageIdOf(image),
    tags: image.tags ?? [],
    diffIds: image.layers.map(digestOf),
    bytes: image.layers.map(digestOf),
  }))
  assert.deepEqual(await summaryOf(images), expected)
  assert.deepEqual(
    images.map(image => image.parent),
    [imageIdOf(parent), undefined, undefined, undefined],
  )
})

test('an image without tags: null in manifest.json, no name in index.json, no repositories', async t => {
  const members = await readMembers(await written(t, [storedImage(untagged, parent)]))
  const [item] = JSON.parse(String(members.get('manifest.json')!.body))
  assert.equal(item.RepoTags, null)
  assert.equal('Parent' in item, false)
  const index = JSON.parse(String(members.get('index.json')!.body))
  assert.equal(index.manifests.length, 1)
  assert.equal('annotations' in index.manifests[0], false)
  assert.equal(members.has('repositories'), false)
})

test('one image asked for twice is one item with the tags of both', async t => {
  const second = storedImage({ ...app, tags: ['app:v1', 'app:again'] })
  const members = await readMembers(await written(t, [storedImage(app), second]))
  const items = JSON.parse(String(members.get('manifest.json')!.body))
  assert.deepEqual(
    items.map((item: { RepoTags: string[] }) => item.RepoTags),
    [['app:v1', 'localhost:5000/app:v2', 'app:again']],
  )
})

test('saving twice gives the same bytes, to a file and to a stream', async t => {
  const images = () => [storedImage(app, parent), storedImage(parent)]
  const first = await written(t, images())
  const stream = new PassThrough()
  const [collected] = await Promise.all([buffer(stream), new DockerArchiveTarget(stream).write(images())])
  assert.equal(digestOf(await written(t, images())), digestOf(first))
  assert.equal(digestOf(Buffer.from(collected)), digestOf(first))
})

test('a layer that ends early, or fails, leaves no file and what was there before as it was', async t => {
  const whole = await scratch(t)
  const path = join(whole, 'out.tar')
  await new DockerArchiveTarget(path).write([storedImage(parent)])
  const before = digestOf(await readFile(path))
  const short = { ...tarLayer(base), tarBytes: base.length + 1 }
  const failing = {
    ...tarLayer(base),
    readTar: async (position: number, into: Uint8Array) => {
      if (position > 1_500_000) throw new Error('the disk is broken')
      return into.length
    },
  }
  for (const [layer, error] of [
    [short, { code: 'STORE_CORRUPT' }],
    [failing, { message: 'the disk is broken' }],
  ] as const) {
    const image = { ...storedImage(app), layers: [layer, tarLayer(upper)] }
    await assert.rejects(new DockerArchiveTarget(path).write([image]), error)
    assert.deepEqual(await readdir(whole), ['out.tar'])
    assert.equal(digestOf(await readFile(path)), before)
  }
})

test('an abort leaves nothing and rejects with its reason', async t => {
  const path = await scratch(t)
  const abort = new AbortController()
  const onProgress = (_: string, done: number) => done > 1_000_000 && abort.abort(new Error('enough'))
  const target = new DockerArchiveTarget(join(path, 'out.tar'), {
    signal: abort.signal,
    onProgress: (s, d) => void onProgress(s, d),
  })
  await assert.rejects(target.write([storedImage(app)]), { message: 'enough' })
  assert.deepEqual(await readdir(path), [])
  const aborted = new DockerArchiveTarget(join(path, 'out.tar'), { signal: AbortSignal.abort(new Error('no')) })
  await assert.rejects(aborted.write([storedImage(app)]), { message: 'no' })
  assert.deepEqual(await readdir(path), [])
})

test('progress names each layer by its short id and ends at its size', async t => {
  const last = new Map<string, string>()
  const onProgress = (subject: string, done: number, total: number) => void last.set(subject, `${done}/${total}`)
  await new DockerArchiveTarget(join(await scratch(t), 'out.tar'), { onProgress }).write([storedImage(app)])
  const short = (layer: Buffer) => sha256(layer).slice(0, 12)
  assert.deepEqual(
    last,
    new Map(
      [base, upper].sort((a, b) => (sha256(a) < sha256(b) ? -1 : 1)).map(l => [short(l), `${l.length}/${l.length}`]),
    ),
  )
})
