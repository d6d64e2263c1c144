/** What a registry may say that is wrong, by the rows of the threats: each is a typed error, and nothing of it has a name. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { FakeRegistry, refusal, sha256 } from '../build/fake-registry.js'
import { configOf, digestOf, layerTar, ociTypes } from '../build/image.js'
import { blobRequests, none, pullingStore, putImage } from '../build/registry-images.js'
import { leftovers } from '../build/store.js'

const layers = [layerTar({ a: 'one' }), layerTar({ b: 'two' })]
const image = { layers }

type Manifest = { config: Record<string, unknown>; layers: Record<string, unknown>[] }

/** A pull that must fail in this way, before it has asked for a layer unless `fetches`. */
async function refused(
  t: TestContext,
  prepare: (fake: FakeRegistry) => unknown,
  error: object,
  { fetches = false } = {},
): Promise<void> {
  const fake = await FakeRegistry.start(t)
  await prepare(fake)
  const store = await pullingStore(t)
  await assert.rejects(async () => store.pull(`${fake.host}/a/b:v1`), error)
  assert.deepEqual(await store.images(), [])
  assert.equal(existsSync(join(store.root, 'image/packed/repositories.json')), false)
  assert.deepEqual(leftovers(store.root), [])
  const blobs = new Set(layers.map(layer => digestOf(gzipSync(layer))))
  if (!fetches)
    assert.deepEqual(
      blobRequests(fake).filter(one => blobs.has(one.split(' ')[0]!)),
      [],
    )
}

const changed = (change: (manifest: Manifest) => object) => (fake: FakeRegistry) =>
  putImage(fake, image, { change: manifest => change(structuredClone(manifest) as Manifest) })

/** The manifest as these bytes. */
const raw = (text: (manifest: string) => string | Buffer) => (fake: FakeRegistry) => {
  const { manifest } = putImage(fake, image)
  fake.addManifest(Buffer.from(text(JSON.stringify(manifest))), { tag: 'v1', type: ociTypes.manifest })
}

test('F1: a digest that is none becomes no path and no request', async t => {
  const wrong = [
    'sha256:../../etc/x',
    `sha256:${'A'.repeat(64)}`,
    `sha256:${'a'.repeat(63)}`,
    `sha256:${'a'.repeat(65)}`,
    `sha256:${'a'.repeat(64)}\n`,
    `SHA256:${'a'.repeat(64)}`,
    `md5:${'a'.repeat(32)}`,
    `sha256:${'٣'.repeat(64)}`,
    `${'a'.repeat(10_240)}:${'a'.repeat(64)}`,
  ]
  for (const digest of wrong) {
    await refused(
      t,
      changed(m => ({ ...m, layers: [{ ...m.layers[0], digest }] })),
      { code: 'DIGEST_SYNTAX' },
    )
    await refused(
      t,
      changed(m => ({ ...m, config: { ...m.config, digest } })),
      { code: 'DIGEST_SYNTAX' },
    )
  }
})

test('F2: a manifest that can be read in two ways', async t => {
  await refused(
    t,
    changed(m => ({ ...m, manifests: [] })),
    { code: 'MANIFEST_AMBIGUOUS' },
  )
  await refused(
    t,
    changed(m => ({ ...m, mediaType: ociTypes.index })),
    { code: 'MANIFEST_AMBIGUOUS' },
  )
  await refused(
    t,
    changed(m => ({ ...m, fsLayers: [] })),
    { code: 'MANIFEST_AMBIGUOUS' },
  )
  const list = 'application/vnd.docker.distribution.manifest.list.v2+json'
  const sentAsList = (fake: FakeRegistry) => {
    const { manifest } = putImage(fake, image)
    fake.addManifest(manifest, { tag: 'v1', type: list })
  }
  await refused(t, sentAsList, { code: 'MANIFEST_AMBIGUOUS' })
})

test('F3: JSON that another reader would read otherwise, or not at all', async t => {
  const twice = (m: string) => m.replace('"digest":', `"digest":"sha256:${'0'.repeat(64)}","digest":`)
  await refused(t, raw(twice), { code: 'MANIFEST_AMBIGUOUS' })
  await refused(
    t,
    raw(m => m.replace('"digest":', `"Digest":"sha256:${'0'.repeat(64)}","digest":`)),
    {
      code: 'MANIFEST_AMBIGUOUS',
    },
  )
  for (const wrong of [
    (m: string) => `\ufeff${m}`,
    (m: string) => `${m}x`,
    (m: string) => Buffer.concat([Buffer.from(m.slice(0, -1)), Buffer.from(',"a":"\xff"}', 'latin1')]),
    (m: string) => `${m.slice(0, -1)},"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    (m: string) => m.replace(/"size":\d+/, '"size":1e400'),
    (m: string) => m.replace(/"size":\d+/, '"size":9007199254740993'),
    (m: string) => m.replace(/"size":\d+/, '"size":-1'),
    (m: string) => m + ' '.repeat(5 * 1024 * 1024),
  ])
    await refused(t, raw(wrong), (error: { code: string }) =>
      ['MANIFEST_INVALID', 'MANIFEST_AMBIGUOUS', 'LIMIT_EXCEEDED'].includes(error.code),
    )
})

test('F4: more or fewer layers than the config says, and more than an image has', async t => {
  const text = /layers from manifest don't match image configuration/
  await refused(
    t,
    changed(m => ({ ...m, layers: m.layers.slice(1) })),
    { code: 'MANIFEST_INVALID', message: text },
  )
  await refused(
    t,
    changed(m => ({ ...m, layers: [...m.layers, ...m.layers] })),
    { code: 'MANIFEST_INVALID' },
  )
  await refused(
    t,
    changed(m => ({ ...m, layers: [] })),
    { code: 'MANIFEST_INVALID' },
  )
  const many = changed(m => ({ ...m, layers: Array.from({ length: 10_001 }, () => m.layers[0]) }))
  await refused(t, many, { code: 'LIMIT_EXCEEDED', limit: 'imageLayers' })
})

test('F4: an image without layers is one', async t => {
  const fake = await FakeRegistry.start(t)
  const { imageId } = putImage(fake, { layers: [] })
  const store = await pullingStore(t)
  assert.equal((await store.pull(`${fake.host}/a/b:v1`)).id, imageId)
})

test('F5: a blob that has its digest and is another layer than the config says', async t => {
  const swapped = changed(m => ({ ...m, layers: [m.layers[1], m.layers[0]] }))
  await refused(t, swapped, { code: 'DIFF_ID_MISMATCH', message: /invalid diffID/ }, { fetches: true })
})

test('F5: what was refused once is refused again, and no note of it is left', async t => {
  const fake = await FakeRegistry.start(t)
  const { blobs } = changed(m => ({ ...m, layers: [m.layers[1], m.layers[0]] }))(fake)
  const store = await pullingStore(t)
  for (let i = 0; i < 2; i++)
    await assert.rejects(async () => store.pull(`${fake.host}/a/b:v1`), { code: 'DIFF_ID_MISMATCH' })
  for (const blob of blobs)
    assert.equal(
      existsSync(join(store.root, 'image/packed/distribution/diffid-by-digest/sha256', blob.slice(7))),
      false,
    )
})

test('F6: embedded data that is not what its descriptor says', async t => {
  const data = (text: string) => changed(m => ({ ...m, config: { ...m.config, data: text } }))
  await refused(t, data(Buffer.from('{}').toString('base64')), { code: 'SIZE_MISMATCH' })
  const other = Buffer.from(configOf(image).toString().replace('amd64', 'amd46'))
  await refused(t, data(other.toString('base64')), { code: 'DIGEST_MISMATCH' })
  await refused(t, data('%%%'), { code: 'MANIFEST_INVALID' })
})

test('F6: embedded data that is right spares a request', async t => {
  const fake = await FakeRegistry.start(t)
  const data = configOf(image).toString('base64')
  const { imageId } = changed(m => ({ ...m, config: { ...m.config, data } }))(fake)
  const store = await pullingStore(t)
  assert.equal((await store.pull(`${fake.host}/a/b:v1`)).id, imageId)
  assert.ok(!blobRequests(fake).includes(imageId))
})

test('F7: an annotation that claims the diffId of a layer that is there gains nothing', async t => {
  const fake = await FakeRegistry.start(t)
  putImage(fake, { layers: [layers[0]!] }, { tag: 'base' })
  const evil = gzipSync(layerTar({ evil: 'x' }))
  const { digest } = fake.addBlob(evil)
  const annotations = {
    'containerd.io/uncompressed': digestOf(layers[0]!),
    'io.github.containers.zstd-chunked.diffid': digestOf(layers[1]!),
  }
  changed(m => ({
    ...m,
    layers: [m.layers[0], { ...m.layers[1], digest, size: evil.length, annotations }],
    annotations,
  }))(fake)
  const store = await pullingStore(t)
  await store.pull(`${fake.host}/a/b:base`)
  await assert.rejects(async () => store.pull(`${fake.host}/a/b:v1`), { code: 'DIFF_ID_MISMATCH' })
  assert.deepEqual(
    (await store.images()).map(({ tags }) => tags),
    [[`${fake.host}/a/b:base`]],
  )
  assert.deepEqual((await store.check({ depth: 'full' })).findings, [])
})

test('F10: a foreign layer is asked for of the registry, and of nobody else', async t => {
  const other = await FakeRegistry.start(t)
  const fake = await FakeRegistry.start(t)
  const urls = [`${other.origin}/v2/a/b/blobs/x`, 'http://169.254.169.254/latest', 'file:///etc/passwd']
  const mediaType = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'
  const { blobs, imageId } = changed(m => ({ ...m, layers: m.layers.map(layer => ({ ...layer, mediaType, urls })) }))(
    fake,
  )
  const store = await pullingStore(t)
  assert.equal((await store.pull(`${fake.host}/a/b:v1`)).id, imageId)
  assert.deepEqual(other.asked, [])
  for (const blob of blobs) assert.ok(blobRequests(fake).includes(blob))
})

test('F11: a tag that moves between the two questions, and other bytes for the same digest', async t => {
  const fake = await FakeRegistry.start(t)
  const first = putImage(fake, image)
  const moved = putImage(fake, { layers: [layers[1]!] })
  fake.route([
    [
      'HEAD /v2/a/b/manifests/v1',
      { headers: { 'docker-content-digest': first.digest, 'content-type': ociTypes.manifest } },
    ],
  ])
  const store = await pullingStore(t)
  const pulled = await store.pull(`${fake.host}/a/b:v1`)
  assert.deepEqual([pulled.id, pulled.digests], [first.imageId, [`${fake.host}/a/b@${first.digest}`]])
  const lies = (from: FakeRegistry) => {
    const { digest } = putImage(from, image)
    from.manifests.set(digest, { type: ociTypes.manifest, bytes: from.manifests.get(digest)!.bytes.subarray(1) })
  }
  await refused(t, lies, { code: 'DIGEST_MISMATCH' })
  assert.notEqual(moved.digest, first.digest)
})

test('F11: a header that states a digest proves nothing', async t => {
  const wrongHead = (fake: FakeRegistry) => {
    const { manifest } = putImage(fake, image)
    const bytes = Buffer.from(JSON.stringify(manifest))
    const headers = { 'docker-content-digest': sha256('other'), 'content-type': ociTypes.manifest }
    fake.manifests.set(sha256('other'), { type: ociTypes.manifest, bytes })
    fake.route([['HEAD /v2/a/b/manifests/v1', { headers }]])
  }
  await refused(t, wrongHead, { code: 'DIGEST_MISMATCH' })
})

test('F12: a layer fails after others have come: no name, and what came is no image', async t => {
  const broken = changed(m => m)
  const lastIsGone = (fake: FakeRegistry) => void fake.blobs.delete(broken(fake).blobs.at(-1)!)
  await refused(t, lastIsGone, { code: 'REGISTRY_NOT_FOUND', message: /blob unknown/ }, { fetches: true })
})

test('G9: bodies that go on for ever, or come too slowly, end', async t => {
  const fake = await FakeRegistry.start(t)
  const { blobs } = putImage(fake, { layers: [layers[0]!] })
  const timers = new Set<NodeJS.Timeout>()
  t.after(() => timers.forEach(clearInterval))
  const trickle = (bytes: number, ms: number) => (_seen: unknown, response: import('node:http').ServerResponse) => {
    response.writeHead(200, { 'transfer-encoding': 'chunked' })
    const timer = setInterval(() => response.write(Buffer.alloc(bytes)), ms)
    timers.add(timer)
    response.on('close', () => clearInterval(timer))
    return undefined
  }
  const timeouts = { idleMs: 300 }
  const retries = { attempts: 1, baseMs: 1, longestMs: 1 }
  const store = await pullingStore(t, { registry: { credentials: none, timeouts, retries } })
  fake.route([[`GET /v2/a/b/blobs/${blobs[0]}`, trickle(1000, 1), trickle(1, 50)]])
  await assert.rejects(async () => store.pull(`${fake.host}/a/b:v1`), { code: 'SIZE_MISMATCH' })
  await assert.rejects(async () => store.pull(`${fake.host}/a/b:v1`), { code: 'REGISTRY_UNAVAILABLE' })
  assert.deepEqual(leftovers(store.root), [])
})

test('G9: what is sent encoded, though nothing else than itself was asked for, is refused', async t => {
  const encoded = (fake: FakeRegistry) => {
    const { blobs } = putImage(fake, image)
    const headers = { 'content-encoding': 'gzip' }
    for (const blob of blobs) fake.route([[`GET /v2/a/b/blobs/${blob}`, { headers, body: fake.blobs.get(blob)! }]])
  }
  await refused(t, encoded, { code: 'REGISTRY_PROTOCOL', message: /encoding/ }, { fetches: true })
})

test('schema 1 is refused by its name', async t => {
  const old = (fake: FakeRegistry) => {
    const type = 'application/vnd.docker.distribution.manifest.v1+prettyjws'
    fake.addManifest({ schemaVersion: 1, name: 'a/b', tag: 'v1', fsLayers: [], history: [] }, { tag: 'v1', type })
  }
  await refused(t, old, { code: 'MANIFEST_INVALID', message: /schema 1/ })
})

test('what is no image is refused by its type', async t => {
  const typed = (mediaType: string) => changed(m => ({ ...m, config: { ...m.config, mediaType } }))
  const plugin = 'application/vnd.docker.plugin.v1+json'
  await refused(t, typed(plugin), {
    code: 'MANIFEST_INVALID',
    message: /Encountered remote .*\(plugin\) when fetching/,
    // By which a mirror is not to blame, and nobody else is asked.
    mediaType: plugin,
  })
  const helm = 'application/vnd.cncf.helm.config.v1+json'
  await refused(t, typed(helm), { code: 'MANIFEST_INVALID', message: /unsupported media type "application\/vnd\.cncf/ })
  const layer = changed(m => ({ ...m, layers: [m.layers[0], { ...m.layers[1], mediaType: 'text/plain' }] }))
  await refused(t, layer, { code: 'MANIFEST_INVALID', message: /unsupported media type "text\/plain" of its layer/ })
})

test('a config that is not what its digest says, or no config', async t => {
  const wrong = (fake: FakeRegistry) => {
    const { imageId } = putImage(fake, image)
    fake.blobs.set(imageId, Buffer.from(configOf(image).toString().replace('amd64', 'amd46')))
  }
  await refused(t, wrong, { code: 'DIGEST_MISMATCH', message: /error pulling image configuration/ })
  const none = (fake: FakeRegistry) => {
    const { digest, sizeBytes } = fake.addBlob('{"rootfs":{"type":"tar"}}')
    return changed(m => ({ ...m, config: { ...m.config, digest, size: sizeBytes } }))(fake)
  }
  await refused(t, none, { code: 'CONFIG_INVALID' })
})

test('a missing tag, and a repository that one may not see, are told with their names', async t => {
  const missing = (fake: FakeRegistry) => putImage(fake, image, { tag: 'other' })
  await refused(t, missing, {
    code: 'REGISTRY_NOT_FOUND',
    message: /^manifest for 127.*\/a\/b:v1 not found: .*manifest unknown/,
  })
  const denied = (fake: FakeRegistry) =>
    fake.route([[/manifests/, { status: 403, ...refusal('DENIED', 'not for you') }]])
  await refused(t, denied, {
    code: 'REGISTRY_DENIED',
    message: /^pull access denied for 127.*\/a\/b, repository does not exist or may require.* denied: not for you$/,
  })
})
