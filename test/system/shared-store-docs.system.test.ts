/** The configurations of docs/shared-store.md: docker-registry takes each of them, and it does what the text says. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { mediaTypes } from '../../src/oci/media-type.js'
import { parseReference } from '../../src/oci/reference.js'
import { dockerRegistry } from '../build/docker-registry.js'
import { sha256 } from '../build/fake-registry.js'
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

test('S3: docker-registry takes the configuration', async t => {
  const [, s3] = configurations
  assert.equal(configurations.length, 3)
  const { host } = await started(t, s3)
  assert.match(host, /^127/)
})
