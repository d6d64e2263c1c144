/** The ways of a layer to a registry that has it somewhere, or that it once came from. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { attemptsFor, checkCandidates, mountCandidates } from '../../src/distribution/push-candidates.js'
import { hmacKey } from '../../src/distribution/push-notes.js'
import type { BlobNote } from '../../src/layers/blob-notes.js'
import type { Digest } from '../../src/oci/digest.js'
import { parseReference } from '../../src/oci/reference.js'
import { type Answering, type FakeRegistry, refusal, type Seen, sha256 } from '../build/fake-registry.js'
import { digestOf, layerTar } from '../build/image.js'
import { type PushScene, pushScene, toldBy, unzipped } from '../build/push-scene.js'
import { file, tar } from '../build/tar.js'

const layer = layerTar({ only: 'one layer\n'.repeat(20_000) })
const zipped = gzipSync(layer, { level: 1 })
const blob = { digest: sha256(zipped), sizeBytes: zipped.length }

async function noted(t: Parameters<typeof pushScene>[0], from: readonly string[], layers = [layer]) {
  const scene = await pushScene(t, { layers })
  const repositories = from.map(path => (path.includes('.') ? path : `${scene.fake.host}/${path}`))
  scene.note(layers[0]!, ...repositories.map(SourceRepository => ({ Digest: blob.digest, SourceRepository, HMAC: '' })))
  return scene
}

/** The registry has the blob in these repositories, and mounts from `mountable` alone. */
function has(fake: FakeRegistry, mountable: readonly string[], otherwise: Answering): void {
  let there = false
  fake.addBlob(zipped)
  fake.guard = ({ method, url }: Seen) =>
    method === 'HEAD' && url.endsWith(blob.digest) && !there ? { status: 404 } : undefined
  fake.route([
    [
      /^POST .*mount=/,
      async (seen, response) => {
        const { searchParams } = new URL(seen.url, fake.origin)
        there = mountable.includes(searchParams.get('from')!) && searchParams.get('mount') === blob.digest
        if (there) return { status: 201, headers: { 'docker-content-digest': blob.digest } }
        return typeof otherwise === 'function' ? otherwise(seen, response) : otherwise
      },
    ],
  ])
}

const mounts = ({ fake }: PushScene) =>
  fake.asked.flatMap(one => /^POST .*from=(\S+)/.exec(one)?.[1]?.split('&') ?? []).map(decodeURIComponent)
const uploads = ({ fake }: PushScene) => fake.asked.filter(one => one === 'POST /v2/a/b/blobs/uploads/').length

test('a blob of another repository is mounted: no byte of it is sent, and the note says so', async t => {
  const scene = await noted(t, ['c/d'])
  has(scene.fake, ['c/d'], {})
  const { layers } = await toldBy(scene.store.push(scene.name))
  assert.equal(layers.at(-1), `${digestOf(layer).slice(7, 19)}: Mounted from c/d`)
  assert.deepEqual(scene.pushed().manifest.layers, [
    {
      mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      size: zipped.length,
      digest: blob.digest,
    },
  ])
  assert.equal(scene.fake.asked.filter(one => one.startsWith('PATCH')).length, 0)
  assert.deepEqual(
    scene.notesOf(layer).map(({ SourceRepository }) => SourceRepository),
    [`${scene.fake.host}/c/d`, `${scene.fake.host}/a/b`],
  )
})

test('a mount that misses: the upload that the registry has begun instead is gone on with', async t => {
  const scene = await noted(t, ['c/d'])
  has(scene.fake, [], () => begun(scene.fake))
  await scene.store.push(scene.name)
  assert.deepEqual(mounts(scene), ['c/d'])
  assert.equal(uploads(scene), 1, 'of the config alone')
  assert.deepEqual(scene.pushed().blobs.map(unzipped), scene.diffIds)
  assert.equal(scene.fake.uploads.size, 0)
})

test('several mounts that miss: one upload goes on, the others are cancelled', async t => {
  const large = [tar([file('x', randomBytes(11 << 20))])]
  const scene = await noted(t, ['c/1', 'c/2', 'c/3'], large)
  has(scene.fake, [], () => begun(scene.fake))
  await scene.store.push(scene.name)
  assert.deepEqual(mounts(scene), ['c/3', 'c/2', 'c/1'])
  assert.equal(scene.fake.asked.filter(one => one.startsWith('DELETE')).length, 2)
  assert.equal(uploads(scene), 1)
  assert.equal(scene.fake.uploads.size, 0)
  assert.deepEqual(scene.pushed().blobs.map(unzipped), scene.diffIds)
})

test('a mount that is refused: the layer has an upload of its own', async t => {
  for (const answer of [
    { status: 403, ...refusal('DENIED', 'not yours') },
    { status: 401, ...refusal('UNAUTHORIZED', 'who are you') },
    { status: 404, ...refusal('NAME_UNKNOWN', 'no such repository') },
    { status: 405, ...refusal('UNSUPPORTED', 'not here') },
  ]) {
    const scene = await noted(t, ['c/d'])
    has(scene.fake, [], answer)
    await scene.store.push(scene.name)
    assert.deepEqual(mounts(scene), ['c/d'])
    assert.equal(uploads(scene), 2)
    assert.deepEqual(scene.pushed().blobs.map(unzipped), scene.diffIds)
    // The note stays: a registry that mounts nothing says nothing about the blob.
    assert.deepEqual(
      scene.notesOf(layer).map(({ SourceRepository }) => SourceRepository),
      [`${scene.fake.host}/c/d`, `${scene.fake.host}/a/b`],
    )
  }
})

test('a blob that was mounted and is not there is no blob', async t => {
  const scene = await noted(t, ['c/d'])
  has(scene.fake, [], { status: 201 })
  await scene.store.push(scene.name)
  assert.deepEqual(scene.pushed().blobs.map(unzipped), scene.diffIds)
})

test('nothing of another registry is asked for, nor of what is no name of a repository', async t => {
  const scene = await noted(t, ['other.example/c/d', 'docker.io/library/x'])
  scene.note(
    layer,
    ...['', 'c d', `${scene.fake.host}/c/d:v1`, `${scene.fake.host}/C`, `${scene.fake.host}/../../x`].map(
      SourceRepository => ({ Digest: blob.digest, SourceRepository, HMAC: '' }),
    ),
  )
  await scene.store.push(scene.name)
  assert.deepEqual(mounts(scene), [])
})

test('how many mounts and looks: by the size of the layer, as Docker has them', () => {
  const [MiB, KiB] = [1 << 20, 1 << 10]
  assert.deepEqual(attemptsFor(10 * MiB + 1), { mounts: 4, checks: 3, checksOthers: true })
  assert.deepEqual(attemptsFor(10 * MiB), { mounts: 3, checks: 1, checksOthers: false })
  assert.deepEqual(attemptsFor(100 * KiB + 1), { mounts: 3, checks: 1, checksOthers: false })
  assert.deepEqual(attemptsFor(100 * KiB), { mounts: 1, checks: 1, checksOthers: false })
})

const target = parseReference('reg.example:5000/team/app/web')
const note = (repository: string, hmac = '', digest = sha256('x')): BlobNote => ({
  digest: digest as Digest,
  sourceRepository: repository,
  hmac,
})

test('mounts: own credentials first, then the most of the path in common, then the youngest', () => {
  const notes = [
    note('reg.example:5000/team/app/api'),
    note('reg.example:5000/other/x', 'ours'),
    note('reg.example:5000/team/old'),
    note('reg.example:5000/team/app/db'),
    note('reg.example:5000/team/app/web'),
    note('reg.example/team/app/api'),
    note('reg.example:5000/none'),
  ]
  const ours = ({ hmac }: BlobNote) => hmac === 'ours'
  const from = (most: number) => mountCandidates(target, notes, ours, most).map(candidate => candidate.from)
  assert.deepEqual(from(9), ['other/x', 'team/app/db', 'team/app/api', 'team/old', 'none'])
  assert.deepEqual(from(2), ['other/x', 'team/app/db'])
})

test('looks: the target’s own first, each digest once; of others only if that is asked for', () => {
  const own = 'reg.example:5000/team/app/web'
  const notes = [
    note(own, '', sha256('1')),
    note('reg.example:5000/x', '', sha256('2')),
    note(own, '', sha256('3')),
    note('docker.io/library/y', '', sha256('3')),
  ]
  const digests = (others: boolean, most: number) =>
    checkCandidates(target, notes, () => false, { others, most }).map(({ digest }) => digest)
  assert.deepEqual(digests(false, 9), [sha256('3'), sha256('1')])
  assert.deepEqual(digests(true, 9), [sha256('3'), sha256('1'), sha256('2')])
  assert.deepEqual(digests(true, 2), [sha256('3'), sha256('1')])
})

test('the key of a note’s hash: the digest of what Docker’s AuthConfig has', () => {
  const key = (json: string) => digestOf(Buffer.from(json))
  assert.equal(hmacKey(undefined), key('{}'))
  assert.equal(
    hmacKey({ kind: 'password', username: 'alice', password: 'a<b' }),
    key('{"username":"alice","password":"a\\u003cb"}'),
  )
  assert.equal(hmacKey({ kind: 'identity', username: '', token: 't' }), key('{"identitytoken":"t"}'))
  assert.equal(
    hmacKey({ kind: 'identity', username: 'bob', token: 't' }),
    key('{"username":"bob","identitytoken":"t"}'),
  )
  assert.equal(hmacKey({ kind: 'registry', token: 'r' }), key('{"registrytoken":"r"}'))
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

test('a kept blob that is damaged, cut short or gone is not sent to its end: the layer is compressed', async t => {
  const damaged = Buffer.from(zipped)
  damaged[damaged.length - 3]! ^= 1
  for (const [bytes, why] of [
    [damaged, /it hashes to/],
    [zipped.subarray(0, 100), /it hashes to/],
    [Buffer.concat([zipped, zipped]), /it hashes to/],
  ] as const) {
    const scene = await noted(t, ['elsewhere.example/x'])
    scene.keep(bytes, blob.digest.slice(7))
    const { events } = await toldBy(scene.store.push(scene.name))
    const [warning, ...more] = events.filter(event => event.type === 'warning')
    assert.match(String(warning?.type === 'warning' && warning.message), why)
    assert.equal(more.length, 0)
    const { blobs } = scene.pushed()
    assert.deepEqual(blobs.map(unzipped), scene.diffIds)
    assert.ok(!blobs[0]!.equals(zipped))
    assert.equal(scene.fake.blobs.size, 2)
    assert.equal(scene.fake.uploads.size, 0)
  }
})

test('what is kept under a name that is no blob’s is not sent', async t => {
  // bzip2: no manifest has a type for it.
  const odd = Buffer.from('BZh9 and so on')
  const scene = await pushScene(t, { layers: [layer] })
  scene.note(layer, { Digest: sha256(odd), SourceRepository: 'elsewhere.example/x', HMAC: '' })
  scene.keep(odd)
  await scene.store.push(scene.name)
  assert.deepEqual(scene.pushed().blobs.map(unzipped), scene.diffIds)
})

test('kept blobs of zstd and of plain tar have their types, and zstd makes it an OCI image', async t => {
  const zstd = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), randomBytes(5000)])
  for (const [bytes, type, manifestType] of [
    [zstd, 'application/vnd.oci.image.layer.v1.tar+zstd', 'application/vnd.oci.image.manifest.v1+json'],
    [layer, 'application/vnd.docker.image.rootfs.diff.tar', 'application/vnd.docker.distribution.manifest.v2+json'],
  ] as const) {
    const scene = await pushScene(t, { layers: [layer] })
    scene.note(layer, { Digest: digestOf(bytes), SourceRepository: 'elsewhere.example/x', HMAC: '' })
    scene.keep(bytes)
    const first = await scene.store.push(scene.name)
    const { manifest, blobs } = scene.pushed()
    assert.ok(blobs[0]!.equals(bytes))
    assert.deepEqual([manifest.layers[0]?.mediaType, manifest.mediaType], [type, manifestType])
    // When it is kept no more, its first bytes at the registry still say what it is.
    const { rmSync } = await import('node:fs')
    rmSync(`${scene.store.root}/blobs`, { recursive: true })
    const again = await toldBy(scene.store.push(scene.name))
    assert.deepEqual(again.result, first)
    assert.ok(again.layers.at(-1)?.endsWith(': Layer already exists'))
  }
})

test('a kept blob that the target has already is not sent, whoever noted it', async t => {
  const scene = await noted(t, ['elsewhere.example/x'])
  scene.keep(zipped)
  scene.fake.addBlob(zipped)
  const { layers } = await toldBy(scene.store.push(scene.name))
  assert.ok(layers.at(-1)?.endsWith(': Layer already exists'))
  assert.deepEqual(
    scene.fake.asked.filter(one => one.startsWith('PATCH')),
    [],
  )
})

function begun(fake: FakeRegistry) {
  return { status: 202, headers: { location: `/v2/a/b/blobs/uploads/${fake.newUpload()}` } }
}

/** As a pull by digest records it. */
async function knownBy(scene: PushScene, reference: string): Promise<void> {
  const { readFileSync, writeFileSync } = await import('node:fs')
  const path = `${scene.store.root}/image/packed/repositories.json`
  const names = JSON.parse(readFileSync(path, 'utf8')) as { Repositories: Record<string, Record<string, string>> }
  const repository = reference.split('@')[0]!
  const keys = (names.Repositories[repository] ??= {})
  keys[reference] = digestOf(scene.config)
  writeFileSync(path, JSON.stringify(names))
}
