/** Registries behind a proxy: what goes through it, what does not, and what it sees. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Proxies } from '../../src/registry/proxies.js'
import { certificate } from '../build/certificate.js'
import { FakeRegistry, resolver, sha256 } from '../build/fake-registry.js'
import { noProxyCases } from '../build/no-proxy-cases.js'
import { blob, failure, get, scene } from '../build/proxy-scene.js'
import { alice, bytesOf, clientOf, credentialsFor, referenceTo } from '../build/registry-client.js'

const basicOfAlice = Buffer.from('alice:secret').toString('base64')

for (const proxyTls of [false, true])
  for (const user of [undefined, 'bob:p%40ss%3Aw'])
    for (const tls of [true, false])
      test(`an ${tls ? 'https' : 'http'} registry is asked through a proxy by ${proxyTls ? 'TLS' : 'http'}${user ? ' that wants to know who asks' : ''}`, async t => {
        const auth = user && decodeURIComponent(user)
        const { fake, proxy, read, lookup } = await scene(t, {
          ...{ tls, user, proxy: { tls: proxyTls, ...(auth && { auth }) } },
        })
        assert.equal(String(await read()), 'content')
        const host = `registry.test:${fake.port}`
        if (tls) assert.deepEqual(new Set(proxy.asked), new Set([`CONNECT ${host}`]))
        // Docker's order: https first, which nobody answers there.
        else assert.ok(proxy.asked.includes(`GET http://${host}/v2/a/b/blobs/${blob.digest}`), String(proxy.asked))
        assert.deepEqual(lookup.asked, [])
        assert.ok(fake.seen.every(({ headers }) => headers.host === host))
        // Leaks: what is the proxy's does not come to the registry, and what is the registry's goes by TLS alone.
        assert.ok(fake.seen.every(({ text }) => !/proxy-/i.test(text)))
        assert.equal(proxy.saw(basicOfAlice), !tls)
      })

test('a proxy for https alone is none for http, and the other way round', async t => {
  for (const tls of [true, false]) {
    const { fake, proxy, read } = await scene(t, { tls, names: { 'registry.test': '127.0.0.1' } })
    const other = await scene(t, {
      ...{ tls, names: { 'registry.test': '127.0.0.1' } },
      options: { proxies: tls ? { http: proxy.origin } : { https: proxy.origin } },
    })
    await read()
    const asked = proxy.asked.length
    await other.read()
    assert.ok(other.fake.asked.includes(get) && fake.asked.includes(get))
    assert.ok(
      proxy.asked.slice(asked).every(line => line.startsWith('CONNECT') !== tls),
      String(proxy.asked),
    )
  }
})

for (const noProxy of ['registry.test', '.test', '*', 'registry.test:PORT'])
  test(`what ${noProxy} names is asked without the proxy, and without its credentials`, async t => {
    const { fake, proxy, host } = await scene(t)
    const proxies = { https: proxy.urlFor('bob:pw'), noProxy: noProxy.replace('PORT', fake.port) }
    const lookup = resolver({ 'registry.test': '127.0.0.1' })
    const client = clientOf(t, { lookup, ca: [certificate], credentials: credentialsFor(host, alice), proxies })
    assert.equal(String(await bytesOf(client.repository(referenceTo(host)).blob(blob))), 'content')
    assert.deepEqual(proxy.asked, [])
    assert.ok(fake.seen.every(({ text }) => !/proxy-/i.test(text)))
  })

for (const tls of [true, false])
  test(`a blob of many pieces goes up to an ${tls ? 'https' : 'http'} registry through a proxy`, async t => {
    const { fake, proxy, repository } = await scene(t, { tls })
    const parts = Array.from({ length: 20 }, (_, i) => Buffer.alloc(50_000, String(i)))
    const bytes = Buffer.concat(parts)
    const big = { digest: sha256(bytes), sizeBytes: bytes.length }
    await repository.upload(big, async function* () {
      yield* parts
    })
    assert.ok(fake.blobs.get(big.digest)?.equals(bytes))
    assert.ok(proxy.asked.some(line => line.startsWith(tls ? 'CONNECT' : 'PUT http://registry.test')))
  })

test('this machine is never asked through a proxy', async t => {
  const { proxy } = await scene(t)
  for (const tls of [true, false]) {
    const fake = await FakeRegistry.start(t, { tls })
    fake.addBlob('content')
    for (const host of [fake.host, `localhost:${fake.port}`]) {
      const client = clientOf(t, { proxies: { http: proxy.origin, https: proxy.origin } })
      assert.equal(String(await bytesOf(client.repository(referenceTo(host)).blob(blob))), 'content')
    }
  }
  assert.deepEqual(proxy.asked, [])
})

for (const [noProxy, host, proxied] of noProxyCases)
  test(`NO_PROXY=${noProxy}: ${host} ${proxied ? 'through the proxy' : 'without'}`, () => {
    for (const form of [noProxy, noProxy.split(',')])
      assert.equal(new Proxies({ https: 'p', noProxy: form }).of(new URL(`https://${host}`)) !== undefined, proxied)
  })

test('a redirect and a token server choose their proxy anew, and are told nothing of it', async t => {
  const { fake, proxy, host } = await scene(t, { user: 'bob:pw', proxy: { auth: 'bob:pw' } })
  const cdn = await FakeRegistry.start(t, { tls: true, routes: [[/^GET \/x/, { body: 'content' }]] })
  const body = JSON.stringify({ token: 'tttoken' })
  const tokens = await FakeRegistry.start(t, { tls: true, routes: [[/^GET \/token/, { body }]] })
  const realm = `Bearer realm="https://inside.test:${tokens.port}/token",service="s"`
  fake.guard = ({ headers }) =>
    headers.authorization ? undefined : { status: 401, headers: { 'www-authenticate': realm } }
  fake.route([[get, { status: 307, headers: { location: `https://cdn.test:${cdn.port}/x` } }]])
  for (const noProxy of ['cdn.test', 'inside.test', 'registry.test']) {
    proxy.asked.length = 0
    const lookup = resolver({ 'cdn.test': '127.0.0.1', 'inside.test': '127.0.0.1', 'registry.test': '127.0.0.1' })
    const client = clientOf(t, {
      ...{
        lookup,
        ca: [certificate],
        credentials: credentialsFor(host, alice),
        realms: { [host]: [`inside.test:${tokens.port}`] },
      },
      ...{
        proxies: { https: proxy.urlFor('bob:pw'), noProxy },
        privateHosts: [`cdn.test:${cdn.port}`, `inside.test:${tokens.port}`],
      },
    })
    assert.equal(String(await bytesOf(client.repository(referenceTo(host)).blob(blob))), 'content')
    const hosts = new Set(proxy.asked.map(line => line.split(/[ :]/)[1]))
    assert.deepEqual(hosts, new Set(['cdn.test', 'inside.test', 'registry.test'].filter(name => name !== noProxy)))
  }
  assert.equal(tokens.seen[0]!.headers.authorization, `Basic ${basicOfAlice}`)
  assert.ok([...fake.seen, ...cdn.seen, ...tokens.seen].every(({ text }) => !/proxy-/i.test(text)))
  assert.ok(cdn.seen.every(({ headers }) => headers.authorization === undefined))
  for (const secret of [basicOfAlice, 'tttoken']) assert.equal(proxy.saw(secret), false)
})

test('a redirect to an address that may not be asked is refused behind a proxy, too', async t => {
  const { fake, proxy, read } = await scene(t)
  fake.route([[get, { status: 307, headers: { location: 'https://169.254.169.254/latest' } }]])
  await assert.rejects(read(), { code: 'REGISTRY_REDIRECT' })
  assert.ok(!proxy.asked.some(line => line.includes('169.254')))
})

test('a certificate that does not hold is refused through the tunnel; of a registry that is insecure it is not looked at', async t => {
  const { fake, proxy, read } = await scene(t, { options: { ca: [] } })
  const error = await failure(read())
  assert.equal(error.code, 'REGISTRY_UNAVAILABLE')
  assert.match(error.message, /self-signed certificate.*, through the proxy http:\/\/127/)
  assert.deepEqual(fake.asked, [])
  const insecure = await scene(t, { options: { ca: [], proxies: { https: proxy.origin } } })
  const client = clientOf(t, {
    ...{ proxies: { https: proxy.origin }, insecureRegistries: [insecure.host] },
    credentials: credentialsFor(insecure.host, alice),
  })
  assert.equal(String(await bytesOf(client.repository(referenceTo(insecure.host)).blob(blob))), 'content')
})

test('a name that is insecure as far as a subnet is not so where the proxy resolves it', async t => {
  for (const tls of [true, false]) {
    const { fake, host, proxy } = await scene(t, { tls })
    const client = clientOf(t, {
      ...{ proxies: { http: proxy.origin, https: proxy.origin }, insecureRegistries: ['10.0.0.0/8'] },
      lookup: resolver({ 'registry.test': '10.0.0.1' }),
    })
    const error = await failure(bytesOf(client.repository(referenceTo(host)).blob(blob)))
    assert.equal(error.code, 'REGISTRY_PROXY')
    assert.match(error.message, /name the host itself in insecureRegistries/)
    assert.deepEqual(fake.asked, [])
  }
})
