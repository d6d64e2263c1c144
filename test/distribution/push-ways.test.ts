/** The ways of a layer to a registry that has it somewhere, or that it once came from. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import { type Answering, type FakeRegistry, refusal, type Seen, sha256 } from '../build/fake-registry.js'
import { digestOf } from '../build/image.js'
import {
  oneLayer as layer,
  notedScene as noted,
  type PushScene,
  pushScene,
  toldBy,
  unzipped,
  itsBlob as zipped,
} from '../build/push-scene.js'
import { file, tar } from '../build/tar.js'

const blob = { digest: sha256(zipped), sizeBytes: zipped.length }

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

test('a look that is refused says nothing: the layer is sent', async t => {
  const scene = await noted(t, ['a/b'])
  let refused = 0
  scene.fake.guard = ({ method, url }) =>
    method === 'HEAD' && url.endsWith(blob.digest) && refused++ === 0 ? { status: 403 } : undefined
  await scene.store.push(scene.name)
  assert.equal(refused, 1)
  assert.deepEqual(scene.pushed().blobs.map(unzipped), scene.diffIds)
  assert.ok(scene.notesOf(layer).some(({ Digest }) => Digest === blob.digest))
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
