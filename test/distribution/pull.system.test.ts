/** What other programs have pushed to a real registry, pulled: the same ids, layers and names, with both drivers. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { Store, type StoreOptions } from '../../src/index.js'
import { dockerRegistry } from '../build/docker-registry.js'
import { DockerRoots } from '../build/docker-roots.js'
import { type Dockerd, dockerClient } from '../build/dockerd.js'
import { FakeRegistry } from '../build/fake-registry.js'
import { archiveOf, digestOf, imageIdOf, layerTar, legacyArchive, type MadeImage } from '../build/image.js'
import { alice, credentialsFor } from '../build/registry-client.js'
import { noiseLayer, none, putImage } from '../build/registry-images.js'
import { dir, file, hardlink, symlink, tar } from '../build/tar.js'
import { tokenServer } from '../build/token-server.js'

const roots = new DockerRoots()
const exec = promisify(execFile)
const run = async (program: string, ...args: string[]) => (await exec(program, args, { maxBuffer: 1 << 26 })).stdout

const base = tar([dir('etc/'), file('etc/id', 'x'), hardlink('etc/hard', 'etc/id'), symlink('l', 'etc')])
const upper = tar([dir('srv/'), file('srv/app', 'x'.repeat(300_000)), file('etc/.wh.hard'), file('ü', 'u')])
const images = {
  two: { layers: [base, upper], tags: ['two:v1'] },
  twice: { layers: [base, upper, base, layerTar({ more: 'x' })], tags: ['twice:v1'] },
  large: { layers: [base, noiseLayer('large', 9_000_000)], tags: ['large:v1'] },
} satisfies Record<string, MadeImage>
const names = Object.keys(images) as (keyof typeof images)[]

const endings: (() => Promise<void> | void)[] = []
const ending = { after: (work: () => Promise<void> | void) => void endings.push(work) }
let host = ''
let dockerd: Dockerd

before(async () => {
  ;({ host } = await dockerRegistry(ending))
  dockerd = await roots.start('root')
  for (const name of names) {
    writeFileSync(roots.path(`${name}.tar`), archiveOf(legacyArchive([images[name]])))
    await dockerd.docker('load', '-q', '-i', roots.path(`${name}.tar`))
  }
})
after(async () => {
  for (const end of endings) await end()
})

let stores = 0

async function openStore(t: TestContext, options: StoreOptions = {}): Promise<Store> {
  const registry = { credentials: none, certificates: '/nonexistent', ...options.registry }
  const store = await Store.open(roots.path(`store-${stores++}`), { durability: 'none', ...options, registry })
  t.after(() => store.close())
  return store
}

/** Pulls with both drivers and compares with what was made. */
async function pulls(t: TestContext, name: string, image: MadeImage, options: StoreOptions = {}): Promise<void> {
  for (const driver of ['packed', 'overlay2'] as const) {
    const store = await openStore(t, { ...options, driver })
    const pulled = await store.pull(name)
    assert.equal(pulled.id, imageIdOf(image), `${name}, ${driver}`)
    assert.deepEqual(
      pulled.layers.map(({ diffId }) => diffId),
      image.layers.map(digestOf),
    )
    assert.deepEqual((await store.check({ depth: 'full' })).findings, [])
  }
}

test('pushed by dockerd', async t => {
  for (const name of names) {
    await dockerd.docker('tag', `${name}:v1`, `${host}/docker/${name}:v1`)
    await dockerd.docker('push', '-q', `${host}/docker/${name}:v1`)
    await pulls(t, `${host}/docker/${name}:v1`, images[name])
  }
})

test('pushed by skopeo', async t => {
  for (const name of names) {
    await skopeo(name, `${host}/skopeo/${name}:v1`)
    await pulls(t, `${host}/skopeo/${name}:v1`, images[name])
  }
})

function skopeo(name: string, to: string, ...options: string[]): Promise<string> {
  const from = `docker-archive:${roots.path(`${name}.tar`)}`
  return run('skopeo', '--insecure-policy', 'copy', '-q', '--dest-tls-verify=false', ...options, from, `docker://${to}`)
}

test('pushed by podman', async t => {
  const state = ['--root', roots.path('podman'), '--runroot', roots.path('podman-run'), '--storage-driver', 'vfs']
  for (const name of names) {
    await run('podman', ...state, 'load', '-q', '-i', roots.path(`${name}.tar`))
    const id = imageIdOf(images[name]).slice(7)
    const to = `${host}/podman/${name}:v1`
    await run('podman', ...state, 'push', '-q', '--tls-verify=false', '--format', 'v2s2', id, to)
    await pulls(t, to, images[name])
  }
})

test('the names are those that docker pull records, by tag and by digest', async t => {
  const name = `${host}/named/two`
  await skopeo('two', `${name}:v1`)
  const store = await openStore(t)
  const image = await store.pull(`${name}:v1`)
  await dockerd.docker('rmi', '-f', 'two:v1', `${host}/docker/two:v1`)
  await dockerd.docker('pull', '-q', `${name}:v1`)
  const [theirs] = JSON.parse(await dockerd.docker('inspect', `${name}:v1`))
  const mine = (list: readonly string[]) => list.filter(one => one.startsWith(name))
  assert.deepEqual([image.id, image.tags, image.digests], [theirs.Id, mine(theirs.RepoTags), mine(theirs.RepoDigests)])
  await store.pull(image.digests[0]!)
  assert.deepEqual(await exec(dockerClient, ['--version']).then(() => 0), 0)
})

test('docker pull and ours ask for the same', async t => {
  const fake = await FakeRegistry.start(t)
  const type = 'application/vnd.docker.distribution.manifest.v2+json'
  const docker = (manifest: object) => ({
    ...manifest,
    mediaType: type,
    config: { ...(manifest as { config: object }).config, mediaType: 'application/vnd.docker.container.image.v1+json' },
  })
  const { manifest } = putImage(fake, { layers: [layerTar({ q: 'x' }), layerTar({ r: 'y' })] })
  fake.addManifest(docker(manifest), { tag: 'v1', type })
  const [requests, ours] = [new Set<string>(), new Set<string>()]
  const name = `${fake.host}/a/b:v1`
  await dockerd.docker('pull', '-q', name)
  for (const asked of fake.asked) requests.add(asked)
  fake.seen.length = 0
  await (await openStore(t)).pull(name)
  for (const asked of fake.asked) ours.add(asked)
  assert.deepEqual([...ours].sort(), [...requests].sort())
})

test('Basic', async t => {
  const auth = { htpasswd: { realm: 'r', path: 'FOLDER/htpasswd' } }
  const { host } = await dockerRegistry(t, { config: { auth } })
  await skopeo('two', `${host}/a/two:v1`, '--dest-creds', 'alice:secret')
  await pulls(t, `${host}/a/two:v1`, images.two, { registry: { credentials: credentialsFor(host, alice) } })
  const store = await openStore(t)
  await assert.rejects(async () => store.pull(`${host}/a/two:v1`), {
    code: 'REGISTRY_AUTH',
    message: /^pull access denied/,
  })
})

test('Bearer', async t => {
  const { tokens, auth, asked } = await tokenServer(t)
  const { host } = await dockerRegistry(t, { config: { auth } })
  await skopeo('twice', `${host}/a/twice:v1`, '--dest-creds', 'alice:secret')
  const before = asked.length
  const registry = { credentials: credentialsFor(host, alice), realms: { [host]: [tokens.host] } }
  await pulls(t, `${host}/a/twice:v1`, images.twice, { registry })
  // One token a store.
  assert.deepEqual(asked.slice(before), ['repository:a/twice:pull', 'repository:a/twice:pull'])
})

test('TLS, with the authority that the user names', async t => {
  const { host, folder } = await dockerRegistry(t, { tls: true })
  await skopeo('large', `${host}/a/large:v1`)
  const lookup: NonNullable<StoreOptions['registry']>['lookup'] = (_, options, callback) =>
    options.all === true ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4)
  const ca = [await readFile(join(folder, 'cert.pem'), 'utf8')]
  const name = `${host.replace('127.0.0.1', 'registry.test')}/a/large:v1`
  await pulls(t, name, images.large, { registry: { ca, lookup } })
  const store = await openStore(t, { registry: { lookup } })
  await assert.rejects(async () => store.pull(name), { code: 'REGISTRY_UNAVAILABLE' })
})

test('blobs that are redirected to another server', async t => {
  const files = await FakeRegistry.start(t)
  const auth = { htpasswd: { realm: 'r', path: 'FOLDER/htpasswd' } }
  const middleware = { storage: [{ name: 'redirect', options: { baseurl: `${files.origin}/` } }] }
  const { host, folder } = await dockerRegistry(t, { files: true, config: { auth, middleware } })
  const read = async (url: string) => ({ body: await readFile(join(folder, new URL(url, files.origin).pathname)) })
  files.route([[/docker\/registry/, ({ url }) => read(url)]])
  await skopeo('two', `${host}/a/two:v1`, '--dest-creds', 'alice:secret')
  files.seen.length = 0
  await pulls(t, `${host}/a/two:v1`, images.two, { registry: { credentials: credentialsFor(host, alice) } })
  assert.ok(files.seen.length >= 4)
  for (const { headers } of files.seen) assert.equal(headers.authorization, undefined)
})
