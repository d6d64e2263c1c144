/** Manifests, indexes, tags and referrers, as a registry may give them, and as it must not. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import type { PhylloError } from '../../src/errors.js'
import { defaultLimits } from '../../src/limits.js'
import { mediaTypes } from '../../src/oci/media-type.js'
import { endless } from '../build/endless.js'
import { type Answering, FakeRegistry, type Routes, refusal, sha256 } from '../build/fake-registry.js'
import { clientOf, repositoryOf } from '../build/registry-client.js'

const config = { mediaType: mediaTypes.ociConfig, digest: sha256('config'), size: 6 }
const layer = { mediaType: mediaTypes.ociLayerGzip, digest: sha256('layer'), size: 5 }
const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] }
const docker = {
  schemaVersion: 2,
  mediaType: mediaTypes.dockerManifest,
  config: { ...config, mediaType: mediaTypes.dockerConfig },
  layers: [{ ...layer, mediaType: mediaTypes.dockerLayerGzip }],
}
const at = (reference: string) => `/v2/a/b/manifests/${reference}`

async function served(t: TestContext, routes: Routes = []) {
  const fake = await FakeRegistry.start(t, { routes })
  return { fake, repository: repositoryOf(t, fake) }
}

function entryOf(
  { digest, sizeBytes, mediaType }: { digest: string; sizeBytes: number; mediaType: string },
  platform?: object,
) {
  return { mediaType, digest, size: sizeBytes, ...(platform && { platform }) }
}

function indexOf(...manifests: object[]) {
  return { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }
}

test('a tag: asked by HEAD, fetched by its digest, verified', async t => {
  const { fake, repository } = await served(t)
  const { digest, bytes } = fake.addManifest(manifest, { tag: 'v1' })
  const fetched = await repository.manifest('v1')
  assert.deepEqual(fetched.bytes, bytes)
  assert.equal(fetched.digest, digest)
  assert.equal(fetched.document.kind, 'manifest')
  assert.deepEqual(fake.asked.slice(-2), [`HEAD ${at('v1')}`, `GET ${at(digest)}`])
  const accept = fake.seen.at(-1)?.headers.accept
  assert.deepEqual(accept?.split(', '), [
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.oci.image.manifest.v1+json',
    'application/vnd.docker.distribution.manifest.list.v2+json',
    'application/vnd.docker.distribution.manifest.v2+json',
  ])
  assert.deepEqual(await repository.resolve('v1'), {
    digest,
    mediaType: mediaTypes.ociManifest,
    sizeBytes: bytes.length,
  })
  assert.equal(await repository.resolve('v2'), undefined)
})

test('a registry without HEAD or digests: the body alone says what it is', async t => {
  const bytes = JSON.stringify(manifest)
  const { repository } = await served(t, [
    [`HEAD ${at('v1')}`, { status: 405 }],
    [`GET ${at('v1')}`, { headers: { 'content-type': 'text/plain; charset=utf-8' }, body: bytes }],
  ])
  assert.equal((await repository.manifest('v1')).digest, sha256(bytes))
})

for (const status of [400, 403, 501])
  test(`a registry that answers a HEAD with ${status}: a GET says what it has, or why not`, async t => {
    const { fake, repository } = await served(t, [[`HEAD ${at('v1')}`, { status }]])
    const { digest } = fake.addManifest(manifest, { tag: 'v1' })
    assert.equal((await repository.manifest('v1')).digest, digest)
    fake.route([[`GET ${at('v1')}`, { status: 403, ...refusal('DENIED', 'not for you') }]])
    await assert.rejects(repository.manifest('v1'), { code: 'REGISTRY_DENIED', message: /denied: not for you/ })
  })

test('a manifest that breaks off is asked for again, and only so often', async t => {
  const { fake, repository } = await served(t)
  const { digest, bytes } = fake.addManifest(manifest)
  const cut = (_: unknown, response: ServerResponse): undefined => {
    response.writeHead(200, { 'content-type': manifest.mediaType, 'content-length': bytes.length })
    response.write(bytes.subarray(0, 20), () => setTimeout(() => response.destroy(), 10))
  }
  const whole = { headers: { 'content-type': manifest.mediaType }, body: bytes }
  fake.route([[`GET ${at(digest)}`, cut, cut, whole, cut]])
  assert.deepEqual((await repository.manifest(digest)).bytes, bytes)
  await assert.rejects(repository.manifest(digest), { code: 'REGISTRY_UNAVAILABLE' })
  assert.equal(fake.asked.filter(one => one === `GET ${at(digest)}`).length, 6)
})

test('F11: a digest in a header is no evidence', async t => {
  const lying = { 'docker-content-digest': sha256('lie'), 'content-type': manifest.mediaType }
  const bytes = JSON.stringify(manifest)
  const { fake, repository } = await served(t, [
    [`HEAD ${at('v1')}`, { headers: lying }],
    [`GET ${at('v1')}`, { headers: lying, body: bytes }],
  ])
  assert.equal((await repository.manifest('v1')).digest, sha256(bytes))
  fake.route([[`GET ${at(sha256('lie'))}`, { headers: lying, body: bytes }]])
  await assert.rejects(repository.manifest('v1'), { code: 'DIGEST_MISMATCH', expected: sha256('lie') })
})

test('F11: a tag that moves between HEAD and GET: what HEAD said is what comes', async t => {
  const { fake, repository } = await served(t)
  const first = fake.addManifest(manifest, { tag: 'v1' })
  fake.route([
    [
      `HEAD ${at('v1')}`,
      () => {
        fake.addManifest(docker, { tag: 'v1' })
        return { headers: { 'docker-content-digest': first.digest } }
      },
    ],
  ])
  assert.equal((await repository.manifest('v1')).digest, first.digest)
})

test('by digest: other bytes are refused', async t => {
  const { fake, repository } = await served(t)
  const { digest } = fake.addManifest(manifest)
  fake.manifests.set(digest, { type: docker.mediaType, bytes: Buffer.from(JSON.stringify(docker)) })
  await assert.rejects(repository.manifest(digest), { code: 'DIGEST_MISMATCH', expected: digest })
})

test('by descriptor: another size is refused', async t => {
  const { fake, repository } = await served(t)
  const { digest, sizeBytes } = fake.addManifest(manifest)
  await assert.rejects(repository.manifest({ digest, sizeBytes: sizeBytes + 1 }), { code: 'SIZE_MISMATCH' })
})

test('F1: what is neither tag nor digest is never part of a URL', async t => {
  const { fake, repository } = await served(t)
  for (const text of [
    'sha256:../../etc/x',
    `sha256:${'A'.repeat(64)}`,
    `sha256:${'a'.repeat(63)}`,
    'md5:00',
    `${sha256('x')}\n`,
  ])
    await assert.rejects(repository.manifest(text), { code: 'DIGEST_SYNTAX' })
  for (const text of ['', '../x', 'a/b', 'a?b', 'a#b', 'ä', 'x\r\ny', 'a'.repeat(129)])
    await assert.rejects(repository.manifest(text), { code: 'REFERENCE_INVALID' })
  assert.deepEqual(fake.asked, [])
})

const types: readonly (readonly [name: string, document: object, type: string, code: string])[] = [
  ['a header that says another type', manifest, docker.mediaType, 'MANIFEST_AMBIGUOUS'],
  ['an image that is an index, too', { ...manifest, manifests: [] }, manifest.mediaType, 'MANIFEST_AMBIGUOUS'],
  ['an index with layers', { ...indexOf(), layers: [] }, mediaTypes.ociIndex, 'MANIFEST_AMBIGUOUS'],
  ['an image with fsLayers', { ...manifest, fsLayers: [] }, manifest.mediaType, 'MANIFEST_AMBIGUOUS'],
  ['a type that is no image’s', { ...manifest, mediaType: 'text/html' }, 'text/html', 'MANIFEST_INVALID'],
  ['nothing', {}, 'application/json', 'MANIFEST_INVALID'],
]
for (const [name, document, type, code] of types)
  test(`F2: ${name}: ${code}`, async t => {
    const { fake, repository } = await served(t)
    const { digest } = fake.addManifest(document, { type })
    await assert.rejects(repository.manifest(digest), { code })
  })

for (const [name, document, type] of [
  [
    'by its type',
    { schemaVersion: 1, name: 'a/b', fsLayers: [] },
    'application/vnd.docker.distribution.manifest.v1+prettyjws',
  ],
  ['by its shape', { schemaVersion: 1, name: 'a/b', fsLayers: [] }, 'application/json'],
] as const)
  test(`schema 1 is refused in so many words, ${name}`, async t => {
    const { fake, repository } = await served(t)
    fake.addManifest(document, { tag: 'old', type })
    await assert.rejects(repository.manifest('old'), { code: 'MANIFEST_INVALID', message: /schema 1/ })
  })

test('F3: a manifest beyond the limit is not read', async t => {
  const limits = { ...defaultLimits, jsonBytes: 100 }
  const fake = await FakeRegistry.start(t)
  const { digest } = fake.addManifest(manifest)
  const error = { code: 'LIMIT_EXCEEDED', limit: 'jsonBytes', max: 100 }
  await assert.rejects(repositoryOf(t, fake, { limits }).manifest(digest), error)
  const forever: Answering = (_, response) => {
    endless(response, '['.repeat(1000))
    return undefined
  }
  fake.route([[`GET ${at(digest)}`, forever]])
  await assert.rejects(repositoryOf(t, fake, { limits }).manifest(digest), error)
})

test('of an index the image for the platform; attestations and unknown types are none', async t => {
  const { fake, repository } = await served(t)
  const arm = fake.addManifest(manifest)
  const amd = fake.addManifest(docker)
  const index = fake.addManifest(
    indexOf(
      entryOf(amd, { os: 'unknown', architecture: 'unknown' }),
      { ...entryOf(amd), mediaType: 'application/x.other', platform: { os: 'linux', architecture: 's390x' } },
      entryOf(arm, { os: 'linux', architecture: 'arm64', variant: 'v8' }),
      entryOf(amd, { os: 'linux', architecture: 'amd64' }),
    ),
    { tag: 'v1' },
  )
  const image = await repository.image('v1', { platform: { os: 'linux', architecture: 'arm64' } })
  assert.equal(image.digest, arm.digest)
  assert.equal(image.index?.digest, index.digest)
  assert.equal((await repository.image('v1', { platform: { os: 'linux', architecture: 'amd64' } })).digest, amd.digest)
  await assert.rejects(repository.image('v1', { platform: { os: 'linux', architecture: 's390x' } }), {
    code: 'PLATFORM_NOT_FOUND',
    available: ['linux/arm64/v8', 'linux/amd64'],
  })
})

test('F6: what a descriptor embeds is verified, and not asked for', async t => {
  const { fake, repository } = await served(t)
  const bytes = Buffer.from(JSON.stringify(manifest))
  const entry = {
    mediaType: manifest.mediaType,
    digest: sha256(bytes),
    size: bytes.length,
    platform: { os: 'linux', architecture: 'amd64' },
  }
  fake.addManifest(indexOf({ ...entry, data: bytes.toString('base64') }), { tag: 'good' })
  fake.addManifest(indexOf({ ...entry, data: Buffer.from('other').toString('base64') }), { tag: 'bad' })
  const platform = { os: 'linux', architecture: 'amd64' }
  assert.equal((await repository.image('good', { platform })).digest, entry.digest)
  await assert.rejects(repository.image('bad', { platform }), { code: 'SIZE_MISMATCH' })
})

test('an index within an index that is gone leaves the others; where none of them has the platform, it is what is missing', async t => {
  const { fake, repository } = await served(t)
  const inner = indexOf(entryOf(fake.addManifest(manifest), { os: 'linux', architecture: 'arm64' }))
  const gone = { mediaType: mediaTypes.ociIndex, digest: sha256(Buffer.from('gone')), size: 4 }
  fake.addManifest(indexOf(gone, entryOf(fake.addManifest(inner))), { tag: 'v1' })
  const image = await repository.image('v1', { platform: { os: 'linux', architecture: 'arm64' } })
  assert.equal(image.document.kind, 'manifest')
  await assert.rejects(repository.image('v1', { platform: { os: 'linux', architecture: 's390x' } }), error => {
    const { code, message } = error as PhylloError
    assert.equal(code, 'REGISTRY_NOT_FOUND')
    assert.ok(message.includes(gone.digest), message)
    return true
  })
})

test('F9: indexes within indexes end somewhere, in depth and in number', async t => {
  const { fake, repository } = await served(t)
  let inner = fake.addManifest(indexOf())
  for (let depth = 0; depth < 12; depth++) inner = fake.addManifest(indexOf(entryOf(inner)), { tag: 'deep' })
  await assert.rejects(repository.image('deep'), { code: 'LIMIT_EXCEEDED', limit: 'indexDepth' })
  const wide = Array.from({ length: 70 }, (_, i) =>
    entryOf(fake.addManifest({ ...indexOf(), annotations: { i: `${i}` } })),
  )
  fake.addManifest(indexOf(...wide), { tag: 'wide' })
  const before = fake.asked.length
  await assert.rejects(repository.image('wide'), { code: 'REGISTRY_PROTOCOL', max: 64 })
  assert.ok(fake.asked.length - before < 70)
})

test('a manifest is stored with its type, and what the registry makes of it is compared', async t => {
  const { fake, repository } = await served(t)
  const bytes = Buffer.from(JSON.stringify(manifest))
  assert.equal((await repository.put(bytes, manifest.mediaType, { tag: 'v1' })).digest, sha256(bytes))
  assert.equal(fake.seen.at(-1)?.headers['content-type'], manifest.mediaType)
  assert.deepEqual(fake.seen.at(-1)?.body, bytes)
  await repository.put(bytes, manifest.mediaType)
  assert.equal(fake.asked.at(-1), `PUT ${at(sha256(bytes))}`)
  const lying = { status: 201, headers: { 'docker-content-digest': sha256('other') } }
  fake.route([[`PUT ${at('v1')}`, { status: 502 }, lying]])
  await assert.rejects(repository.put(bytes, manifest.mediaType, { tag: 'v1' }), { code: 'DIGEST_MISMATCH' })
  fake.route([[`PUT ${at('v1')}`, { status: 400, ...refusal('MANIFEST_INVALID', 'no') }]])
  const refused = { code: 'REGISTRY_REFUSED', registryCode: 'MANIFEST_INVALID', status: 400 }
  await assert.rejects(repository.put(bytes, manifest.mediaType, { tag: 'v1' }), refused)
})

test('tags: all pages, sorted; null is none', async t => {
  const json = { 'content-type': 'application/json' }
  const { fake, repository } = await served(t, [
    [
      'GET /v2/a/b/tags/list?n=1000',
      {
        headers: { ...json, link: '</v2/a/b/tags/list?n=2&last=v2>; rel="next"' },
        body: '{"name":"a/b","tags":["v2","v10"]}',
      },
    ],
    [
      'GET /v2/a/b/tags/list?n=2&last=v2',
      { headers: { ...json, link: '<list?last=a>;rel=next' }, body: '{"tags":["a"]}' },
    ],
    ['GET /v2/a/b/tags/list?last=a', { headers: json, body: '{"tags":null}' }],
  ])
  assert.deepEqual(await repository.tags(), ['a', 'v10', 'v2'])
  fake.route([['GET /v2/a/b/tags/list?n=1000', { body: '{"tags":"v1"}' }, { body: '[]' }, { body: '{"tags":[1]}' }]])
  for (let i = 0; i < 3; i++) await assert.rejects(repository.tags(), { code: 'REGISTRY_PROTOCOL' })
})

test('tags that two pages have are there once', async t => {
  const { repository } = await served(t, [
    ['GET /v2/a/b/tags/list?n=1000', { headers: { link: '<list?last=v2>; rel=next' }, body: '{"tags":["v1","v2"]}' }],
    ['GET /v2/a/b/tags/list?last=v2', { body: '{"tags":["v2","v3"]}' }],
  ])
  assert.deepEqual(await repository.tags(), ['v1', 'v2', 'v3'])
})

test('a link to the next page that is too long is not the end of a list', async t => {
  const link = `</v2/a/b/tags/list?last=${'x'.repeat(9000)}>; rel="next"`
  const { fake, repository } = await served(t, [[/tags/, { headers: { link }, body: '{"tags":["v1"]}' }]])
  await assert.rejects(repository.tags(), {
    code: 'REGISTRY_PROTOCOL',
    host: fake.host,
    message: /Link: more than 8192/,
  })
})

test('a registry that gives fewer entries at once than are asked for is asked for as many as it gives', async t => {
  const invalid = { status: 400, ...refusal('PAGINATION_NUMBER_INVALID', 'invalid number of results requested') }
  const { fake, repository } = await served(t, [
    [/n=1000/, invalid],
    [
      'GET /v2/_catalog',
      { headers: { link: '</v2/_catalog?last=a&n=1>; rel="next"' }, body: '{"repositories":["a"]}' },
    ],
    ['GET /v2/_catalog?last=a&n=1', { body: '{"repositories":["b"]}' }, invalid],
    ['GET /v2/a/b/tags/list', { body: '{"tags":["v1"]}' }],
  ])
  const client = clientOf(t)
  assert.deepEqual(await client.catalog(fake.host), ['a', 'b'])
  assert.deepEqual(await repository.tags(), ['v1'])
  await assert.rejects(client.catalog(fake.host), { code: 'REGISTRY_REFUSED', status: 400 })
})

test('a list that leads back to itself ends', async t => {
  const { repository } = await served(t, [
    [/tags/, { headers: { link: '</v2/a/b/tags/list?n=1>; rel="next"' }, body: '{"tags":["x"]}' }],
  ])
  await assert.rejects(repository.tags(), { code: 'REGISTRY_PROTOCOL', message: /no end/ })
})

test('G7: a list that leads to another origin is not followed', async t => {
  const other = await FakeRegistry.start(t)
  for (const link of [
    `<${other.origin}/v2/a/b/tags/list>; rel="next"`,
    `<//${other.host}/x>; rel=next`,
    '<http://u:p@127.0.0.1/>; rel=next',
  ]) {
    const { repository } = await served(t, [[/tags/, { headers: { link }, body: '{"tags":[]}' }]])
    await assert.rejects(repository.tags(), { code: 'REGISTRY_REDIRECT' })
  }
  assert.deepEqual(other.asked, [])
})

test('the repositories of a registry', async t => {
  const fake = await FakeRegistry.start(t, {
    routes: [['GET /v2/_catalog?n=1000', { body: '{"repositories":["b","a/c"]}' }]],
  })
  assert.deepEqual(await clientOf(t).catalog(fake.host), ['b', 'a/c'])
})

test('referrers: of the registry’s own list, filtered by it or by us', async t => {
  const { fake, repository } = await served(t)
  const subject = sha256('subject')
  const entries = ['x', 'y'].map(name => ({ ...config, artifactType: `application/${name}` }))
  fake.route([[new RegExp(`GET /v2/a/b/referrers/${subject}`), { body: JSON.stringify(indexOf(...entries)) }]])
  assert.equal((await repository.referrers(subject)).length, 2)
  const [one, ...more] = await repository.referrers(subject, { artifactType: 'application/y' })
  assert.equal(one?.artifactType, 'application/y')
  assert.deepEqual(more, [])
  assert.match(fake.asked.at(-1)!, /\?artifactType=application%2Fy$/)
})

test('referrers: without such a list, under a tag that a push keeps', async t => {
  const { fake, repository } = await served(t)
  const subject = fake.addManifest(manifest)
  assert.deepEqual(await repository.referrers(subject.digest), [])
  const signature = {
    ...manifest,
    artifactType: 'application/sig',
    subject: entryOf(subject),
    annotations: { by: 'me' },
  }
  const bytes = Buffer.from(JSON.stringify(signature))
  for (let i = 0; i < 2; i++) await repository.put(bytes, manifest.mediaType)
  const found = await repository.referrers(subject.digest)
  assert.equal(found.length, 1)
  assert.equal(found[0]?.digest, sha256(bytes))
  assert.equal(found[0]?.sizeBytes, bytes.length)
  assert.equal(found[0]?.artifactType, 'application/sig')
  assert.equal(fake.manifests.get(subject.digest.replace(':', '-'))?.type, mediaTypes.ociIndex)
})
