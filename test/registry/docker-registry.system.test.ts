/** The client against a real registry, Debian's docker-registry 2.8, in every configuration that it is run in. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { mediaTypes } from '../../src/oci/media-type.js'
import { parseReference } from '../../src/oci/reference.js'
import type { Credential } from '../../src/registry/credential.js'
import type { RegistryOptions } from '../../src/registry/options.js'
import type { Repository } from '../../src/registry/repository.js'
import { cutting } from '../build/cutting-proxy.js'
import { type DockerRegistryOptions, dockerRegistry } from '../build/docker-registry.js'
import { FakeRegistry, sha256 } from '../build/fake-registry.js'
import { alice, bytesOf, clientOf, credentialsFor } from '../build/registry-client.js'
import { tokenServer } from '../build/token-server.js'

const layer = Buffer.alloc(3_000_000, 'a layer, compressible ')
const config = Buffer.from('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}')
const blobOf = (bytes: Buffer) => ({ digest: sha256(bytes), sizeBytes: bytes.length })
const descriptor = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: sha256(bytes), size: bytes.length })
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptor(mediaTypes.ociConfig, config),
    layers: [descriptor(mediaTypes.ociLayer, layer)],
  }),
)

async function* pieces(bytes: Buffer, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

/** Pushes an image in the three ways there are, and pulls it again. */
async function roundTrip(repository: Repository, from: Repository = repository): Promise<void> {
  await repository.upload(blobOf(layer), () => pieces(layer), { chunkBytes: 1 << 20 })
  const upload = await repository.begin()
  await upload.stream(pieces(config))
  await upload.finish(sha256(config))
  assert.equal((await repository.put(manifest, mediaTypes.ociManifest, { tag: 'v1' })).digest, sha256(manifest))
  await pulled(from)
}

async function pulled(repository: Repository): Promise<void> {
  const image = await repository.image('v1')
  assert.deepEqual(image.bytes, manifest)
  assert.deepEqual(await repository.bytes(image.document.config), config)
  const [first] = image.document.layers
  assert.equal(await repository.stat(first!.digest), layer.length)
  assert.ok((await bytesOf(repository.blob(first!))).equals(layer))
  const hash = createHash('sha256').update(layer.subarray(0, 1_000_000))
  assert.ok((await bytesOf(repository.blob(first!, { offset: 1_000_000, hash }))).equals(layer.subarray(1_000_000)))
}

async function started(t: TestContext, server: DockerRegistryOptions = {}, options: RegistryOptions = {}) {
  const { host, folder } = await dockerRegistry(t, server)
  const client = clientOf(t, options)
  return { host, folder, client, repository: client.repository(parseReference(`${host}/a/b`)) }
}

test('open: push and pull, tags, catalog, mounts, deletes, referrers under a tag', async t => {
  const { client, host, repository } = await started(t)
  await assert.rejects(repository.manifest('v1'), { code: 'REGISTRY_NOT_FOUND', message: /manifest unknown/ })
  await assert.rejects(repository.tags(), { code: 'REGISTRY_NOT_FOUND', registryCode: 'NAME_UNKNOWN' })
  await roundTrip(repository)
  await repository.put(manifest, mediaTypes.ociManifest, { tag: 'a2' })
  assert.deepEqual(await repository.tags(), ['a2', 'v1'])
  const other = client.repository(parseReference(`${host}/c/d`))
  assert.equal(await other.mount(sha256(layer), 'a/b'), 'mounted')
  const miss = await other.mount(sha256('nobody has it'), 'a/b')
  assert.ok(miss !== undefined && miss !== 'mounted')
  await miss.cancel()
  await other.upload(blobOf(config), () => pieces(config))
  assert.deepEqual(await client.catalog(host), ['a/b', 'c/d'])
  const subject = { ...JSON.parse(manifest.toString()), subject: descriptor(mediaTypes.ociManifest, manifest) }
  await repository.put(Buffer.from(JSON.stringify(subject)), mediaTypes.ociManifest)
  assert.equal((await repository.referrers(sha256(manifest))).length, 1)
  assert.equal(await repository.deleteManifest(sha256(manifest)), true)
  assert.equal(await repository.resolve('v1'), undefined)
  assert.equal(await repository.deleteBlob(sha256(config)), true)
  assert.equal(await repository.stat(sha256(config)), undefined)
})

test('open: what it refuses, in its words', async t => {
  const { repository } = await started(t)
  await assert.rejects(repository.put(manifest, mediaTypes.ociManifest, { tag: 'v1' }), {
    code: 'REGISTRY_REFUSED',
    status: 400,
    registryCode: 'MANIFEST_BLOB_UNKNOWN',
  })
  const upload = await repository.begin()
  await upload.write(config)
  await assert.rejects(upload.finish(sha256('other')), { code: 'REGISTRY_REFUSED', registryCode: 'DIGEST_INVALID' })
  await repository.upload(blobOf(layer), () => pieces(layer))
  const hash = createHash('sha256').update(layer)
  const beyond = { digest: sha256(layer), sizeBytes: layer.length + 5 }
  await assert.rejects(bytesOf(repository.blob(beyond, { offset: layer.length, hash })), {
    code: 'REGISTRY_REFUSED',
    status: 416,
  })
})

test('open: a connection that is cut: an upload goes on or begins anew, a read goes on', async t => {
  const { host } = await started(t)
  for (const cutAt of [200_000, 1_500_000, 2_900_000]) {
    const proxy = await cutting(t, host, cutAt)
    const repository = clientOf(t).repository(parseReference(`${proxy.host}/cut/at-${cutAt}`))
    await repository.upload(blobOf(layer), () => pieces(layer), { chunkBytes: 1 << 20 })
    assert.ok(proxy.cuts() >= 1)
    const direct = clientOf(t).repository(parseReference(`${host}/cut/at-${cutAt}`))
    assert.ok((await bytesOf(direct.blob(blobOf(layer)))).equals(layer))
    const again = await cutting(t, host, cutAt)
    const reading = clientOf(t).repository(parseReference(`${again.host}/cut/at-${cutAt}`))
    assert.ok((await bytesOf(reading.blob(blobOf(layer)))).equals(layer))
    assert.equal(again.cuts(), 1)
  }
})

test('relative locations', async t => {
  const { repository } = await started(t, { http: { relativeurls: true } })
  await roundTrip(repository)
})

test('Basic', async t => {
  const auth = { htpasswd: { realm: 'r', path: 'FOLDER/htpasswd' } }
  const { host } = await started(t, { config: { auth } })
  const as = (credential?: Credential) =>
    clientOf(t, credential && { credentials: credentialsFor(host, credential) }).repository(
      parseReference(`${host}/a/b`),
    )
  await roundTrip(as(alice))
  await assert.rejects(as().manifest('v1'), { code: 'REGISTRY_AUTH', message: /no credentials/ })
  await assert.rejects(as({ ...alice, password: 'wrong' } as Credential).manifest('v1'), { code: 'REGISTRY_AUTH' })
  assert.equal(await clientOf(t).login(host, alice), undefined)
  await assert.rejects(clientOf(t).login(host, { ...alice, password: 'wrong' } as Credential), {
    code: 'REGISTRY_AUTH',
  })
})

test('Bearer: tokens that the registry verifies, of a token server that the user names', async t => {
  const { tokens, auth, asked } = await tokenServer(t)
  const { host } = await started(t, { config: { auth } })
  const realms = { [host]: [tokens.host] }
  const as = (options: RegistryOptions) => clientOf(t, options).repository(parseReference(`${host}/a/b`))
  await roundTrip(as({ realms, credentials: credentialsFor(host, alice) }))
  assert.deepEqual([...new Set(asked)].sort(), ['repository:a/b:pull', 'repository:a/b:push,pull'])
  assert.equal(asked.length, 2)
  await pulled(as({}))
  const refused = await as({ credentials: credentialsFor(host, alice) })
    .upload(blobOf(config), () => pieces(config))
    .catch(error => error)
  assert.match(refused.code, /^REGISTRY_(AUTH|DENIED)$/)
  assert.match(refused.message, /its credentials are not given to/)
})

test('TLS, with the authority that the user names; without it, not at all', async t => {
  const { host, folder } = await started(t, { tls: true })
  const lookup: RegistryOptions['lookup'] = (_, options, callback) =>
    options.all === true ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4)
  const named = host.replace('127.0.0.1', 'registry.test')
  const ca = [await readFile(join(folder, 'cert.pem'), 'utf8')]
  await roundTrip(clientOf(t, { ca, lookup }).repository(parseReference(`${named}/a/b`)))
  await assert.rejects(
    clientOf(t, { lookup })
      .repository(parseReference(`${named}/a/b`))
      .tags(),
    { code: 'REGISTRY_UNAVAILABLE' },
  )
  await pulled(clientOf(t).repository(parseReference(`${host}/a/b`)))
})

test('a pull-through mirror', async t => {
  const { host, repository } = await started(t)
  await roundTrip(repository)
  const { host: mirror } = await dockerRegistry(t, { config: { proxy: { remoteurl: `http://${host}` } } })
  const through = clientOf(t).repository(parseReference('docker.io/a/b'), { mirror: `http://${mirror}` })
  await pulled(through)
  await pulled(through)
  assert.deepEqual(await through.tags(), ['v1'])
  await assert.rejects(
    through.upload(blobOf(config), () => pieces(config)),
    { code: 'REGISTRY_REFUSED', status: 405 },
  )
})

test('blobs that are redirected to another server, which is told nothing of who asks', async t => {
  const files = await FakeRegistry.start(t)
  const auth = { htpasswd: { realm: 'r', path: 'FOLDER/htpasswd' } }
  const middleware = { storage: [{ name: 'redirect', options: { baseurl: `${files.origin}/` } }] }
  const { host, folder } = await started(t, { files: true, config: { auth, middleware } })
  files.route([
    [
      /docker\/registry/,
      async ({ url, headers }) => {
        const bytes = await readFile(join(folder, new URL(url, files.origin).pathname))
        const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0)
        const length = { 'content-length': String(bytes.length - from) }
        if (from === 0) return { headers: length, body: bytes }
        return {
          status: 206,
          headers: { ...length, 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` },
          body: bytes.subarray(from),
        }
      },
    ],
  ])
  const repository = clientOf(t, { credentials: credentialsFor(host, alice) }).repository(parseReference(`${host}/a/b`))
  await roundTrip(repository)
  assert.ok(files.seen.length >= 3)
  for (const { headers } of files.seen) assert.equal(headers.authorization, undefined)
})
