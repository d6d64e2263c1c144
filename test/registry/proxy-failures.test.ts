/** What is said when a proxy fails, or is none. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import type { PhylloError } from '../../src/errors.js'
import { checkProxies, environmentProxies, Proxies } from '../../src/registry/proxies.js'
import { certificate } from '../build/certificate.js'
import { resolver } from '../build/fake-registry.js'
import { TestProxy } from '../build/proxy.js'
import { blob, failure, get, type Scene, scene } from '../build/proxy-scene.js'
import { alice, bytesOf, clientOf, credentialsFor, referenceTo } from '../build/registry-client.js'

const password = 'hunter2'
const user = `a:${password}`
const [refused, unavailable] = ['REGISTRY_PROXY', 'REGISTRY_UNAVAILABLE'] as const
const failures: readonly (readonly [name: string, scene: Scene, code: string, message: RegExp, status?: number])[] = [
  [
    'wants credentials',
    { proxy: { auth: 'a:b' } },
    ...([refused, /wants a user and password \(407\).*http:\/\/user:password@/, 407] as const),
  ],
  ['does not take these', { proxy: { auth: 'a:b' }, user }, refused, /does not take the user.*%XX/, 407],
  ['wants what is not there', { proxy: { auth: 'a:b', challenge: 'Negotiate' } }, refused, /Negotiate alone/, 407],
  ['forbids it', { proxy: { refuses: 403 }, user }, refused, /does not let it through: status 403/, 403],
  ['did not get there', { proxy: { refuses: 502 }, user }, unavailable, /did not get there: status 502/, 502],
  ['is cut', { proxy: { refuses: 'cut' }, user }, unavailable, /was not reached or broke off: other side closed/],
  [
    'says nothing',
    {
      ...{ proxy: { refuses: 'mute' }, user },
      options: { timeouts: { connectMs: 50 }, retries: { attempts: 1 } },
    },
    ...([unavailable, /broke off: no answer for 0.05 s/] as const),
  ],
]

for (const [name, how, code, message, proxyStatus] of failures)
  test(`a proxy that ${name} is ${code}, which names it without its password`, async t => {
    const { proxy, read, fake } = await scene(t, how)
    const error = await failure(read())
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    assert.match(error.message, /^GET https:\/\/registry\.test:\d+\/v2\/: the proxy http:\/\/127\.0\.0\.1:\d+ /)
    assert.match(error.message, /HTTPS_PROXY.*option proxies/)
    assert.equal(error.proxy, proxy.origin)
    assert.equal(error.proxyStatus, proxyStatus)
    const shown = inspect(error, { depth: 9, showHidden: true })
    for (const secret of [password, Buffer.from(user).toString('base64')]) assert.ok(!shown.includes(secret), shown)
    assert.deepEqual(fake.asked, [])
    // What may be over in a moment is tried again, and nothing else is.
    const patient = code === unavailable && how.options === undefined
    assert.equal(proxy.asked.length, patient ? 3 : 1)
  })

test('a proxy that is not there is told, for https and http', async t => {
  for (const tls of [true, false]) {
    const url = `http://a:${password}@127.0.0.1:9`
    const { read } = await scene(t, { tls, options: { proxies: { http: url, https: url } } })
    const error = await failure(read())
    assert.deepEqual([error.code, error.proxy], [unavailable, 'http://127.0.0.1:9'])
    assert.match(error.message, /the proxy http:\/\/127\.0\.0\.1:9 was not reached or broke off: .*ECONNREFUSED/)
    assert.ok(!inspect(error, { depth: 9, showHidden: true }).includes(password))
  }
})

test('407 to a request in the clear is the proxy’s, along a tunnel it is the registry’s', async t => {
  const clear = await scene(t, { tls: false, proxy: { auth: 'a:b' } })
  const open = await TestProxy.start(t)
  const client = clientOf(t, {
    insecureRegistries: [clear.host],
    proxies: { https: open.origin, http: clear.proxy.origin },
  })
  const error = await failure(bytesOf(client.repository(referenceTo(clear.host)).blob(blob)))
  assert.deepEqual([error.code, error.proxyStatus], [refused, 407])
  assert.match(error.message, /^GET http:/)
  const { fake, read } = await scene(t)
  fake.guard = () => ({ status: 407 })
  const registrys = await failure(read())
  assert.deepEqual([registrys.code, registrys.status, registrys.proxyStatus], ['REGISTRY_REFUSED', 407, undefined])
})

test('an insecure registry is asked over http when the proxy tunnels nothing, but not when it wants credentials', async t => {
  const { fake, host, proxy } = await scene(t, { tls: false })
  const strict = await TestProxy.start(t, { refuses: 403 })
  const options = {
    ...{ insecureRegistries: [host], credentials: credentialsFor(host, alice) },
    proxies: { https: strict.origin, http: proxy.origin },
  }
  const read = () => bytesOf(clientOf(t, options).repository(referenceTo(host)).blob(blob))
  assert.equal(String(await read()), 'content')
  assert.deepEqual(strict.asked, [`CONNECT ${host}`])
  assert.ok(fake.asked.includes(get))
  strict.options = { auth: 'a:b' }
  proxy.asked.length = 0
  assert.equal((await failure(read())).code, refused)
  assert.deepEqual(proxy.asked, [])
})

test('a failure of the registry says which proxy has carried it', async t => {
  const { fake, read, proxy } = await scene(t)
  fake.route([[get, { status: 404 }]])
  const error = await failure(read())
  assert.deepEqual([error.code, error.proxy], ['REGISTRY_NOT_FOUND', proxy.origin])
  assert.match(error.message, /, through the proxy http/)
})

test('a blob goes on when the tunnel is cut', async t => {
  const bytes = Buffer.alloc(300_000, 'x')
  const { fake, proxy, host } = await scene(t, { proxy: { cutAt: 100_000 } })
  const big = fake.addBlob(bytes)
  const client = clientOf(t, {
    ...{ ca: [certificate], lookup: resolver({}), credentials: credentialsFor(host, alice) },
    proxies: { https: proxy.origin },
  })
  assert.ok((await bytesOf(client.repository(referenceTo(host)).blob(big))).equals(bytes))
  assert.ok(fake.seen.some(({ headers }) => headers.range !== undefined))
})

test('close ends a CONNECT that nobody answers', async t => {
  const { proxy, host } = await scene(t, { proxy: { refuses: 'mute' } })
  const client = clientOf(t, { proxies: { https: proxy.origin }, lookup: resolver({}), retries: { attempts: 1 } })
  const reading = failure(bytesOf(client.repository(referenceTo(host)).blob(blob)))
  while (proxy.asked.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
  await client.close()
  assert.equal((await reading).code, unavailable)
  for (let ms = 0; ms < 2000 && proxy.sockets.size > 0; ms += 10) await new Promise(resolve => setTimeout(resolve, 10))
  assert.equal(proxy.sockets.size, 0)
})

test('the environment is read as Go reads it: upper case first, empty is nothing, a CGI program has no HTTP_PROXY', () => {
  assert.deepEqual(environmentProxies({ HTTPS_PROXY: 'A', https_proxy: 'b', no_proxy: 'c', NO_PROXY: '' }), {
    https: 'A',
    noProxy: 'c',
  })
  assert.deepEqual(environmentProxies({ HTTP_PROXY: '', ALL_PROXY: 'x' }), {})
  const cgi = new Proxies(environmentProxies({ HTTP_PROXY: 'p:1', REQUEST_METHOD: 'GET' }))
  assert.throws(() => cgi.of(new URL('http://a.test/')), { code: refused, message: /CGI/ })
})

for (const [text, origin, user] of [
  ['proxy.lan:3128', 'http://proxy.lan:3128'],
  ['proxy.lan', 'http://proxy.lan'],
  ['bob:pw@proxy.lan:3128', 'http://proxy.lan:3128', 'bob:pw'],
  ['https://bob@proxy.lan/', 'https://proxy.lan', 'bob:'],
  ['http://b%6Fb:p%3A%25@[fd00::1]:1', 'http://[fd00::1]:1', 'bob:p:%'],
] as const)
  test(`a proxy is written ${text}`, () => {
    const authorization = user && `Basic ${Buffer.from(user).toString('base64')}`
    assert.deepEqual(new Proxies({ http: text }).of(new URL('http://a.test')), {
      origin,
      ...(authorization && { authorization }),
    })
  })

for (const text of ['http://a:P@', 'socks5://a:P@p:1', 'http://a:P%@p', 'http://a:P@p:99999', 'a:P@ b'])
  test(`what is no proxy is refused without being told: ${text}`, () => {
    const https = text.replace('P', password)
    const hidden = (error: Error) => !inspect(error).includes(password) && /proxies|proxy/.test(error.message)
    assert.throws(
      () => checkProxies({ https }),
      (error: Error) => error instanceof TypeError && hidden(error),
    )
    // From the environment: not before it is needed.
    const proxies = new Proxies({ https, noProxy: 'b.test' })
    assert.equal(proxies.of(new URL('https://b.test')), undefined)
    assert.throws(
      () => proxies.of(new URL('https://a.test')),
      (error: PhylloError) => error.code === refused && hidden(error),
    )
  })

test('options of another shape are TypeErrors', () => {
  for (const wrong of [null, true, 'p', { http: 1 }, { noProxy: [1] }, { noProxy: {} }])
    assert.throws(() => checkProxies(wrong), TypeError)
  for (const right of [false, {}, { noProxy: ['a'] }, { http: '' }]) checkProxies(right)
})
