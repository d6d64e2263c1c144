/** A mirror of Docker Hub hears the same requests of us as of a dockerd, order aside. */
import assert from 'node:assert/strict'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { Store } from '../../src/index.js'
import { dockerRegistry } from '../build/docker-registry.js'
import { DockerRoots } from '../build/docker-roots.js'
import type { Ending } from '../build/fake-registry.js'

const roots = new DockerRoots()

/** In front of a server: what it is asked. */
async function listening(t: Ending, host: string): Promise<{ readonly origin: string; readonly asked: string[] }> {
  const asked: string[] = []
  const [hostname, port] = host.split(':')
  const proxy = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming
    asked.push(`${method} ${url}${headers.range === undefined ? '' : ` ${headers.range}`}`)
    incoming.pipe(
      request({ hostname, port, method, path: url, headers }, answer => {
        outgoing.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(outgoing)
      }),
    )
  })
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    proxy.close()
    proxy.closeAllConnections()
  })
  return { origin: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, asked }
}

/** Two layers, in a registry whose mirror is asked for it. */
async function pushed(t: Ending, host: string): Promise<string> {
  const store = await Store.temporary()
  t.after(() => store.close())
  for (const [base, tag] of [
    ['scratch', 'base:1'],
    ['base:1', `${host}/library/app:v1`],
  ] as const) {
    const box = await store.create(base)
    await box.promises.writeFile(`/${base.length}`, tag)
    await box.commit({ tag })
    await box.close()
  }
  return (await store.push(`${host}/library/app:v1`)).digest
}

test('by tag, by digest, and when nothing is new', async t => {
  const { host } = await dockerRegistry(t)
  const { host: through } = await dockerRegistry(t, { config: { proxy: { remoteurl: `http://${host}` } } })
  const digest = await pushed(t, host)
  const mirror = await listening(t, through)
  const heard = () => mirror.asked.splice(0).sort()
  const daemon = await roots.start('root', 'd', ['--registry-mirror', mirror.origin])
  const root = roots.path('ours')
  const ours = async (reference: string) => {
    await using store = await Store.open(root, { registry: { registryMirrors: [mirror.origin] } })
    return (await store.pull(reference)).id
  }
  for (const reference of ['app:v1', 'app:v1']) {
    await daemon.docker('pull', '-q', reference)
    const asked = heard()
    assert.notEqual(asked.length, 0)
    assert.equal(await ours(reference), (await daemon.docker('inspect', '-f', '{{.Id}}', reference)).trim())
    assert.deepEqual(heard(), asked, reference)
  }
  // What is here by its digest is what it is: Docker asks whether somebody is there, and nothing more.
  await daemon.docker('pull', '-q', `app@${digest}`)
  assert.deepEqual(heard(), ['GET /v2/'])
  await ours(`app@${digest}`)
  assert.deepEqual(heard(), [])
  await daemon.docker('rmi', '-f', 'app:v1', `app@${digest}`)
  await using store = await Store.open(root)
  for (const { id } of await store.images()) await store.remove(id, { force: true })
  await store.gc()
  await store.close()
  await daemon.docker('pull', '-q', `app@${digest}`)
  const asked = heard()
  await ours(`app@${digest}`)
  assert.deepEqual(heard(), asked)
})
