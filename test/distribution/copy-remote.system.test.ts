/** Copies between real registries beside skopeo's, mounts on one of them, and mirrors of a plan that are real ones. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { Mirrors } from '../../src/distribution/mirrors.js'
import { endpointsOf, fromFirst } from '../../src/distribution/plan.js'
import { type CopyRemoteOptions, Store } from '../../src/index.js'
import { mediaTypes } from '../../src/oci/media-type.js'
import { parseReference } from '../../src/oci/reference.js'
import type { RegistryOptions } from '../../src/registry/options.js'
import type { Repository } from '../../src/registry/repository.js'
import { dockerRegistry } from '../build/docker-registry.js'
import { resolver } from '../build/fake-registry.js'
import { layerTar } from '../build/image.js'
import { alice, bytesOf, clientOf, credentialsFor, quick } from '../build/registry-client.js'

const run = promisify(execFile)
const digestOf = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

interface Blob {
  readonly mediaType: string
  readonly bytes: Buffer
}

const described = ({ mediaType, bytes }: Blob) => ({ mediaType, digest: digestOf(bytes), size: bytes.length })
const layers = ['shared', 'amd64', 'arm64'].map(name =>
  layerTar({ [name]: name, random: randomBytes(1_000_000).toString('hex') }),
)

/** An image that could be run: its layers are tars, its config names them. */
function image(architecture: string, tars: readonly Buffer[]) {
  const config = {
    ...{ architecture, os: 'linux', config: {} },
    rootfs: { type: 'layers', diff_ids: tars.map(digestOf) },
  }
  const blobs: Blob[] = [
    { mediaType: mediaTypes.ociConfig, bytes: Buffer.from(JSON.stringify(config)) },
    ...tars.map(tar => ({ mediaType: mediaTypes.ociLayerGzip, bytes: gzipSync(tar, { level: 1 }) })),
  ]
  const [first, ...rest] = blobs.map(described)
  const document = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: first, layers: rest }
  return {
    blobs,
    manifest: { mediaType: mediaTypes.ociManifest, bytes: Buffer.from(JSON.stringify(document, undefined, 1)) },
  }
}

const amd = image('amd64', [layers[0]!, layers[1]!])
const arm = image('arm64', [layers[0]!, layers[2]!])
const index: Blob = {
  mediaType: mediaTypes.ociIndex,
  bytes: Buffer.from(
    JSON.stringify({
      ...{ schemaVersion: 2, mediaType: mediaTypes.ociIndex },
      manifests: [
        { ...described(amd.manifest), platform: { os: 'linux', architecture: 'amd64' } },
        { ...described(arm.manifest), platform: { os: 'linux', architecture: 'arm64' } },
      ],
    }),
  ),
}
const documents = [amd.manifest, arm.manifest, index]
const blobs = [...new Map([...amd.blobs, ...arm.blobs].map(blob => [digestOf(blob.bytes), blob])).values()]
const total = blobs.reduce((sum, { bytes }) => sum + bytes.length, 0)

async function fill(repository: Repository): Promise<void> {
  for (const { bytes } of blobs) {
    const blob = { digest: digestOf(bytes) as never, sizeBytes: bytes.length }
    await repository.upload(blob, async function* () {
      yield bytes
    })
  }
  for (const { bytes, mediaType } of documents)
    await repository.put(bytes, mediaType, mediaType === mediaTypes.ociIndex ? { tag: 'v1' } : {})
}

const at = (t: TestContext, name: string, options?: RegistryOptions) =>
  clientOf(t, options).repository(parseReference(name))

/** All that is there under the tag, fetched and verified: digests with their types and sizes. */
async function content(repository: Repository, tag: string): Promise<string[]> {
  const top = await repository.manifest(tag)
  const found = [`${tag} ${top.digest} ${top.document.mediaType} ${top.bytes.length}`]
  const walk = async (fetched: typeof top): Promise<void> => {
    if (fetched.document.kind === 'index') {
      for (const child of fetched.document.manifests) {
        const one = await repository.manifest(child)
        found.push(`${one.digest} ${one.document.mediaType} ${one.bytes.length}`)
        await walk(one)
      }
      return
    }
    for (const blob of [fetched.document.config, ...fetched.document.layers]) {
      const bytes = await bytesOf(repository.blob(blob))
      found.push(`${blob.digest} ${bytes.length}`)
    }
  }
  await walk(top)
  return found
}

async function copied(
  t: TestContext,
  from: string,
  to: string,
  options?: CopyRemoteOptions,
  registry: RegistryOptions = {},
) {
  const store = await Store.temporary({ registry: { retries: quick, certificates: '/nonexistent', ...registry } })
  t.after(() => store.close())
  return store.copyRemote(from, to, options)
}

test('from one registry to another: the same manifests and blobs as skopeo copy --all', async t => {
  const [from, to] = [(await dockerRegistry(t)).host, (await dockerRegistry(t)).host]
  await fill(at(t, `${from}/a/b`))
  const result = await copied(t, `${from}/a/b:v1`, `${to}/ours/b:v1`)
  assert.deepEqual(
    [result.digest, result.manifests, result.bytesStreamed, result.bytesExisting, result.bytesMounted],
    [digestOf(index.bytes), 3, total, 0, 0],
  )
  const plain = ['--src-tls-verify=false', '--dest-tls-verify=false']
  const names = [`docker://${from}/a/b:v1`, `docker://${to}/skopeo/b:v1`]
  await run('skopeo', ['--insecure-policy', 'copy', '--all', '--preserve-digests', ...plain, ...names])
  const [ours, theirs] = [await content(at(t, `${to}/ours/b`), 'v1'), await content(at(t, `${to}/skopeo/b`), 'v1')]
  assert.deepEqual(ours, theirs)
  assert.deepEqual(ours, await content(at(t, `${from}/a/b`), 'v1'))
  assert.equal(ours.length, 1 + 2 + 6)
  const { stdout } = await run('skopeo', ['inspect', '--tls-verify=false', '--raw', `docker://${to}/ours/b:v1`])
  assert.equal(stdout, index.bytes.toString())
  const again = await copied(t, `${from}/a/b:v1`, `${to}/ours/b:v1`)
  assert.deepEqual([again.bytesExisting, again.bytesStreamed], [total, 0])
})

test('one platform alone, as skopeo copies it', async t => {
  const [from, to] = [(await dockerRegistry(t)).host, (await dockerRegistry(t)).host]
  await fill(at(t, `${from}/a/b`))
  const result = await copied(t, `${from}/a/b:v1`, `${to}/ours/b:v1`, { platform: 'linux/arm64' })
  assert.deepEqual([result.digest, result.manifests], [digestOf(arm.manifest.bytes), 1])
  const plain = ['--src-tls-verify=false', '--dest-tls-verify=false']
  const names = [`docker://${from}/a/b:v1`, `docker://${to}/skopeo/b:v1`]
  await run('skopeo', [
    '--insecure-policy',
    '--override-arch',
    'arm64',
    'copy',
    '--preserve-digests',
    ...plain,
    ...names,
  ])
  assert.deepEqual(await content(at(t, `${to}/ours/b`), 'v1'), await content(at(t, `${to}/skopeo/b`), 'v1'))
})

test('within one registry everything is mounted', async t => {
  const { host } = await dockerRegistry(t)
  await fill(at(t, `${host}/a/b`))
  const result = await copied(t, `${host}/a/b:v1`, `${host}/c/d:v2`)
  assert.deepEqual([result.bytesMounted, result.bytesExisting, result.bytesStreamed], [total, 0, 0])
  const [there, here] = [await content(at(t, `${host}/c/d`), 'v2'), await content(at(t, `${host}/a/b`), 'v1')]
  assert.deepEqual(there.slice(1), here.slice(1))
  // A new name in the same repository.
  await copied(t, `${host}/a/b:v1`, `${host}/a/b:v3`)
  assert.equal((await at(t, `${host}/a/b`).resolve('v3'))?.digest, digestOf(index.bytes))
})

test('between registries that want credentials, each its own', async t => {
  const auth = { htpasswd: { realm: 'r', path: 'FOLDER/htpasswd' } }
  const [from, to] = [
    (await dockerRegistry(t, { config: { auth } })).host,
    (await dockerRegistry(t, { config: { auth } })).host,
  ]
  const both = { get: async (key: string) => (key === from || key === to ? alice : undefined) }
  await fill(at(t, `${from}/a/b`, { credentials: both }))
  for (const known of [from, to])
    await assert.rejects(
      copied(t, `${from}/a/b:v1`, `${to}/a/b:v1`, {}, { credentials: credentialsFor(known, alice) }),
      {
        code: 'REGISTRY_AUTH',
        host: known === from ? to : from,
      },
    )
  await copied(t, `${from}/a/b:v1`, `${to}/a/b:v1`, {}, { credentials: both })
  assert.equal((await content(at(t, `${to}/a/b`, { credentials: both }), 'v1')).length, 9)
})

test('a plan with a pull-through mirror of Docker Hub: the mirror is asked, and Docker Hub only after it', async t => {
  const { host } = await dockerRegistry(t)
  await fill(at(t, `${host}/library/app`))
  const auth = { htpasswd: { realm: 'r', path: 'FOLDER/htpasswd' } }
  const proxy = { remoteurl: `http://${host}` }
  const [open, closed] = [
    (await dockerRegistry(t, { config: { proxy } })).host,
    (await dockerRegistry(t, { config: { proxy, auth } })).host,
  ]
  // Nobody answers for Docker Hub here.
  const lookup = resolver({})
  const reference = parseReference('app:v1')
  const op = { signal: new AbortController().signal, emit: () => undefined }
  const pull = (mirrors: readonly string[], options: RegistryOptions = {}) => {
    const client = clientOf(t, { lookup, retries: { ...quick, attempts: 1 }, ...options })
    const registryMirrors = mirrors.map(mirror => `http://${mirror}`)
    return fromFirst(
      endpointsOf(reference, client, new Mirrors({ registryMirrors })),
      async ({ repository, mirror }) => ({ mirror, found: await content(repository, 'v1') }),
      op,
    )
  }
  const direct = await content(at(t, `${host}/library/app`), 'v1')
  assert.deepEqual(await pull([open]), { mirror: `http://${open}/`, found: direct })
  assert.deepEqual(await pull([closed, open]), { mirror: `http://${open}/`, found: direct })
  assert.deepEqual(await pull([closed, open], { credentials: credentialsFor(closed, alice) }), {
    ...{ mirror: `http://${closed}/`, found: direct },
  })
  assert.deepEqual(lookup.asked, [])
  const hub = credentialsFor('https://index.docker.io/v1/', alice)
  await assert.rejects(pull([closed], { credentials: hub }), (error: { host: string; mirrors: string[] }) => {
    assert.equal(error.host, 'registry-1.docker.io')
    assert.match(error.mirrors.join(), new RegExp(`^http://${closed}/: REGISTRY_AUTH: `))
    return true
  })
  assert.deepEqual([...new Set(lookup.asked)], ['registry-1.docker.io'])
})
