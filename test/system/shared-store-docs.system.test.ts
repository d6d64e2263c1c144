/** The configurations of docs/shared-store.md: docker-registry takes each of them, and it does what the text says. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Store } from '../../src/index.js'
import { mediaTypes } from '../../src/oci/media-type.js'
import { parseReference } from '../../src/oci/reference.js'
import { dockerRegistry } from '../build/docker-registry.js'
import { sha256 } from '../build/fake-registry.js'
import { FakeS3 } from '../build/fake-s3.js'
import { alice, clientOf, credentialsFor } from '../build/registry-client.js'
import { madeManifest } from '../build/remote-image.js'
import { repoRoot } from '../build/repo.js'

const text = readFileSync(join(repoRoot, 'docs/shared-store.md'), 'utf8')
const configurations = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, yaml]) => yaml!)

/** On loopback, with all files in the folder of the test. */
function started(t: TestContext, yaml: string | undefined, upstream = '') {
  assert.ok(yaml !== undefined)
  const local = yaml
    .replace(/addr: \S+/, 'addr: HOST')
    .replace(/\/var\/lib\/docker-(registry|mirror)/, 'FOLDER')
    .replaceAll('/etc/docker/registry', 'FOLDER')
    .replace('https://registry-1.docker.io', upstream)
  return dockerRegistry(t, { text: local })
}

const made = madeManifest('docs', ['a layer'])
const [config, layer] = made.blobs

test('files, TLS and passwords; and the mirror of it', async t => {
  const [files, , mirror] = configurations
  const { host } = await started(t, files)
  const anybody = clientOf(t).repository(parseReference(`${host}/library/app`))
  await assert.rejects(anybody.tags(), { code: 'REGISTRY_AUTH' })
  const client = clientOf(t, { credentials: credentialsFor(host, alice) })
  const repository = client.repository(parseReference(`${host}/library/app`))
  for (const { bytes } of [config!, layer!])
    await repository.upload({ digest: sha256(bytes), sizeBytes: bytes.length }, async function* () {
      yield bytes
    })
  const { digest } = await repository.put(made.bytes, made.mediaType, { tag: 'v1' })
  assert.equal(await repository.deleteManifest(digest), true)
  // A mirror of one that wants no password: what stands there instead of Docker Hub.
  const open = await dockerRegistry(t)
  const upstream = clientOf(t).repository(parseReference(`${open.host}/library/app`))
  for (const { bytes } of [config!, layer!])
    await upstream.upload({ digest: sha256(bytes), sizeBytes: bytes.length }, async function* () {
      yield bytes
    })
  await upstream.put(made.bytes, mediaTypes.ociManifest, { tag: 'v1' })
  const through = await started(t, mirror, `http://${open.host}`)
  const reading = clientOf(t).repository(parseReference('app'), { mirror: `http://${through.host}` })
  assert.deepEqual((await reading.manifest('v1')).bytes, made.bytes)
  await assert.rejects(reading.begin(), { code: 'REGISTRY_REFUSED', status: 405 })
})

test('S3: blobs go into the bucket, and come out of it by URLs that are signed, without the credentials of the registry', async t => {
  const [, yaml] = configurations
  assert.equal(configurations.length, 3)
  const s3 = await FakeS3.start(t, 'layers')
  const auth = 'auth:\n  htpasswd: { realm: registry, path: FOLDER/htpasswd }\n'
  const local = yaml?.replace('https://s3.lan:9000', `http://${s3.host}`).replace('secure: true', 'secure: false')
  const { host } = await started(t, `${local}${auth}`)
  const registry = { credentials: credentialsFor(host, alice) }
  const [a, b] = [await Store.temporary({ registry }), await Store.temporary({ registry })]
  for (const store of [a, b]) t.after(() => store.close())
  const box = await a.create('scratch')
  // More than one part of an upload, and more than is copied in one piece (32 MiB).
  const large = randomBytes(35_000_000)
  await box.promises.writeFile('/large', large)
  const built = await box.commit({ tag: `${host}/library/app:v1` })
  await box.close()
  await a.push(`${host}/library/app:v1`)
  const before = s3.seen.length
  const pulled = await b.pull(`${host}/library/app:v1`)
  assert.equal(pulled.id, built.id)
  const view = await b.view(pulled.id)
  assert.ok(view.readFileSync('/large').equals(large))
  await view.close()
  const signed = s3.seen.slice(before).filter(({ presigned }) => presigned)
  assert.deepEqual(
    signed.map(({ line }) => line.replace(/sha256\/.*\//, '')),
    Array(2).fill('GET docker/registry/v2/blobs/data'),
  )
})
