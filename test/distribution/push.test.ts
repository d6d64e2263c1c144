/** Push: what is asked of a registry, in which order, and what stands there afterwards. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool, Store } from '../../src/index.js'
import { FakeRegistry, refusal, sha256 } from '../build/fake-registry.js'
import { digestOf, legacyArchive } from '../build/image.js'
import { type PushScene, pushScene, storeFor, threeLayers, toldBy, unzipped } from '../build/push-scene.js'
import { quick } from '../build/registry-client.js'
import { archiveFile, leftovers, published, scratchDir } from '../build/store.js'

const short = (layer: Buffer) => digestOf(layer).slice(7, 19)

test('layers and config, each seen there, then the manifest under its tag: Docker’s schema 2, byte for byte', async t => {
  const scene = await pushScene(t)
  const { fake, store, name } = scene
  const configDigest = digestOf(scene.config)
  // A registry that thinks about the config for a while: the manifest waits for it.
  const look = async () => {
    await sleep(200)
    const there = fake.blobs.get(configDigest)
    return there === undefined ? { status: 404 } : { headers: { 'content-length': `${there.length}` } }
  }
  fake.route([[`HEAD /v2/a/b/blobs/${configDigest}`, look]])
  const { result, layers, events } = await toldBy(store.push(name))
  const { bytes, type, blobs, config, manifest } = scene.pushed()
  assert.deepEqual(blobs.map(unzipped), scene.diffIds)
  assert.deepEqual(config, scene.config)
  assert.equal(type, 'application/vnd.docker.distribution.manifest.v2+json')
  const layerJson = blobs.map(blob =>
    [
      '      {',
      '         "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",',
      `         "size": ${blob.length},`,
      `         "digest": "${sha256(blob)}"`,
      '      }',
    ].join('\n'),
  )
  const expected = [
    '{',
    '   "schemaVersion": 2,',
    '   "mediaType": "application/vnd.docker.distribution.manifest.v2+json",',
    '   "config": {',
    '      "mediaType": "application/vnd.docker.container.image.v1+json",',
    `      "size": ${scene.config.length},`,
    `      "digest": "${digestOf(scene.config)}"`,
    '   },',
    '   "layers": [',
    layerJson.join(',\n'),
    '   ]',
    '}',
  ].join('\n')
  assert.equal(bytes.toString(), expected)
  assert.deepEqual(result, { reference: name, digest: sha256(bytes), sizeBytes: bytes.length })
  assert.equal(manifest.layers.length, 3)

  const asked = fake.asked
  assert.equal(asked.at(-1), 'PUT /v2/a/b/manifests/v1')
  assert.equal(asked.filter(one => one.includes('/manifests/')).length, 1)
  // Each blob is looked at after it was sent.
  for (const digest of [...blobs.map(sha256), digestOf(config)]) {
    const put = asked.findLastIndex(one => one.startsWith('PUT') && one.includes(encodeURIComponent(digest)))
    assert.ok(put >= 0 && asked.indexOf(`HEAD /v2/a/b/blobs/${digest}`, put) > put)
  }
  // Top first, as Docker says it.
  const top = [...threeLayers].reverse()
  assert.deepEqual(
    layers.slice(0, 3),
    top.map(layer => `${short(layer)}: Preparing`),
  )
  assert.deepEqual(layers.slice(3).sort(), top.map(layer => `${short(layer)}: Pushed`).sort())
  const said = events.flatMap(event => (event.type === 'image' || event.type === 'tag' ? [event.message] : []))
  assert.deepEqual(said, [
    `The push refers to repository [${fake.host}/a/b]`,
    `v1: digest: ${sha256(bytes)} size: ${bytes.length}`,
  ])
  const progress = events.filter(event => event.type === 'progress')
  assert.ok(progress.every(({ done, total }) => done <= total!))
  const image = await store.image(`${fake.host}/a/b@${sha256(bytes)}`)
  assert.equal(image?.id, digestOf(scene.config))
  assert.deepEqual(leftovers(store.root), [])
  assert.equal(fake.uploads.size, 0)
})

test('what was pushed is noted, as Docker notes it, and the next push asks for it and sends nothing', async t => {
  const scene = await pushScene(t)
  const { fake, store, name } = scene
  const first = await store.push(name)
  const { blobs } = scene.pushed()
  const repository = `${fake.host}/a/b`
  // moby's ComputeV2MetadataHMAC; the AuthConfig of nobody is {}.
  const { createHmac } = await import('node:crypto')
  for (const [at, layer] of threeLayers.entries()) {
    const digest = sha256(blobs[at]!)
    const HMAC = createHmac('sha256', digestOf(Buffer.from('{}')))
      .update(digest + repository)
      .digest('hex')
    assert.deepEqual(scene.notesOf(layer), [{ Digest: digest, SourceRepository: repository, HMAC }])
    const byDigest = join(store.root, 'image/packed/distribution/diffid-by-digest/sha256', digest.slice(7))
    assert.equal(readFileSync(byDigest, 'utf8'), digestOf(layer))
  }
  fake.seen.length = 0
  const again = await toldBy(store.push(name))
  assert.deepEqual(again.result, first)
  assert.deepEqual(
    fake.asked.sort(),
    [
      ...[...blobs.map(sha256), digestOf(scene.config)].map(digest => `HEAD /v2/a/b/blobs/${digest}`),
      'PUT /v2/a/b/manifests/v1',
    ].sort(),
  )
  assert.deepEqual(again.layers.filter(line => line.endsWith(': Layer already exists')).length, 3)
})

test('a blob that is noted and gone is sent again, and its note is not what is left', async t => {
  const scene = await pushScene(t)
  const { fake, store, name } = scene
  const before = await store.push(name)
  const stale = { Digest: sha256('gone'), SourceRepository: `${fake.host}/a/b`, HMAC: '' }
  const top = threeLayers[2]!
  scene.note(top, stale)
  fake.blobs.clear()
  const { result, layers } = await toldBy(store.push(name))
  assert.deepEqual(result, before)
  assert.deepEqual(scene.pushed().blobs.map(unzipped), scene.diffIds)
  assert.equal(layers.filter(line => line.endsWith(': Pushed')).length, 3)
  const notes = scene.notesOf(top)
  assert.deepEqual(
    notes.map(({ Digest }) => Digest),
    [sha256(scene.pushed().blobs[2]!)],
  )
})

test('an image without layers, and one that has the same layer twice', async t => {
  const empty = await pushScene(t, { layers: [] })
  await empty.store.push(empty.name)
  assert.deepEqual(empty.pushed().manifest.layers, [])
  const [layer] = threeLayers
  const twice = await pushScene(t, { layers: [layer!, threeLayers[1]!, layer!] })
  const { layers } = await toldBy(twice.store.push(twice.name))
  assert.deepEqual(twice.pushed().blobs.map(unzipped), twice.diffIds)
  assert.equal(layers.filter(line => line === `${short(layer!)}: Pushed`).length, 1)
})

test('every tag of a repository, what they share once; and no other’s', async t => {
  const scene = await pushScene(t, { tags: ['v1', 'a2'] })
  const { fake, store } = scene
  const more = { layers: [threeLayers[0]!, Buffer.alloc(1024)], tags: [`${fake.host}/a/b:v3`, `${fake.host}/c/d:v1`] }
  await store.load(archiveFile(t, legacyArchive([more])))
  const pushed = await store.pushAll(`${fake.host}/a/b`)
  assert.deepEqual(
    pushed.map(({ reference }) => reference),
    ['a2', 'v1', 'v3'].map(tag => `${fake.host}/a/b:${tag}`),
  )
  assert.equal(pushed[0]?.digest, pushed[1]?.digest)
  assert.notEqual(pushed[0]?.digest, pushed[2]?.digest)
  const puts = fake.asked.filter(one => one.startsWith('PUT') && one.includes('/manifests/'))
  assert.deepEqual(
    puts,
    ['a2', 'v1', 'v3'].map(tag => `PUT /v2/a/b/manifests/${tag}`),
  )
  assert.equal(fake.asked.filter(one => one.startsWith('PATCH')).length, 4)
})

test('the same image gives the same manifest with 0, 1 and 2 workers, in two registries', async t => {
  const digests = new Set<string>()
  for (const workers of [0, 1, 2]) {
    const pool = new Pool({ workers })
    t.after(() => pool.close())
    const scene = await pushScene(t, { pool })
    digests.add((await scene.store.push(scene.name)).digest)
    const other = await FakeRegistry.start(t)
    await scene.store.tag(scene.name, `${other.host}/a/b:v1`)
    digests.add((await scene.store.push(`${other.host}/a/b:v1`)).digest)
  }
  assert.equal(digests.size, 1)
})

test('a store that may only be read: the same manifest, nothing written to it, and nothing left beside it', async t => {
  const scene = await pushScene(t)
  const { fake, store, name } = scene
  const { root } = store
  await store.close()
  const before = published(root)
  const reading = await Store.open(root, {
    readOnly: true,
    workers: 1,
    registry: { retries: quick, certificates: '/nonexistent', credentials: { get: async () => undefined } },
  })
  t.after(() => reading.close())
  const folder = scratchDir(t)
  const old = process.env.TMPDIR
  process.env.TMPDIR = folder
  try {
    await reading.push(name)
  } finally {
    if (old === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = old
  }
  assert.deepEqual(readdirSync(folder), [])
  assert.deepEqual(published(root), before)
  const { bytes, blobs } = scene.pushed()
  assert.deepEqual(blobs.map(unzipped), scene.diffIds)
  const other = await pushScene(t)
  assert.equal((await other.store.push(other.name)).digest, sha256(bytes))
  assert.equal(fake.uploads.size, 0)
})

test('no more layers at once than asked for, and five by default', async t => {
  const layers = Array.from({ length: 8 }, (_, n) => Buffer.alloc(512 * (n + 2)))
  for (const [options, expected] of [
    [{}, 5],
    [{ maxConcurrentUploads: 2 }, 2],
    [{ maxConcurrentUploads: 1 }, 1],
  ] as const) {
    const scene = await pushScene(t, { layers, workers: 0 })
    let [open, most] = [0, 0]
    let ready: () => void = () => undefined
    let full = new Promise<void>(resolve => (ready = resolve))
    // None is answered before as many as may be are there; whoever is more would be seen.
    const route = async () => {
      most = Math.max(most, ++open)
      if (open >= expected || scene.fake.blobs.size + open >= 8) ready()
      await full
      await new Promise(resolve => setTimeout(resolve, 20))
      if (--open === 0) full = new Promise<void>(resolve => (ready = resolve))
      return { status: 202, headers: { location: `/v2/a/b/blobs/uploads/${scene.fake.newUpload()}` } }
    }
    scene.fake.route([['POST /v2/a/b/blobs/uploads/', route]])
    await store8(scene, options)
    assert.equal(most, expected)
  }
  async function store8({ store, name }: PushScene, options: object) {
    const { layers } = await toldBy(store.push(name, options))
    return layers
  }
})

test('those that have no turn yet are said to wait', async t => {
  const scene = await pushScene(t)
  const { layers } = await toldBy(scene.store.push(scene.name, { maxConcurrentUploads: 1 }))
  assert.deepEqual(
    layers.filter(line => line.endsWith(': Waiting')),
    [threeLayers[1]!, threeLayers[0]!].map(layer => `${short(layer)}: Waiting`),
  )
})

test('what cannot be pushed, in Docker’s words', async t => {
  const { fake, store, name } = await pushScene(t)
  const refused = async (work: PromiseLike<unknown>, expected: object) => assert.rejects(async () => work, expected)
  const nobody = 'An image does not exist locally with the tag: '
  await refused(store.push(`${fake.host}/no/body`), {
    code: 'IMAGE_NOT_FOUND',
    message: `${nobody}${fake.host}/no/body`,
  })
  await refused(store.push(`${fake.host}/a/b:v9`), {
    code: 'IMAGE_NOT_FOUND',
    message: `tag does not exist: ${fake.host}/a/b:v9`,
  })
  await refused(store.push(`${fake.host}/a/b`), { code: 'IMAGE_NOT_FOUND', message: /^tag does not exist: .*:latest$/ })
  await refused(store.pushAll('nothing'), { code: 'IMAGE_NOT_FOUND', message: `${nobody}nothing` })
  await refused(store.push(`${fake.host}/a/b@${sha256('')}`), {
    code: 'REFERENCE_INVALID',
    message: /digest reference/,
  })
  await refused(store.pushAll(name), { code: 'REFERENCE_INVALID' })
  await refused(store.push('a/B'), { code: 'REFERENCE_INVALID' })
  for (const maxConcurrentUploads of [0, -1, 1.5, Number.NaN, 1e9])
    await refused(store.push(name, { maxConcurrentUploads }), { name: 'TypeError' })
  await refused(store.push(name, { format: 'v1' as never }), { name: 'TypeError' })
  assert.deepEqual(fake.asked, [])
})

test('a refusal says of which reference; nothing is tagged, and no upload is left', async t => {
  const scene = await pushScene(t)
  const { fake, store, name } = scene
  fake.route([['POST /v2/a/b/blobs/uploads/', { status: 403, ...refusal('DENIED', 'not yours') }]])
  await assert.rejects(async () => store.push(name), {
    code: 'REGISTRY_DENIED',
    reference: name,
    message: new RegExp(`^${name}: POST .*not yours`),
  })
  assert.equal(fake.asked.filter(one => one.startsWith('PUT')).length, 0)
  assert.deepEqual(leftovers(store.root), [])
})

test('a layer that is damaged in the store is told as that, and ends the others', async t => {
  const layers = [threeLayers[0]!, Buffer.concat([threeLayers[1]!, Buffer.alloc(1 << 20)])]
  const { fake, store, name } = await pushScene(t, { layers, workers: 2 })
  const path = join(store.root, 'packed', `${digestOf(layers[1]!).slice(7)}.tar.lz4`)
  const { writeFileSync } = await import('node:fs')
  const bytes = readFileSync(path)
  bytes[100]! ^= 1
  writeFileSync(path, bytes)
  await assert.rejects(async () => store.push(name), { code: 'STORE_CORRUPT', path })
  assert.equal(fake.manifests.size, 0)
  assert.equal(fake.uploads.size, 0)
  assert.deepEqual(leftovers(store.root), [])
})

test('images of a store that is closed are not pushed', async t => {
  const store = await storeFor(t)
  await store.close()
  await assert.rejects(async () => store.push('app:v1'), { code: 'STORE_CLOSED' })
})
