/**
 * The matrix of leaks: a registry A names another origin B in every place in which a registry can name one. Whatever the
 * place, whatever the credential, whoever B is: no secret of A's is in anything that B is sent. Threats G1, G3, G5, G7.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { parseReference } from '../../src/oci/reference.js'
import type { Credential } from '../../src/registry/credential.js'
import type { Repository } from '../../src/registry/repository.js'
import { certificate } from '../build/certificate.js'
import { type Ending, FakeRegistry, type Routes, resolver, sha256 } from '../build/fake-registry.js'
import { bytesOf, clientOf, credentialsFor, quick } from '../build/registry-client.js'

const digest = sha256('content')
const blob = { digest, sizeBytes: 7 }
const secrets = [
  'S3cret-password',
  'S3cret-identity',
  'S3cret-ready',
  'S3cret-issued',
  Buffer.from('alice:S3cret-password').toString('base64'),
]

const credentials: Readonly<Record<string, Credential>> = {
  password: { kind: 'password', username: 'alice', password: 'S3cret-password' },
  identity: { kind: 'identity', username: 'alice', token: 'S3cret-identity' },
  ready: { kind: 'registry', token: 'S3cret-ready' },
}

/** Who B is, as seen from A, and how A is reached. */
const others = ['another port, both http', 'another host, both https', 'below A, both https', 'http, A https'] as const

const json = { 'content-type': 'application/json' }
const pull = (repository: Repository) => bytesOf(repository.blob(blob))
const push = (repository: Repository) =>
  repository.upload(blob, async function* () {
    yield Buffer.from('content')
  })

interface Place {
  /** A's answers, given the origin of B; they stand behind A's own demand for credentials. */
  readonly routes: (b: string) => Routes
  readonly use: (repository: Repository) => Promise<unknown>
  /** A demands them by naming B. */
  readonly realm?: boolean
}

const to = (location: string, status = 307) => ({ status, headers: { location } })
const next = (b: string) => ({
  headers: { ...json, link: `<${b}/next>; rel="next"` },
  body: '{"tags":[],"schemaVersion":2,"manifests":[]}',
})

const places: Readonly<Record<string, Place>> = {
  realm: { routes: () => [], use: pull, realm: true },
  'redirect of the ping': { routes: b => [['GET /v2/', to(`${b}/v2/`)]], use: pull },
  'redirect of a blob, 301': { routes: b => [[/^GET .*blobs/, to(`${b}/x`, 301)]], use: pull },
  'redirect of a blob, 302': { routes: b => [[/^GET .*blobs/, to(`${b}/x`, 302)]], use: pull },
  'redirect of a blob, 307': { routes: b => [[/^GET .*blobs/, to(`${b}/challenge`)]], use: pull },
  'redirect of a HEAD, 308': { routes: b => [[/^HEAD .*blobs/, to(`${b}/x`, 308)]], use: r => r.stat(digest) },
  'redirect of a manifest, 303': {
    routes: b => [[/^(GET|HEAD) .*manifests/, to(`${b}/x`, 303)]],
    use: r => r.manifest('v1'),
  },
  'redirect there and back': { routes: b => [[/^GET .*blobs/, to(`${b}/back`)]], use: pull },
  'redirect of a token request': { routes: b => [[/ \/token/, to(`${b}/token`)]], use: pull },
  'location of an upload': {
    routes: b => [[/^POST .*uploads/, { status: 202, headers: { location: `${b}/up` } }]],
    use: push,
  },
  'redirect of an upload': { routes: b => [[/^(POST|PUT) .*uploads/, to(`${b}/up`)]], use: push },
  'location of a mount': {
    routes: b => [[/^POST .*uploads/, { status: 202, headers: { location: `${b}/up` } }]],
    use: r => r.mount(digest, 'c/d'),
  },
  'link of tags': { routes: b => [[/tags/, next(b)]], use: r => r.tags() },
  'link of referrers': { routes: b => [[/referrers/, next(b)]], use: r => r.referrers(digest) },
}

const ending: (() => Promise<void> | void)[] = []
const end: Ending = { after: work => void ending.push(work) }
after(async () => {
  for (const work of ending.reverse()) await work()
})

let fakes: { plain: [FakeRegistry, FakeRegistry]; tls: [FakeRegistry, FakeRegistry] }
before(async () => {
  const start = (tls: boolean) => FakeRegistry.start(end, { tls })
  fakes = { plain: [await start(false), await start(false)], tls: [await start(true), await start(true)] }
})

function sides(other: (typeof others)[number]) {
  const [plainA, plainB] = fakes.plain
  const [tlsA, tlsB] = fakes.tls
  if (other === 'another port, both http') return { a: plainA, host: plainA.host, b: plainB, origin: plainB.origin }
  const host = `registry.test:${tlsA.port}`
  if (other === 'http, A https') return { a: tlsA, host, b: plainB, origin: `http://cdn.test:${plainB.port}` }
  const name = other === 'below A, both https' ? 'a.registry.test' : 'cdn.test'
  return { a: tlsA, host, b: tlsB, origin: `https://${name}:${tlsB.port}` }
}

let cells = 0
let turn = 0
for (const [name, place] of Object.entries(places))
  for (const [kind, credential] of Object.entries(credentials))
    for (const scheme of ['basic', 'bearer'] as const)
      for (const other of others) {
        // Credentials may go to a token server below the registry's own name: that is another test's.
        if (place.realm && (scheme === 'basic' || other === 'below A, both https')) continue
        // TLS costs: of its cells each place has some, in turn.
        if (other !== 'another port, both http' && turn++ % 5 !== 0) continue
        cells++
        test(`${name}, ${kind}, ${scheme}, ${other}`, async t => {
          const { a, host, b, origin } = sides(other)
          const own = other === 'another port, both http' ? a.origin : `https://${host}`
          arm(a, place, scheme, place.realm ? origin : own, origin)
          b.seen.length = 0
          b.guard = undefined
          b.forget()
          b.route([
            [/ \/back/, to(`${own}/landed`)],
            [
              / \/challenge/,
              {
                status: 401,
                headers: {
                  'www-authenticate': `Bearer realm="${origin}/token",scope="repository:a/b:pull", Basic realm=x`,
                },
              },
            ],
            [/ \/token/, { headers: json, body: '{"token":"of-b"}' }],
            [/./, { body: 'content' }],
          ])
          const names = { 'registry.test': '127.0.0.1', 'cdn.test': '127.0.0.1', 'a.registry.test': '127.0.0.1' }
          const client = clientOf(t, {
            retries: { ...quick, attempts: 1 },
            lookup: resolver(names),
            ca: [certificate],
            // Without these nothing at all would reach B, which proves less.
            privateHosts: [new URL(origin).host],
            credentials: credentialsFor(host, credential),
          })
          await place.use(client.repository(parseReference(`${host}/a/b`))).catch(() => undefined)
          for (const seen of b.seen)
            for (const secret of secrets) assert.ok(!seen.text.includes(secret), `${secret} in\n${seen.text}`)
          const landed = a.seen.filter(({ url }) => url === '/landed')
          for (const seen of landed)
            for (const secret of secrets) assert.ok(!seen.text.includes(secret), 'after the way back')
        })
      }

test('a mirror is not given the credentials of what it mirrors', async t => {
  const [a, b] = fakes.plain
  for (const [kind, credential] of Object.entries(credentials)) {
    for (const challenge of ['Basic realm=x', `Bearer realm="${b.origin}/token"`]) {
      b.forget()
      b.route([[/ \/token/, { headers: json, body: '{"token":"of-b"}' }]])
      b.guard = seen =>
        seen.url === '/token' || seen.headers.authorization === 'Bearer of-b'
          ? undefined
          : { status: 401, headers: { 'www-authenticate': challenge } }
      const client = clientOf(t, {
        credentials: credentialsFor(a.host, credential),
        retries: { ...quick, attempts: 1 },
      })
      await client
        .repository(parseReference(`${a.host}/a/b`), { mirror: b.origin })
        .tags()
        .catch(() => undefined)
      assert.ok(b.seen.length > 0)
      for (const seen of b.seen) for (const secret of secrets) assert.ok(!seen.text.includes(secret), kind)
    }
  }
})

test('the matrix is not empty: A itself is given every one of the secrets, and B is asked', async t => {
  assert.ok(cells >= 120, `${cells}`)
  const { a, host, b, origin } = sides('another port, both http')
  for (const [kind, scheme, secret] of [
    ['password', 'basic', 4],
    ['password', 'bearer', 4],
    ['identity', 'bearer', 1],
    ['ready', 'bearer', 2],
  ] as const) {
    arm(a, places['redirect of a blob, 302']!, scheme, a.origin, origin)
    a.seen.length = 0
    b.forget()
    b.guard = undefined
    b.route([[/./, { body: 'content' }]])
    const client = clientOf(t, { credentials: credentialsFor(host, credentials[kind]!) })
    assert.equal((await pull(client.repository(parseReference(`${host}/a/b`)))).toString(), 'content')
    assert.ok(
      a.seen.some(({ text }) => text.includes(secrets[secret]!)),
      kind,
    )
  }
})

/** A demands credentials of the scheme, issues a secret token, and leads to B in the place. */
function arm(a: FakeRegistry, place: Place, scheme: 'basic' | 'bearer', realm: string, b: string): void {
  const challenge = scheme === 'basic' ? 'Basic realm=x' : `Bearer realm="${realm}/token",service=s`
  a.forget()
  a.route([
    ...place.routes(b),
    [/ \/token/, { headers: json, body: '{"token":"S3cret-issued","refresh_token":"S3cret-identity"}' }],
    ['GET /landed', { body: 'content' }],
  ])
  a.guard = ({ url, headers }) =>
    url.startsWith('/token') ||
    url === '/landed' ||
    headers.authorization !== undefined ||
    (url === '/v2/' && place.use === pull && place.routes(b)[0]?.[0] === 'GET /v2/')
      ? undefined
      : { status: 401, headers: { 'www-authenticate': challenge } }
}
