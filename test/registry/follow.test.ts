/** Where a registry may lead, what is told there, and how long we go on asking. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { RegistryOptions } from '../../src/registry/options.js'
import { certificate } from '../build/certificate.js'
import { endless } from '../build/endless.js'
import { type Answering, FakeRegistry, resolver, sha256 } from '../build/fake-registry.js'
import { alice, bytesOf, clientOf, credentialsFor, quick, referenceTo, repositoryOf } from '../build/registry-client.js'

const blob = { digest: sha256('content'), sizeBytes: 7 }
const get = `GET /v2/a/b/blobs/${blob.digest}`
const to = (location: string, status = 307): Answering => ({ status, headers: { location } })

/** A registry on https under a name of its own, which is nobody's insecure one; the names of others lead where is said. */
async function secure(t: TestContext, names: Readonly<Record<string, string>> = {}, options: RegistryOptions = {}) {
  const fake = await FakeRegistry.start(t, { tls: true })
  fake.addBlob('content')
  const lookup = resolver({ 'registry.test': '127.0.0.1', ...names })
  const host = `registry.test:${fake.port}`
  const client = clientOf(t, { lookup, ca: [certificate], ...options })
  return { fake, host, lookup, client, repository: client.repository(referenceTo(host)) }
}

for (const status of [301, 302, 303, 307, 308])
  test(`a GET follows ${status} to another place of the registry, with its rights`, async t => {
    const fake = await FakeRegistry.start(t, {
      routes: [
        [get, to('/elsewhere?x=1', status)],
        ['GET /elsewhere?x=1', { body: 'content' }],
      ],
    })
    fake.guard = ({ headers }) =>
      headers.authorization ? undefined : { status: 401, headers: { 'www-authenticate': 'Basic realm=x' } }
    const repository = repositoryOf(t, fake, { credentials: credentialsFor(fake.host, alice) })
    assert.equal((await bytesOf(repository.blob(blob))).toString(), 'content')
  })

test('G5: another origin is told what is wanted, and nothing of who asks; a range is asked there, too', async t => {
  const cdn = await FakeRegistry.start(t, {
    routes: [[/^GET \/x/, { status: 206, headers: { 'content-range': 'bytes 3-6/7' }, body: 'tent' }]],
  })
  const fake = await FakeRegistry.start(t, { routes: [[get, to(`${cdn.origin}/x?sig=1`)]] })
  fake.guard = ({ headers }) =>
    headers.authorization ? undefined : { status: 401, headers: { 'www-authenticate': 'Basic realm=x' } }
  const repository = repositoryOf(t, fake, { credentials: credentialsFor(fake.host, alice) })
  assert.equal((await bytesOf(repository.blob(blob, { offset: 3, verify: false }))).toString(), 'tent')
  const { host: _, connection: __, ...told } = cdn.seen[0]!.headers
  assert.deepEqual(told, { range: 'bytes=3-', 'accept-encoding': 'identity', 'user-agent': 'phyllo' })
})

test('G5: what another origin challenges with is not met', async t => {
  const cdn = await FakeRegistry.start(t)
  cdn.guard = () => ({ status: 401, headers: { 'www-authenticate': `Bearer realm="${cdn.origin}/token"` } })
  const fake = await FakeRegistry.start(t, { routes: [[get, to(`${cdn.origin}/x`)]] })
  const repository = repositoryOf(t, fake, { credentials: credentialsFor(cdn.host, alice) })
  await assert.rejects(bytesOf(repository.blob(blob)), {
    code: 'REGISTRY_AUTH',
    host: cdn.host,
    message: /is given none/,
  })
  assert.deepEqual(cdn.asked, ['GET /x'])
})

test('G6: five redirects are followed, six are not; a loop ends', async t => {
  const fake = await FakeRegistry.start(t)
  fake.addBlob('content')
  fake.route([
    [get, to('/1')],
    ...[1, 2, 3, 4].map(n => [`GET /${n}`, to(`/${n + 1}`)] as const),
    ['GET /5', { body: 'content' }],
  ])
  assert.equal((await bytesOf(repositoryOf(t, fake).blob(blob))).toString(), 'content')
  fake.route([['GET /5', to('/6')]])
  await assert.rejects(bytesOf(repositoryOf(t, fake).blob(blob)), { code: 'REGISTRY_REDIRECT', message: /more than 5/ })
  fake.route([['GET /1', to('/1')]])
  await assert.rejects(bytesOf(repositoryOf(t, fake).blob(blob)), { code: 'REGISTRY_REDIRECT' })
})

for (const [name, location, code] of [
  ['a user', 'http://u:p@HOST/x', 'REGISTRY_REDIRECT'],
  ['a file', 'file:///etc/passwd', 'REGISTRY_REDIRECT'],
  ['ftp', 'ftp://HOST/x', 'REGISTRY_REDIRECT'],
  ['what is no URL', 'http://[', 'REGISTRY_PROTOCOL'],
  ['link-local, though the registry is on this machine', 'http://169.254.169.254/latest', 'REGISTRY_REDIRECT'],
  ['no address', 'http://0.0.0.0/', 'REGISTRY_REDIRECT'],
] as const)
  test(`G6: a redirect to ${name} is ${code}`, async t => {
    const fake = await FakeRegistry.start(t)
    fake.route([[get, to(location.replace('HOST', fake.host))]])
    await assert.rejects(bytesOf(repositoryOf(t, fake).blob(blob)), { code })
    assert.equal(fake.asked.at(-1), get)
  })

test('G6: a redirect without a Location', async t => {
  const fake = await FakeRegistry.start(t, { routes: [[get, { status: 302 }]] })
  await assert.rejects(bytesOf(repositoryOf(t, fake).blob(blob)), { code: 'REGISTRY_PROTOCOL' })
})

const addresses = [
  ...[
    'http://127.0.0.1:PORT/',
    'https://127.0.0.1:PORT/',
    'https://127.0.0.2:PORT/',
    'https://localhost:PORT/',
    'https://a.localhost:PORT/',
  ],
  ...[
    'https://[::1]:PORT/',
    'https://[::ffff:127.0.0.1]:PORT/',
    'https://2130706433:PORT/',
    'https://0x7f.1:PORT/',
    'https://0177.0.0.1:PORT/',
  ],
  ...[
    'https://127.0.0.1.:PORT/',
    'https://10.0.0.1/',
    'https://192.168.0.1/',
    'https://[fd00::1]/',
    'https://169.254.169.254/latest',
  ],
  ...[
    'https://169.254.169.254./',
    'https://[fd00:ec2::254]/',
    'https://[fe80::1]/',
    'https://0.0.0.0/',
    'https://[::]/',
    'https://[::ffff:169.254.169.254]/',
  ],
  ...['https://inside.test:PORT/', 'https://metadata.test/', 'https://mapped.test:PORT/'],
]
const inside = { 'inside.test': '127.0.0.1', 'metadata.test': '169.254.169.254', 'mapped.test': '::ffff:127.0.0.1' }

test('G2, G6: from a registry elsewhere no realm and no redirect reaches a private address, by number or by name', async t => {
  const target = await FakeRegistry.start(t, { tls: true })
  const { fake, repository, host, lookup } = await secure(t, inside)
  for (const address of addresses) {
    const url = address.replace('PORT', target.port)
    fake.guard = undefined
    fake.route([[get, to(url)]])
    await assert.rejects(bytesOf(repository.blob(blob)), { code: 'REGISTRY_REDIRECT' }, `redirect to ${url}`)
    fake.guard = () => ({ status: 401, headers: { 'www-authenticate': `Bearer realm="${url}",service=x` } })
    const other = clientOf(t, { lookup, ca: [certificate], credentials: credentialsFor(host, alice) }).repository(
      referenceTo(host),
    )
    const error = await other.tags().catch(error => error)
    assert.match(error.code, /^REGISTRY_(AUTH|REDIRECT)$/, `realm ${url}: ${error}`)
  }
  assert.deepEqual(target.asked, [])
})

test('G2: a name that leads elsewhere the second time leads nowhere (DNS rebinding)', async t => {
  const target = await FakeRegistry.start(t, { tls: true })
  const { fake, repository, lookup } = await secure(t, { 'cdn.test': '127.0.0.1' })
  fake.route([[get, to(`https://cdn.test:${target.port}/x`)]])
  await assert.rejects(bytesOf(repository.blob(blob)), { code: 'REGISTRY_REDIRECT', addresses: ['127.0.0.1'] })
  // What was looked at is what was connected to: there is no other lookup.
  assert.equal(lookup.asked.filter(name => name === 'cdn.test').length, 1)
  assert.deepEqual(target.asked, [])
})

test('a private host that the user names is followed to', async t => {
  const target = await FakeRegistry.start(t, { tls: true, routes: [['GET /x', { body: 'content' }]] })
  const { fake, repository } = await secure(
    t,
    { 'cdn.test': '127.0.0.1' },
    { privateHosts: [`CDN.test:${target.port}`] },
  )
  fake.route([[get, to(`https://cdn.test:${target.port}/x`)]])
  assert.equal((await bytesOf(repository.blob(blob))).toString(), 'content')
})

test('G6: from https to http, never', async t => {
  const target = await FakeRegistry.start(t)
  const { fake, repository } = await secure(
    t,
    { 'cdn.test': '127.0.0.1' },
    { privateHosts: [`cdn.test:${target.port}`] },
  )
  fake.route([[get, to(`http://cdn.test:${target.port}/x`)]])
  await assert.rejects(bytesOf(repository.blob(blob)), { code: 'REGISTRY_REDIRECT', message: /not encrypted/ })
  assert.deepEqual(target.asked, [])
})

test('G11: an insecure registry says nothing about certificates elsewhere', async t => {
  const target = await FakeRegistry.start(t, { tls: true })
  const fake = await FakeRegistry.start(t, { tls: true })
  const lookup = resolver({ 'registry.test': '127.0.0.1', 'cdn.test': '127.0.0.1' })
  const host = `registry.test:${fake.port}`
  fake.route([[get, to(`https://cdn.test:${target.port}/x`)]])
  const repository = clientOf(t, { lookup, insecureRegistries: [host] }).repository(referenceTo(host))
  await assert.rejects(bytesOf(repository.blob(blob)), { code: 'REGISTRY_UNAVAILABLE', message: /self-signed/ })
  assert.deepEqual(target.asked, [])
})

test('certificates: unknown ones are refused; the user’s authorities and Docker’s folder count', async t => {
  const { fake, host, lookup, repository } = await secure(t)
  assert.equal((await bytesOf(repository.blob(blob))).toString(), 'content')
  const without = clientOf(t, { lookup }).repository(referenceTo(host))
  const before = fake.asked.length
  await assert.rejects(bytesOf(without.blob(blob)), { code: 'REGISTRY_UNAVAILABLE', message: /self-signed/ })
  assert.equal(fake.asked.length, before)
  const certificates = await mkdtemp(join(tmpdir(), 'phyllo-certs-'))
  t.after(() => rm(certificates, { recursive: true }))
  await mkdir(join(certificates, host))
  await writeFile(join(certificates, host, 'ca.crt'), certificate)
  const byFolder = () => clientOf(t, { lookup, certificates }).repository(referenceTo(host))
  assert.equal((await bytesOf(byFolder().blob(blob))).toString(), 'content')
  await writeFile(join(certificates, host, 'client.cert'), certificate)
  await assert.rejects(bytesOf(byFolder().blob(blob)), {
    code: 'REGISTRY_CREDENTIALS',
    message: /client has no client\.key/,
  })
})

test('an insecure registry is asked over https first, then over http; a secure one never', async t => {
  const plain = await FakeRegistry.start(t)
  plain.addBlob('content')
  assert.equal((await bytesOf(repositoryOf(t, plain).blob(blob))).toString(), 'content')
  const tls = await FakeRegistry.start(t, { tls: true })
  tls.addBlob('content')
  assert.equal((await bytesOf(repositoryOf(t, tls).blob(blob))).toString(), 'content')
  const lookup = resolver({ 'registry.test': '127.0.0.1' })
  const host = `registry.test:${plain.port}`
  const before = plain.asked.length
  await assert.rejects(clientOf(t, { lookup }).repository(referenceTo(host)).tags(), { code: 'REGISTRY_UNAVAILABLE' })
  assert.equal(plain.asked.length, before)
  const listed = clientOf(t, { lookup, insecureRegistries: ['127.0.0.0/8'] }).repository(referenceTo(host))
  assert.equal(await listed.stat(blob.digest), 7)
})

test('who answers over https, whatever it says, is not asked over http', async t => {
  const tls = await FakeRegistry.start(t, { tls: true, routes: [['GET /v2/', { status: 500 }]] })
  await assert.rejects(repositoryOf(t, tls).tags(), { code: 'REGISTRY_UNAVAILABLE', status: 500 })
  assert.ok(tls.asked.length > 0)
})

test('429: Retry-After is waited for, by every request to that registry', async t => {
  const fake = await FakeRegistry.start(t, {
    routes: [[get, { status: 429, headers: { 'retry-after': '1' } }, { body: 'content' }]],
  })
  const repository = repositoryOf(t, fake)
  const started = performance.now()
  const first = bytesOf(repository.blob(blob))
  while (!fake.asked.includes(get)) await new Promise(resolve => setTimeout(resolve, 5))
  await new Promise(resolve => setTimeout(resolve, 50))
  await repository.stat(blob.digest)
  assert.ok(performance.now() - started >= 990)
  assert.equal((await first).toString(), 'content')
})

test('429: longer than it is worth to wait is REGISTRY_LIMIT at once, and says how long', async t => {
  const fake = await FakeRegistry.start(t, { routes: [[get, { status: 429, headers: { 'retry-after': '3600' } }]] })
  const started = performance.now()
  await assert.rejects(bytesOf(repositoryOf(t, fake).blob(blob)), {
    code: 'REGISTRY_LIMIT',
    retryAfterMs: 3_600_000,
    status: 429,
  })
  assert.ok(performance.now() - started < 900)
})

test('429: longer than there is time for is REGISTRY_LIMIT at once, and not a timeout', async t => {
  const limited = { status: 429, headers: { 'retry-after': '30' } }
  const fake = await FakeRegistry.start(t, { routes: [['GET /v2/', limited]] })
  // Whoever began to wait would hear of the time instead.
  const options = { timeouts: { tokenMs: 10_000, totalMs: 10_000 }, retries: { ...quick, longestMs: 60_000 } }
  const expected = { code: 'REGISTRY_LIMIT', retryAfterMs: 30_000 }
  await assert.rejects(repositoryOf(t, fake, options).tags(), expected)
  fake.forget()
  fake.route([[get, limited]])
  await assert.rejects(repositoryOf(t, fake, options).bytes(blob), expected)
})

for (const status of [408, 429, 499, 500, 502, 503, 504, 520, 522, 524])
  test(`${status} is tried again, 501 and 400 are not`, async t => {
    const fake = await FakeRegistry.start(t, { routes: [[get, { status }, { status }, { body: 'content' }]] })
    assert.equal((await bytesOf(repositoryOf(t, fake).blob(blob))).toString(), 'content')
    fake.route([[get, { status: status === 429 ? 400 : 501 }]])
    const before = fake.asked.length
    await assert.rejects(bytesOf(repositoryOf(t, fake).blob(blob)), { code: 'REGISTRY_REFUSED' })
    assert.equal(fake.asked.slice(before).filter(one => one === get).length, 1)
  })

test('nobody there: REGISTRY_UNAVAILABLE, with the reason', async t => {
  const repository = clientOf(t).repository(referenceTo('127.0.0.1:1'))
  await assert.rejects(repository.tags(), {
    code: 'REGISTRY_UNAVAILABLE',
    message: /ECONNREFUSED 127\.0\.0\.1:1/,
    host: '127.0.0.1:1',
  })
  const nowhere = clientOf(t, { lookup: resolver({}) }).repository(referenceTo('nowhere.test'))
  await assert.rejects(nowhere.tags(), { code: 'REGISTRY_UNAVAILABLE', message: /ENOTFOUND nowhere\.test/ })
})

test('what is no HTTP, and a head of a mebibyte, are REGISTRY_PROTOCOL', async t => {
  for (const text of ['SSH-2.0-OpenSSH_9.2\r\n', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(1 << 20)}\r\n\r\n`]) {
    await assert.rejects(answeredWith(t, text), { code: 'REGISTRY_PROTOCOL' })
  }
})

test('G9: two lengths of one body (smuggling) are no answer', async t => {
  const text = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
  await assert.rejects(answeredWith(t, text), { code: 'REGISTRY_UNAVAILABLE' })
})

/** Asks a server that answers with that text. */
async function answeredWith(t: TestContext, text: string): Promise<unknown> {
  const server = createServer(socket => {
    socket.on('error', () => undefined)
    // TLS is tried first.
    socket.once('data', data => (data[0] === 0x16 ? socket.destroy() : socket.end(text)))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => void server.close())
  const { port } = server.address() as { port: number }
  return clientOf(t)
    .repository(referenceTo(`127.0.0.1:${port}`))
    .tags()
}

test('G10: an error of a gibibyte of HTML with escapes: short, harmless, without what was secret', async t => {
  const html = `<html>\x1b]0;owned\x07\x1b[2J https://cdn.test/x?X-Amz-Signature=abcdef ${'A'.repeat(60_000)}`
  const fake = await FakeRegistry.start(t, {
    routes: [
      [
        get,
        (_, response) => {
          response.writeHead(403, { 'content-type': 'text/html' })
          endless(response, html)
          return undefined
        },
      ],
    ],
  })
  const error = await bytesOf(repositoryOf(t, fake).blob(blob)).catch(error => error)
  assert.equal(error.code, 'REGISTRY_DENIED')
  assert.ok(error.message.length < 8192)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
  assert.doesNotMatch(error.message, /[\x00-\x1f]|abcdef/)
  assert.match(error.message, /owned/)
})

test('G10: the query of a redirect is in no message', async t => {
  const fake = await FakeRegistry.start(t)
  fake.route([
    [get, to(`${fake.origin}/x?X-Amz-Signature=abcdef`)],
    [/^GET \/x/, { status: 400, body: 'expired' }],
  ])
  const error = await bytesOf(repositoryOf(t, fake).blob(blob)).catch(error => error)
  assert.equal(error.code, 'REGISTRY_REFUSED')
  assert.doesNotMatch(JSON.stringify(error) + error.message + error.stack, /abcdef/)
  assert.match(error.path, /\/x\?…$/)
})

test('errors in every form that registries send', async t => {
  const json = { 'content-type': 'application/json; charset=utf-8' }
  for (const [status, headers, body, code, message] of [
    [
      404,
      json,
      '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"},{"code":"X_Y"}]}',
      'REGISTRY_NOT_FOUND',
      /: manifest unknown: manifest unknown; x y$/,
    ],
    [404, json, '{"details":"text"}', 'REGISTRY_NOT_FOUND', /: text$/],
    [404, json, '{"errors":"x"}', 'REGISTRY_NOT_FOUND', /: status 404: \{"errors":"x"\}$/],
    [
      404,
      { 'content-type': 'text/plain' },
      '404 page not found',
      'REGISTRY_NOT_FOUND',
      /: status 404: 404 page not found$/,
    ],
    [403, json, 'not json', 'REGISTRY_DENIED', /not json/],
    [403, {}, '', 'REGISTRY_DENIED', /: status 403$/],
    [405, json, '{"errors":[{"code":"UNSUPPORTED","message":"no"}]}', 'REGISTRY_REFUSED', /unsupported: no$/],
    [418, json, '{"errors":[{"code":5,"message":[]}]}', 'REGISTRY_REFUSED', /status 418$/],
    [204, {}, '', 'REGISTRY_PROTOCOL', /status 204$/],
  ] as const) {
    const fake = await FakeRegistry.start(t, { routes: [[get, { status, headers, body }]] })
    await assert.rejects(bytesOf(repositoryOf(t, fake).blob(blob)), { code, message, status, operation: 'GET' })
  }
})

test('an abort while nobody answers, connects or may be asked yet', async t => {
  const reason = new Error('enough')
  const fake = await FakeRegistry.start(t, { routes: [['GET /v2/', () => undefined]] })
  const silent = resolver({})
  const never = Object.assign((..._: Parameters<typeof silent>) => undefined, { asked: [] })
  const slow = await FakeRegistry.start(t, { routes: [[get, { status: 429, headers: { 'retry-after': '1' } }]] })
  for (const repository of [
    repositoryOf(t, fake),
    clientOf(t, { lookup: never }).repository(referenceTo('registry.test')),
    repositoryOf(t, slow, { retries: { ...quick, longestMs: 60_000 } }),
  ]) {
    const abort = new AbortController()
    setTimeout(() => abort.abort(reason), 40)
    await assert.rejects(bytesOf(repository.blob(blob, { signal: abort.signal })), error => error === reason)
  }
})

test('K4: options that stand in Object.prototype are nobody’s', async t => {
  const { host, lookup } = await secure(t)
  const polluted = Object.prototype as { insecureRegistries?: unknown }
  polluted.insecureRegistries = [host]
  try {
    const repository = clientOf(t, { lookup }).repository(referenceTo(host))
    await assert.rejects(repository.tags(), { code: 'REGISTRY_UNAVAILABLE', message: /self-signed/ })
  } finally {
    delete polluted.insecureRegistries
  }
})

test('a client that is closed ends what it is at', async t => {
  const fake = await FakeRegistry.start(t, { routes: [[get, () => undefined]] })
  const client = clientOf(t, { retries: { attempts: 1 } })
  const reading = bytesOf(client.repository(referenceTo(fake.host)).blob(blob))
  reading.catch(() => undefined)
  while (!fake.asked.includes(get)) await new Promise(resolve => setTimeout(resolve, 5))
  await client.close()
  await assert.rejects(reading, { code: 'REGISTRY_UNAVAILABLE' })
})
