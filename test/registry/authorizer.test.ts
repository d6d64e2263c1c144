/** Who is asked for a token, with what, how often; and what a token server may answer. */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { Credential } from '../../src/registry/credential.js'
import type { RegistryOptions } from '../../src/registry/options.js'
import { endless } from '../build/endless.js'
import { type Answering, FakeRegistry, refusal, type Seen, sha256 } from '../build/fake-registry.js'
import { alice, bytesOf, clientOf, credentialsFor, referenceTo } from '../build/registry-client.js'
import { until } from '../build/until.js'

const json = { 'content-type': 'application/json' }
const basic = `Basic ${Buffer.from('alice:secret').toString('base64')}`
const identity: Credential = { kind: 'identity', username: 'alice', token: 'identity' }

/** Takes a request with the header; wants it, by the challenge, of all others. */
const wants =
  (header: string, challenge: string) =>
  ({ headers }: Seen) =>
    headers.authorization === header ? undefined : { status: 401, headers: { 'www-authenticate': challenge, ...json } }

/** A registry behind a token server of its own origin, which issues token-1, token-2, … and takes the last one. */
async function behindTokens(
  t: TestContext,
  options: RegistryOptions & { credential?: Credential; token?: Answering } = {},
) {
  const fake = await FakeRegistry.start(t)
  const state = { issued: 0, scope: '' }
  const challenge = () =>
    `Bearer realm="${fake.origin}/token",service="reg.test"${state.scope && `,scope="${state.scope}"`}`
  const token: Answering = () => ({ headers: json, body: JSON.stringify({ token: `token-${++state.issued}` }) })
  fake.guard = seen =>
    seen.url.startsWith('/token') ? undefined : wants(`Bearer token-${state.issued}`, challenge())(seen)
  fake.route([[/^(GET|POST) \/token/, options.token ?? token]])
  const { credential, token: _, ...rest } = options
  const client = clientOf(t, { ...rest, ...(credential && { credentials: credentialsFor(fake.host, credential) }) })
  return { fake, client, repository: client.repository(referenceTo(fake.host)), state, blob: fake.addBlob('content') }
}

const tokensAsked = ({ asked }: FakeRegistry) => asked.filter(one => one.includes('/token'))

test('Basic: to the registry, with every request but the ping', async t => {
  const fake = await FakeRegistry.start(t)
  fake.guard = wants(basic, 'Basic realm="r"')
  const blob = fake.addBlob('content')
  const repository = clientOf(t, { credentials: credentialsFor(fake.host, alice) }).repository(referenceTo(fake.host))
  assert.equal((await bytesOf(repository.blob(blob))).toString(), 'content')
  assert.deepEqual(
    fake.seen.map(({ headers }) => headers.authorization),
    [undefined, basic],
  )
})

test('Basic: without credentials, or with wrong ones: REGISTRY_AUTH, asked once', async t => {
  const fake = await FakeRegistry.start(t)
  fake.guard = wants('Basic other', 'Basic realm="r"')
  const blob = fake.addBlob('content')
  for (const [options, message] of [
    [{}, /no credentials for this registry/],
    [{ credentials: credentialsFor(fake.host, alice) }, /status 401$/],
  ] as const) {
    const repository = clientOf(t, options).repository(referenceTo(fake.host))
    const before = fake.asked.length
    await assert.rejects(bytesOf(repository.blob(blob)), { code: 'REGISTRY_AUTH', status: 401, message })
    assert.equal(fake.asked.length - before, 2)
  }
})

test('Bearer, nobody: service and scope, no credentials', async t => {
  const { fake, repository, blob } = await behindTokens(t)
  await bytesOf(repository.blob(blob))
  assert.deepEqual(tokensAsked(fake), ['GET /token?service=reg.test&scope=repository%3Aa%2Fb%3Apull'])
  assert.equal(fake.seen.find(({ url }) => url.startsWith('/token'))?.headers.authorization, undefined)
})

test('Bearer by GET: the account, and Basic to the token server', async t => {
  const { fake, repository, blob } = await behindTokens(t, { credential: alice })
  await bytesOf(repository.blob(blob))
  assert.deepEqual(tokensAsked(fake), ['GET /token?service=reg.test&scope=repository%3Aa%2Fb%3Apull&account=alice'])
  assert.equal(fake.seen.find(({ url }) => url.startsWith('/token'))?.headers.authorization, basic)
})

test('Bearer by POST with an identity token, and what the server gives instead of it', async t => {
  let turn = 0
  const token: Answering = () => ({
    headers: json,
    body: JSON.stringify({ access_token: 'token-1', refresh_token: `identity-${++turn}` }),
  })
  const { fake, repository, blob, state } = await behindTokens(t, { credential: identity, token })
  state.issued = 1
  await bytesOf(repository.blob(blob))
  await repository.upload({ digest: sha256(''), sizeBytes: 0 }, () => Readable.from([]))
  const forms = fake.seen
    .filter(({ url }) => url === '/token')
    .map(({ body }) => Object.fromEntries(new URLSearchParams(body.toString())))
  const form = { service: 'reg.test', client_id: 'phyllo', grant_type: 'refresh_token' }
  assert.deepEqual(forms, [
    { ...form, scope: 'repository:a/b:pull', refresh_token: 'identity' },
    { ...form, scope: 'repository:a/b:push,pull', refresh_token: 'identity-1' },
  ])
})

test('a token server without OAuth2 (404) is asked by GET, without the identity token', async t => {
  const token: Answering = ({ method }) =>
    method === 'POST' ? { status: 404 } : { headers: json, body: '{"token":"token-1"}' }
  const { fake, repository, blob, state } = await behindTokens(t, { credential: identity, token })
  state.issued = 1
  await bytesOf(repository.blob(blob))
  assert.deepEqual(tokensAsked(fake), ['POST /token', 'GET /token?service=reg.test&scope=repository%3Aa%2Fb%3Apull'])
})

test('a ready token goes to the registry, and no token server is asked', async t => {
  const { fake, repository, blob, state } = await behindTokens(t, {
    credential: { kind: 'registry', token: 'token-7' },
  })
  state.issued = 7
  await bytesOf(repository.blob(blob))
  assert.deepEqual(tokensAsked(fake), [])
})

test('G14: many requests, one token; another scope, another token', async t => {
  const { fake, repository, client, blob } = await behindTokens(t)
  await Promise.all(Array.from({ length: 12 }, () => bytesOf(repository.blob(blob))))
  assert.equal(tokensAsked(fake).length, 1)
  fake.guard = undefined
  await repository.tags().catch(() => undefined)
  assert.equal(tokensAsked(fake).length, 1)
  await client
    .repository(referenceTo(fake.host, 'c/d'))
    .tags()
    .catch(() => undefined)
  assert.equal(tokensAsked(fake).at(-1), 'GET /token?service=reg.test&scope=repository%3Ac%2Fd%3Apull')
})

test('G14: many requests with a token that ran out fetch one new one', async t => {
  const { fake, repository, state, blob } = await behindTokens(t)
  await bytesOf(repository.blob(blob))
  const guard = fake.guard
  fake.guard = seen =>
    seen.headers.authorization === 'Bearer token-1'
      ? { status: 401, headers: guard?.({ ...seen, headers: {} })?.headers ?? {} }
      : undefined
  await Promise.all(Array.from({ length: 8 }, () => bytesOf(repository.blob(blob))))
  assert.equal(state.issued, 2)
})

test('a 401 in the middle: one new token, and not two', async t => {
  const { fake, repository, state, blob } = await behindTokens(t)
  await bytesOf(repository.blob(blob))
  const bytes = Buffer.from('more')
  fake.guard = seen =>
    seen.url.startsWith('/token') || seen.headers.authorization === 'Bearer token-2'
      ? undefined
      : { status: 401, headers: { 'www-authenticate': `Bearer realm="${fake.origin}/token",error="invalid_token"` } }
  await bytesOf(repository.blob(blob))
  assert.equal(state.issued, 2)
  // An upload's body is sent again as a whole.
  await repository
    .upload({ digest: sha256(bytes), sizeBytes: bytes.length }, async function* () {
      yield bytes
    })
    .catch(() => undefined)
  const before = tokensAsked(fake).length
  fake.guard = seen =>
    seen.url.startsWith('/token')
      ? undefined
      : {
          status: 401,
          headers: { 'www-authenticate': `Bearer realm="${fake.origin}/token"` },
          ...refusal('UNAUTHORIZED', 'no'),
        }
  await assert.rejects(bytesOf(repository.blob(blob)), { code: 'REGISTRY_AUTH' })
  assert.equal(tokensAsked(fake).length, before + 1)
})

test('a token that has run out is fetched anew before a request, not after it was refused', async t => {
  const issued = new Date(Date.now() - 100_000).toISOString()
  const token = { headers: json, body: JSON.stringify({ token: 'token-1', expires_in: 60, issued_at: issued }) }
  const { fake, repository, state, blob } = await behindTokens(t, { token })
  state.issued = 1
  for (let i = 0; i < 3; i++) await bytesOf(repository.blob(blob))
  assert.equal(tokensAsked(fake).length, 3)
  assert.equal(fake.asked.filter(one => one.includes('/blobs/')).length, 3)
})

test('a scope that the registry wants besides is asked for once more, in front', async t => {
  const { fake, repository, state, blob } = await behindTokens(t)
  state.scope = 'repository:a/b:pull,delete repository:x:1/y:pull bad;scope repository:a/b:metadata_read'
  fake.guard = seen =>
    seen.url.startsWith('/token') || state.issued > 1
      ? undefined
      : { status: 401, headers: { 'www-authenticate': `Bearer realm="${fake.origin}/token",scope="${state.scope}"` } }
  await bytesOf(repository.blob(blob))
  const asked = new URL(tokensAsked(fake)[1]!.slice(4), fake.origin)
  assert.deepEqual(asked.searchParams.getAll('scope'), [
    'repository:a/b:pull,delete',
    'repository:x:1/y:pull',
    'repository:a/b:metadata_read',
    'repository:a/b:pull',
  ])
})

test('insufficient scope is REGISTRY_DENIED', async t => {
  const { fake, repository, blob } = await behindTokens(t)
  const error = { 'www-authenticate': `Bearer realm="${fake.origin}/token",error="insufficient_scope"`, ...json }
  fake.guard = seen =>
    seen.url.startsWith('/token')
      ? undefined
      : { status: 401, ...refusal('UNAUTHORIZED', 'authentication required'), headers: error }
  await assert.rejects(bytesOf(repository.blob(blob)), {
    code: 'REGISTRY_DENIED',
    message: /unauthorized: authentication required/,
  })
})

test('a mount asks for both repositories at once', async t => {
  const { fake, repository } = await behindTokens(t)
  await repository.mount(sha256('x'), 'c/d')
  const { searchParams } = new URL(tokensAsked(fake)[0]!.slice(4), fake.origin)
  assert.deepEqual(searchParams.getAll('scope'), ['repository:a/b:push,pull', 'repository:c/d:pull'])
})

test('login: a token without a scope, and the identity token that comes with it', async t => {
  const token: Answering = ({ headers }) =>
    headers.authorization === basic
      ? { headers: json, body: '{"token":"token-0","refresh_token":"keep"}' }
      : { status: 401, ...refusal('UNAUTHORIZED', 'incorrect username or password') }
  const { fake, client } = await behindTokens(t, { token })
  assert.equal(await client.login(fake.host, alice), 'keep')
  assert.equal(tokensAsked(fake)[0], 'GET /token?service=reg.test&offline_token=true&client_id=phyllo&account=alice')
  await assert.rejects(client.login(fake.host, { ...alice, password: 'wrong' } as Credential), {
    code: 'REGISTRY_AUTH',
    message: /incorrect username or password/,
  })
})

test('G4: what a challenge says is one parameter, whatever is in it', async t => {
  const { fake, repository, blob } = await behindTokens(t)
  const service = 'a&scope=repository:x:pull#f %0d%0a'
  fake.guard = seen =>
    seen.url.startsWith('/token') || seen.headers.authorization
      ? undefined
      : {
          status: 401,
          headers: { 'www-authenticate': `Bearer realm="${fake.origin}/token?x=1#f",service="${service}"` },
        }
  await bytesOf(repository.blob(blob))
  const { searchParams } = new URL(tokensAsked(fake)[0]!.slice(4), fake.origin)
  assert.deepEqual(
    [...searchParams],
    [
      ['x', '1'],
      ['service', service],
      ['scope', 'repository:a/b:pull'],
    ],
  )
})

for (const [name, reply, code] of [
  [
    '100 MiB',
    (_: Seen, response: import('node:http').ServerResponse) => {
      endless(response, '['.repeat(65_536))
      return undefined
    },
    'REGISTRY_PROTOCOL',
  ],
  ['a length of 100 MiB', { headers: { 'content-length': String(100 << 20) } }, 'REGISTRY_PROTOCOL'],
  ['a token that is no text', { body: '{"token":{"a":1}}' }, 'REGISTRY_PROTOCOL'],
  ['a token that would be two headers', { body: '{"token":"a\\r\\nx: y"}' }, 'REGISTRY_PROTOCOL'],
  ['no token', { body: '{}' }, 'REGISTRY_PROTOCOL'],
  ['a token of the prototype', { body: '{"__proto__":{"token":"x"}}' }, 'REGISTRY_PROTOCOL'],
  ['no JSON', { body: '<html>' }, 'REGISTRY_PROTOCOL'],
  ['a list', { body: '[1]' }, 'REGISTRY_PROTOCOL'],
  [
    'what is compressed',
    { headers: { 'content-encoding': 'gzip' }, body: gzipSync('{"token":"token-0"}') },
    'REGISTRY_PROTOCOL',
  ],
  ['a refusal', { status: 403, ...refusal('DENIED', 'no') }, 'REGISTRY_DENIED'],
  ['too many', { status: 429 }, 'REGISTRY_LIMIT'],
  ['a failure', { status: 500 }, 'REGISTRY_UNAVAILABLE'],
] as const)
  test(`G8: a token server that answers with ${name}: ${code}`, async t => {
    const { repository, blob } = await behindTokens(t, { token: reply as Answering })
    await assert.rejects(bytesOf(repository.blob(blob)), { code })
  })

test('a token server that fails is asked so often, and not that often for each attempt of the request', async t => {
  const { fake, repository, blob } = await behindTokens(t, { token: { status: 503 } })
  await assert.rejects(bytesOf(repository.blob(blob)), { code: 'REGISTRY_UNAVAILABLE', status: 503 })
  assert.equal(tokensAsked(fake).length, 3)
})

test('G3: a token server that redirects is not followed, wherever to', async t => {
  for (const to of ['/other', 'http://169.254.169.254/latest/meta-data', 'http://127.0.0.1:1/']) {
    const { fake, repository, blob } = await behindTokens(t, {
      credential: alice,
      token: { status: 302, headers: { location: to } },
    })
    await assert.rejects(bytesOf(repository.blob(blob)), { code: 'REGISTRY_REDIRECT' })
    assert.ok(fake.asked.every(one => !one.includes('other')))
  }
})

test('G4: a hundred challenges are REGISTRY_PROTOCOL', async t => {
  const fake = await FakeRegistry.start(t)
  fake.guard = () => ({
    status: 401,
    headers: { 'www-authenticate': Array.from({ length: 100 }, () => 'Basic realm=x') },
  })
  await assert.rejects(clientOf(t).repository(referenceTo(fake.host)).tags(), {
    code: 'REGISTRY_PROTOCOL',
    host: fake.host,
  })
})

test('who leaves while a token is fetched does not take it from others', async t => {
  const { fake, repository, state, blob } = await behindTokens(t, {
    token: async () => {
      await new Promise(resolve => setTimeout(resolve, 60))
      return { headers: json, body: '{"token":"token-1"}' }
    },
  })
  state.issued = 1
  const abort = new AbortController()
  const left = bytesOf(repository.blob(blob, { signal: abort.signal }))
  const stays = bytesOf(repository.blob(blob))
  setTimeout(() => abort.abort(new Error('left')), 30)
  await assert.rejects(left, /left/)
  assert.equal((await stays).toString(), 'content')
  assert.equal(tokensAsked(fake).length, 1)
})

/** A store of credentials that does not answer: by a number of calls, and of those that it may give up. */
function neverTold() {
  const state = { asked: 0, givenUp: 0 }
  const get = (_key: string, signal?: AbortSignal) =>
    new Promise<undefined>((_resolve, reject) => {
      state.asked++
      signal?.addEventListener('abort', () => {
        state.givenUp++
        // Later than the next one asks.
        setImmediate(() => reject(signal.reason))
      })
    })
  return { state, credentials: { get } }
}

test('credentials that nobody waits for any more are given up, and looked up anew by the next', async t => {
  const fake = await FakeRegistry.start(t)
  const { state, credentials } = neverTold()
  const repository = clientOf(t, { credentials }).repository(referenceTo(fake.host))
  const blob = fake.addBlob('content')
  const began = () => {
    const stop = new AbortController()
    const ended = bytesOf(repository.blob(blob, { signal: stop.signal })).catch(error => error)
    return { stop, ended }
  }
  const [first, second] = [began(), began()]
  await until(() => state.asked > 0)
  first.stop.abort(new Error('first'))
  assert.equal((await first.ended).message, 'first')
  await turn()
  assert.deepEqual(state, { asked: 1, givenUp: 0 })
  second.stop.abort(new Error('second'))
  const third = began()
  assert.equal((await second.ended).message, 'second')
  await until(() => state.asked > 1)
  assert.deepEqual(state, { asked: 2, givenUp: 1 })
  third.stop.abort(new Error('third'))
  assert.equal((await third.ended).message, 'third')
})

for (const [name, when] of [
  ['ping', 'GET /v2/'],
  ['token', /^GET \/token/],
] as const)
  test(`a ${name} that nobody waits for any more is given up`, async t => {
    const { fake, repository, blob } = await behindTokens(t)
    if (name === 'ping') fake.guard = undefined
    let [asked, left] = [0, 0]
    fake.route([
      [
        when,
        (_seen, response) => {
          asked++
          response.once('close', () => left++)
          return undefined
        },
      ],
    ])
    const stop = new AbortController()
    const ended = assert.rejects(bytesOf(repository.blob(blob, { signal: stop.signal })), /enough/)
    await until(() => asked > 0)
    stop.abort(new Error('enough'))
    await ended
    await until(() => left > 0)
    assert.deepEqual([asked, left], [1, 1])
  })

test('what could not be looked up is looked up again', async t => {
  const fake = await FakeRegistry.start(t)
  let asked = 0
  const get = async () => {
    if (asked++ === 0) throw new Error('locked')
    return undefined
  }
  const repository = clientOf(t, { credentials: { get } }).repository(referenceTo(fake.host))
  const blob = fake.addBlob('content')
  await assert.rejects(bytesOf(repository.blob(blob)), /locked/)
  assert.equal((await bytesOf(repository.blob(blob))).toString(), 'content')
})
