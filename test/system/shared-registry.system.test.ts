/**
 * One registry, many machines: what one store has built another one asks for by the chain id of what it is built on, and
 * gets. docs/shared-store.md is the recipe.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { Store } from '../../src/index.js'
import { dockerRegistry } from '../build/docker-registry.js'
import { resolver } from '../build/fake-registry.js'
import { compiledRoot } from '../build/repo.js'

async function machine(t: TestContext): Promise<Store> {
  const store = await Store.temporary()
  t.after(() => store.close())
  return store
}

test('a layer that store A has committed is pulled by store B, by its chain id, and moves once', async t => {
  const { host } = await dockerRegistry(t, { files: true })
  const [a, b] = [await machine(t), await machine(t)]
  const box = await a.create('scratch')
  await box.promises.writeFile('/built', 'by A\n')
  await box.promises.writeFile('/large', Buffer.alloc(3_000_000, 'x'))
  const built = await box.commit()
  await box.close()
  const chainId = built.layers.at(-1)!.chainId
  const name = `${host}/cache:${chainId.replace(':', '-')}`
  await a.tag(built.id, name)
  const pushed = await a.push(name)
  const pulling = b.pull(name)
  const pulled = await pulling
  assert.deepEqual([pulled.id, pulled.layers.at(-1)!.chainId], [built.id, chainId])
  assert.ok(pulling.report.bytesRead > 0)
  const view = await b.view(name)
  assert.equal(view.readFileSync('/built', 'utf8'), 'by A\n')
  await view.close()
  const again = b.pull(name)
  assert.equal((await again).id, built.id)
  assert.equal(again.report.bytesRead, 0)
  // Nobody has built that yet: B builds it itself.
  await assert.rejects(async () => b.pull(`${host}/cache:sha256-${'0'.repeat(64)}`), { code: 'REGISTRY_NOT_FOUND' })
  const { digest } = await a.push(name)
  assert.equal(digest, pushed.digest)
})

test('examples/shared-store.ts does what it says', async t => {
  const { host } = await dockerRegistry(t, { files: true })
  const program = join(compiledRoot, 'examples/shared-store.js')
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [program, host])
  assert.equal(stderr, '')
  assert.equal(stdout, 'pushed 1 layer\nthe same image: true\nonce\nnot built yet: true\n')
})

test('a pull by a mirror of Docker Hub has the name of Docker Hub; the mirror that is away is told', async t => {
  const { host } = await dockerRegistry(t)
  const { host: mirror } = await dockerRegistry(t, { config: { proxy: { remoteurl: `http://${host}` } } })
  const a = await machine(t)
  const box = await a.create('scratch')
  await box.promises.writeFile('/a', 'content\n')
  const built = await box.commit({ tag: `${host}/library/app:v1` })
  await box.close()
  const { digest } = await a.push(`${host}/library/app:v1`)
  const folder = await mkdtemp(join(tmpdir(), 'phyllo-daemon-'))
  t.after(() => rm(folder, { recursive: true }))
  const daemonJson = join(folder, 'daemon.json')
  await writeFile(daemonJson, JSON.stringify({ 'registry-mirrors': ['http://127.0.0.1:1', `http://${mirror}`] }))
  // Nobody answers for Docker Hub here.
  const lookup = resolver({})
  const retries = { attempts: 1 }
  for (const reference of ['app:v1', `app@${digest}`]) {
    const b = await Store.temporary({ registry: { daemonJson, lookup, retries } })
    t.after(() => b.close())
    const pulling = b.pull(reference)
    const warnings: string[] = []
    for await (const { type, subject } of pulling) if (type === 'warning') warnings.push(subject)
    const pulled = await pulling
    assert.deepEqual([pulled.id, pulled.digests], [built.id, [`app@${digest}`]])
    assert.deepEqual(warnings, ['http://127.0.0.1:1/'])
    assert.deepEqual(lookup.asked, [])
    await assert.rejects(
      async () => b.pull('nothing:v1'),
      (error: { host: string; mirrors: readonly string[] }) => {
        assert.equal(error.host, 'registry-1.docker.io')
        assert.deepEqual(
          error.mirrors.map(told => told.split(': ')[1]),
          ['REGISTRY_UNAVAILABLE', 'REGISTRY_NOT_FOUND'],
        )
        return true
      },
    )
    lookup.asked.length = 0
  }
})
