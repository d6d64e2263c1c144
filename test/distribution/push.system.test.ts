/** Pushes to Debian's docker-registry, read by other people's programs; and theirs beside ours. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { Store, type StoreOptions } from '../../src/index.js'
import { runPhyllo } from '../build/cli.js'
import { cutting } from '../build/cutting-proxy.js'
import { type DockerRegistryOptions, dockerRegistry } from '../build/docker-registry.js'
import { DockerRoots } from '../build/docker-roots.js'
import { archiveOf, digestOf, imageIdOf, legacyArchive, type MadeImage } from '../build/image.js'
import { storeFor, toldBy } from '../build/push-scene.js'
import { alice, credentialsFor, quick } from '../build/registry-client.js'
import { leftovers } from '../build/store.js'
import { dir, file, hardlink, symlink, tar } from '../build/tar.js'
import { tokenServer } from '../build/token-server.js'

const exec = promisify(execFile)
const roots = new DockerRoots()
const run = async (program: string, ...args: string[]) =>
  (await exec(program, args, { maxBuffer: 1 << 26, cwd: roots.scratch })).stdout

const image: MadeImage = {
  layers: [
    tar([
      dir('etc/'),
      file('etc/os-release', 'ID=test\n'),
      hardlink('etc/hard', 'etc/os-release'),
      symlink('l', 'etc'),
    ]),
    tar([file('x', randomBytes(2_000_000)), file('y', 'text of a layer\n'.repeat(200_000))]),
    tar([dir('srv/'), file('srv/app', 'x'.repeat(300_000)), file('etc/.wh.hard')]),
  ],
}
const id = imageIdOf(image)
const diffIds = image.layers.map(digestOf)

function archived(tags: readonly string[]): string {
  const path = roots.path(`made-${randomBytes(4).toString('hex')}.tar`)
  writeFileSync(path, archiveOf(legacyArchive([{ ...image, tags }])))
  return path
}

/** A registry, and a store that has the image as `team/app:v1` there. */
async function scene(t: TestContext, server: DockerRegistryOptions = {}, options: StoreOptions = {}) {
  const { host, folder } = await dockerRegistry(t, server)
  const name = `${host}/team/app:v1`
  const store = await storeFor(t, options)
  await store.load(archived([name]))
  return { host, folder, store, name }
}

interface Inspected {
  readonly Id: string
  readonly RepoDigests: readonly string[]
  readonly RootFS: { readonly Layers: readonly string[] }
}

/** By skopeo: the manifest, and the digests of what its layers hold. */
async function copied(name: string, ...options: string[]) {
  const folder = roots.path(`copied-${randomBytes(4).toString('hex')}`)
  await run('skopeo', 'copy', '-q', '--src-tls-verify=false', ...options, `docker://${name}`, `dir:${folder}`)
  const bytes = readFileSync(join(folder, 'manifest.json'))
  const { config, layers } = JSON.parse(bytes.toString()) as {
    config: { digest: string }
    layers: { digest: string }[]
  }
  const contents = layers.map(({ digest }) => digestOf(gunzipSync(readFileSync(join(folder, digest.slice(7))))))
  return { digest: digestOf(bytes), id: config.digest, diffIds: contents }
}

for (const driver of ['packed', 'overlay2'] as const)
  test(`what we push out of ${driver} is the same image in dockerd, skopeo and podman`, async t => {
    const { store, name, host } = await scene(t, {}, { driver })
    for (const [format, tag] of [
      ['docker', 'v1'],
      ['oci', 'v2'],
    ] as const) {
      const tagged = `${host}/team/app:${tag}`
      await store.tag(name, tagged)
      const { digest } = await store.push(tagged, { format })
      assert.deepEqual(await copied(tagged), { digest, id, diffIds })
      const podman = (...args: string[]) =>
        run(
          'podman',
          '--root',
          roots.path('podman'),
          '--runroot',
          roots.path('podman-run'),
          '--storage-driver',
          'vfs',
          ...args,
        )
      await podman('pull', '-q', '--tls-verify=false', tagged)
      const [byPodman] = JSON.parse(await podman('image', 'inspect', tagged)) as Inspected[]
      assert.deepEqual([`sha256:${byPodman?.Id}`, byPodman?.RootFS.Layers], [id, diffIds])
      await podman('rmi', '-f', tagged)
    }
    const dockerd = await roots.start(`docker-${driver}`)
    for (const tag of ['v1', 'v2']) {
      const tagged = `${host}/team/app:${tag}`
      await dockerd.docker('pull', '-q', tagged)
      const [byDocker] = JSON.parse(await dockerd.docker('image', 'inspect', tagged)) as Inspected[]
      assert.deepEqual([byDocker?.Id, byDocker?.RootFS.Layers], [id, diffIds])
      await dockerd.docker('rmi', '-f', tagged)
    }
    await dockerd.stop()
    assert.deepEqual(leftovers(store.root), [])
  })

/** Files below a directory, with their contents. */
function contents(directory: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) found[entry.name] = readFileSync(join(entry.parentPath ?? entry.path, entry.name), 'utf8')
  return found
}

test('after docker push ours finds all of it, byte for byte the same manifest, and notes as Docker does; and the other way round', async t => {
  const { host } = await dockerRegistry(t, { config: { auth: { htpasswd: { realm: 'r', path: 'FOLDER/htpasswd' } } } })
  const name = `${host}/team/app:v1`
  const first = await roots.start('both')
  await first.docker('load', '-q', '-i', archived([name]))
  await first.docker('login', '-u', 'alice', '-p', 'secret', host)
  await first.docker('push', '-q', name)
  const [pushed] = JSON.parse(await first.docker('image', 'inspect', name)) as Inspected[]
  await first.stop()
  const notes = roots.path('both/image/overlay2/distribution')
  const before = contents(notes)
  assert.equal(Object.keys(before).length, 6)

  const registry = {
    retries: quick,
    certificates: '/nonexistent',
    credentials: credentialsFor(host, alice),
  }
  const store = await Store.open(roots.path('both'), { registry, workers: 1 })
  t.after(() => store.close())
  const { result, layers } = await toldBy(store.push(name))
  assert.deepEqual(pushed?.RepoDigests, [`${host}/team/app@${result.digest}`])
  assert.equal(layers.filter(line => line.endsWith(': Layer already exists')).length, 3)
  assert.deepEqual(contents(notes), before)
  // Elsewhere in that registry they are mounted.
  const other = `${host}/team/other:v1`
  await store.tag(name, other)
  const mounted = await toldBy(store.push(other))
  assert.equal(mounted.layers.filter(line => line.endsWith(': Mounted from team/app')).length, 3)
  assert.equal(mounted.result.digest, result.digest)
  // What we push, Docker finds.
  const third = `${host}/third:v1`
  await store.tag(name, third)
  await store.push(third)
  await store.close()
  const second = await roots.start('both')
  const again = await second.docker('push', third)
  assert.equal(again.split('\n').filter(line => line.endsWith(': Layer already exists')).length, 3, again)
  await second.docker('tag', name, `${host}/fourth:v1`)
  const fourth = await second.docker('push', `${host}/fourth:v1`)
  assert.equal(fourth.split('\n').filter(line => / Mounted from /.test(line)).length, 3, fourth)
  await second.docker('logout', host)
  await second.stop()
})

test('a dockerd has the root: it is pushed from all the same, nothing is written, and both say the same', async t => {
  const { host } = await dockerRegistry(t)
  const name = `${host}/team/app:v1`
  const dockerd = await roots.start('beside')
  await dockerd.docker('load', '-q', '-i', archived([name]))
  const registry = { retries: quick, certificates: '/nonexistent', credentials: { get: async () => undefined } }
  const store = await Store.open(roots.path('beside'), { readOnly: true, registry, workers: 1 })
  const { digest } = await store.push(name)
  await store.close()
  await dockerd.docker('rmi', '-f', name)
  await dockerd.docker('pull', '-q', name)
  const [pulled] = JSON.parse(await dockerd.docker('image', 'inspect', name)) as Inspected[]
  assert.deepEqual([pulled?.Id, pulled?.RepoDigests], [id, [`${host}/team/app@${digest}`]])
  await dockerd.docker('push', name)
  const lines = (text: string) => text.trim().split('\n').sort()
  const docker = lines(await dockerd.docker('push', name))
  const phyllo = await runPhyllo(['push', name], { root: roots.path('beside') })
  assert.deepEqual(lines(phyllo.stdout + phyllo.stderr), docker)
  await dockerd.stop()
})

test('Basic: with the credentials of the registry, and not without', async t => {
  const server = { config: { auth: { htpasswd: { realm: 'r', path: 'FOLDER/htpasswd' } } } }
  const { host, store, name } = await scene(t, server)
  await assert.rejects(async () => store.push(name), { code: 'REGISTRY_AUTH', reference: name })
  const known = await storeFor(t, { registry: { credentials: credentialsFor(host, alice), retries: quick } })
  await known.load(archived([name]))
  const { digest } = await known.push(name)
  assert.deepEqual(await copied(name, '--src-creds', 'alice:secret'), { digest, id, diffIds })
})

test('Bearer: a token for the repository, and a wider one for a mount', async t => {
  const { tokens, auth, requests } = await tokenServer(t)
  const { host } = await dockerRegistry(t, { config: { auth } })
  const name = `${host}/team/app:v1`
  const registry = {
    credentials: credentialsFor(host, alice),
    retries: quick,
    realms: { [host]: [tokens.host] },
    certificates: '/nonexistent',
  }
  const store = await storeFor(t, { registry })
  await store.load(archived([name]))
  const { digest } = await store.push(name)
  const other = `${host}/team/other:v1`
  await store.tag(name, other)
  const { layers, result } = await toldBy(store.push(other))
  assert.equal(layers.filter(line => line.endsWith(': Mounted from team/app')).length, 3)
  assert.equal(result.digest, digest)
  assert.ok(requests.includes('repository:team/other:push,pull repository:team/app:pull'))
  assert.deepEqual(requests.slice(0, 1), ['repository:team/app:push,pull'], 'and no other one before')
  // One token for one right, however many layers want it.
  assert.deepEqual([...new Set(requests)].length, requests.length)
})

test('TLS, and locations that are relative', async t => {
  const server = await dockerRegistry(t, { tls: true, http: { relativeurls: true } })
  const lookup: NonNullable<StoreOptions['registry']>['lookup'] = (_, options, callback) =>
    options.all === true ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4)
  const ca = [await readFile(join(server.folder, 'cert.pem'), 'utf8')]
  const name = `${server.host.replace('127.0.0.1', 'registry.test')}/team/app:v1`
  const store = await storeFor(t, { registry: { ca, lookup, retries: quick } })
  await store.load(archived([name]))
  const { digest } = await store.push(name)
  assert.deepEqual(await copied(`${server.host}/team/app:v1`), { digest, id, diffIds })
})

test('a connection that is cut: the registry forgets the upload, and the layer is sent anew', async t => {
  const { host, store, name } = await scene(t)
  const { digest } = await store.push(name)
  for (const cutAt of [100_000, 1_000_000, 1_900_000]) {
    const proxy = await cutting(t, host, cutAt)
    const through = `${proxy.host}/cut/at-${cutAt}:v1`
    await store.tag(name, through)
    assert.equal((await store.push(through)).digest, digest)
    assert.equal(proxy.cuts(), 1)
    assert.deepEqual(await copied(`${host}/cut/at-${cutAt}:v1`), { digest, id, diffIds })
  }
})

test('an abort takes uploads back: the registry has no byte of them', async t => {
  const { folder, store, name } = await scene(t, { files: true })
  const abort = new AbortController()
  const operation = store.push(name, { signal: abort.signal })
  for await (const event of operation) if (event.type === 'progress') abort.abort(new Error('enough'))
  await assert.rejects(async () => operation, /enough/)
  const uploads = join(folder, 'docker/registry/v2/repositories/team/app/_uploads')
  // docker-registry 2.8 forgets the directory of what it has deleted, and the state of a hash of nothing in it.
  assert.ok(readdirSync(uploads).length > 0)
  const left = readdirSync(uploads, { recursive: true }).map(String)
  assert.deepEqual(
    left.filter(name => name.endsWith('/data')),
    [],
  )
  assert.deepEqual(leftovers(store.root), [])
})
