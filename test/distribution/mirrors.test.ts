/** Mirrors: which are asked for what, in which order, after which failures the next one is, and what is told in the end. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type MirrorOptions, Mirrors } from '../../src/distribution/mirrors.js'
import { endpointsOf, fromFirst } from '../../src/distribution/plan.js'
import { type ErrorCode, PhylloError } from '../../src/errors.js'
import { parseReference } from '../../src/oci/reference.js'
import type { OperationEvent } from '../../src/operation.js'
import { type Answering, FakeRegistry, refusal } from '../build/fake-registry.js'
import { clientOf, quick } from '../build/registry-client.js'

const urls = (mirrors: Mirrors, domain: string) => mirrors.of(domain).map(({ url }) => url)

test('registry-mirrors are Docker Hub’s alone, in their order, each with one slash at its end, once', () => {
  const mirrors = new Mirrors({
    registryMirrors: ['https://b.example', 'http://a.example:5000/path//', 'https://B.example/'],
  })
  assert.deepEqual(urls(mirrors, 'docker.io'), ['https://b.example/', 'http://a.example:5000/path/'])
  for (const other of ['quay.io', 'registry-1.docker.io', 'index.docker.io.example', 'localhost:5000'])
    assert.deepEqual(urls(mirrors, other), [])
  assert.deepEqual(urls(new Mirrors(), 'docker.io'), [])
})

test('of per-host rules the longest match decides; a rule of docker.io goes before registry-mirrors', () => {
  const rule = (host: string, endpoint: string) => ({ host, endpoints: [`https://${endpoint}`] })
  const mirrors = new Mirrors({
    registryMirrors: ['https://for-hub'],
    mirrors: [
      rule('*.example.com', 'wide'),
      rule('*.eu.example.com', 'narrow'),
      rule('a.eu.example.com', 'exact'),
      rule('*.example.com:5000', 'port'),
      { host: 'off.example.com', endpoints: [] },
    ],
  })
  for (const [domain, expected] of [
    ['b.example.com', ['https://wide/']],
    ['B.Example.com', ['https://wide/']],
    ['x.eu.example.com', ['https://narrow/']],
    ['a.eu.example.com', ['https://exact/']],
    ['off.example.com', []],
    ['example.com', []],
    ['badexample.com', []],
    ['b.example.com:5000', ['https://port/']],
    ['b.example.com:5001', []],
    ['docker.io', ['https://for-hub/']],
  ] as const)
    assert.deepEqual(urls(mirrors, domain), expected, domain)
  const hub = new Mirrors({ registryMirrors: ['https://for-hub'], mirrors: [rule('index.docker.io', 'own')] })
  assert.deepEqual(urls(hub, 'docker.io'), ['https://own/'])
})

test('what is no mirror is a TypeError that says which', () => {
  const rule = { host: 'quay.io', endpoints: ['https://a'] }
  for (const [options, said] of [
    [{ registryMirrors: ['mirror.example'] }, /^registryMirrors: endpoint "mirror\.example" is not a URL$/],
    [{ registryMirrors: ['ftp://a'] }, /^registryMirrors: endpoint "ftp:\/\/a" is not http or https/],
    [{ registryMirrors: ['https://u:p@a'] }, /without user/],
    [{ registryMirrors: ['https://a?q=1'] }, /without user, query and fragment/],
    [{ registryMirrors: ['https://a#f'] }, /fragment/],
    [{ registryMirrors: 'https://a' }, /^registryMirrors is not a list$/],
    [{ mirrors: rule }, /^mirrors is not a list$/],
    [{ mirrors: [undefined] }, /^mirrors: undefined is neither host/],
    [{ mirrors: [{ ...rule, host: 'https://quay.io' }] }, /^mirrors: "https:\/\/quay\.io" is neither host/],
    [{ mirrors: [{ ...rule, host: 'a.*.io' }] }, /^mirrors: "a\.\*\.io" is neither host/],
    [{ mirrors: [{ host: 'quay.io' }] }, /^mirrors: "quay\.io": endpoints is not a list$/],
    [{ mirrors: [{ ...rule, endpoints: ['a'] }] }, /^mirrors: "quay\.io": endpoint "a" is not a URL$/],
    [{ mirrors: [{ ...rule, onError: 'stop' }] }, /^mirrors: "quay\.io": onError is continue, fail or a list/],
    [{ mirrors: [{ ...rule, onError: ['DISK_FULL'] }] }, /onError: "DISK_FULL" is no failure of a mirror$/],
    [{ mirrors: [rule, { ...rule, host: 'QUAY.io' }] }, /^mirrors: "QUAY\.io" has two rules$/],
  ] as const)
    assert.throws(() => new Mirrors(options as MirrorOptions), { name: 'TypeError', message: said })
})

const reference = parseReference('library.test:5000/a/b')

async function plan(
  t: TestContext,
  answers: readonly Answering[],
  onError?: 'continue' | 'fail' | readonly ErrorCode[],
) {
  const fakes = []
  for (const answer of answers) {
    const fake = await FakeRegistry.start(t, { routes: [[/tags/, answer]] })
    fakes.push(fake)
  }
  const [own, ...mirrors] = fakes.reverse()
  const rule = { host: own!.host, endpoints: mirrors.reverse().map(({ origin }) => `${origin}/m`) }
  const client = clientOf(t, { retries: { ...quick, attempts: 1 } })
  const events: OperationEvent[] = []
  const stop = new AbortController()
  const endpoints = endpointsOf(
    { ...reference, domain: own!.host },
    client,
    new Mirrors({ mirrors: [{ ...rule, ...(onError && { onError }) }] }),
  )
  const op = { signal: stop.signal, emit: (event: OperationEvent) => void events.push(event) }
  const tags = () => fromFirst(endpoints, ({ repository }) => repository.tags({ signal: stop.signal }), op)
  return { own: own!, mirrors, tags, events, stop, endpoints, op }
}

const good = (tag: string) => ({ headers: { 'content-type': 'application/json' }, body: `{"tags":["${tag}"]}` })

test('the first mirror that answers is the last that is asked, below its own path', async t => {
  const { own, mirrors, tags, events } = await plan(t, [good('one'), good('two'), good('own')])
  for (const mirror of mirrors) mirror.route([['GET /m/v2/', {}]])
  assert.deepEqual(await tags(), ['one'])
  assert.deepEqual(mirrors[0]!.asked, ['GET /m/v2/', 'GET /m/v2/a/b/tags/list?n=1000'])
  assert.deepEqual([...mirrors[1]!.seen, ...own.seen, ...events], [])
})

const denied = { status: 403, ...refusal('DENIED', 'no') }
for (const [name, answer] of [
  ['404', { status: 404, ...refusal('NAME_UNKNOWN', 'nobody knows it') }],
  ['401', { status: 401, ...refusal('UNAUTHORIZED', 'who') }],
  ['403', denied],
  ['429', { status: 429, ...refusal('TOOMANYREQUESTS', 'slow') }],
  ['500', { status: 500 }],
  ['what is no list', { body: '{"tags":{}}' }],
  ['a connection that breaks', (_seen, response) => void response.destroy()],
] as readonly (readonly [string, Answering])[])
  test(`after a mirror’s ${name} the next endpoint is asked`, async t => {
    const { tags, mirrors, events } = await plan(t, [answer, good('own')])
    mirrors[0]!.route([['GET /m/v2/', {}]])
    assert.deepEqual(await tags(), ['own'])
    assert.deepEqual(
      events.map(({ type, subject }) => [type, subject]),
      [['warning', `${mirrors[0]!.origin}/m/`]],
    )
  })

test('after a ping that is none, and a mirror that is not there, the next one is asked', async t => {
  const { tags, mirrors } = await plan(t, [good('one'), good('two'), good('own')])
  // The first one has nothing below /m/.
  mirrors[1]!.route([['GET /m/v2/', {}]])
  assert.deepEqual(await tags(), ['two'])
  const gone = await FakeRegistry.start(t)
  const client = clientOf(t, { retries: { ...quick, attempts: 1 } })
  const endpoints = endpointsOf(
    reference,
    client,
    new Mirrors({ mirrors: [{ host: reference.domain, endpoints: ['http://127.0.0.1:1', gone.origin] }] }),
  )
  gone.route([[/tags/, good('there')]])
  const op = { signal: new AbortController().signal, emit: () => undefined }
  assert.deepEqual(await fromFirst(endpoints, ({ repository }) => repository.tags(), op), ['there'])
})

test('the registry’s own failure is told, with what its mirrors failed with; nothing comes after it', async t => {
  const missing = { status: 404, ...refusal('NAME_UNKNOWN', 'not at the registry') }
  const { tags, mirrors } = await plan(t, [denied, { status: 500 }, missing])
  for (const mirror of mirrors) mirror.route([['GET /m/v2/', {}]])
  await assert.rejects(tags(), (error: PhylloError) => {
    assert.equal(error.code, 'REGISTRY_NOT_FOUND')
    assert.match(error.message, /not at the registry/)
    assert.equal(error.mirror, undefined)
    const told = error.mirrors as readonly string[]
    assert.equal(told.length, 2)
    assert.ok(told[0]!.startsWith(`${mirrors[0]!.origin}/m/: REGISTRY_DENIED: `), told[0])
    assert.ok(told[1]!.startsWith(`${mirrors[1]!.origin}/m/: REGISTRY_UNAVAILABLE: `), told[1])
    return true
  })
})

test('onError: fail stops at the first mirror, a list at what it does not name', async t => {
  const all = await plan(t, [denied, good('own')], 'fail')
  all.mirrors[0]!.route([['GET /m/v2/', {}]])
  await assert.rejects(all.tags(), { code: 'REGISTRY_DENIED', mirror: `${all.mirrors[0]!.origin}/m/` })
  assert.deepEqual(all.own.seen, [])
  for (const [codes, expected] of [
    [['REGISTRY_DENIED', 'REGISTRY_NOT_FOUND'], ['own']],
    [['REGISTRY_NOT_FOUND'], undefined],
  ] as const) {
    const some = await plan(t, [denied, good('own')], codes)
    some.mirrors[0]!.route([['GET /m/v2/', {}]])
    if (expected === undefined) await assert.rejects(some.tags(), { code: 'REGISTRY_DENIED' })
    else assert.deepEqual(await some.tags(), expected)
  }
})

test('nothing is asked after a cancel, a full disk, and what is no image anywhere', async t => {
  const cancelled = await plan(t, [good('x'), good('own')])
  cancelled.mirrors[0]!.route([['GET /m/v2/', () => void cancelled.stop.abort(new Error('enough'))]])
  await assert.rejects(cancelled.tags(), /enough/)
  assert.deepEqual(cancelled.own.seen, [])
  const late = await plan(t, [good('x'), good('own')])
  const ended = fromFirst(
    late.endpoints,
    async () => {
      late.stop.abort(new Error('too late'))
      throw new PhylloError('REGISTRY_UNAVAILABLE', 'broke off')
    },
    late.op,
  )
  await assert.rejects(ended, /too late/)
  const [mirror] = new Mirrors({ registryMirrors: ['https://a'] }).of('docker.io')
  assert.equal(mirror!.continues(new PhylloError('DISK_FULL', 'full')), false)
  assert.equal(mirror!.continues(new PhylloError('MANIFEST_INVALID', 'a plugin', { mediaType: 'x/plugin' })), false)
  assert.equal(mirror!.continues(new PhylloError('MANIFEST_INVALID', 'broken')), true)
  assert.equal(mirror!.continues(new PhylloError('DIGEST_MISMATCH', 'a liar')), true)
  assert.equal(mirror!.continues(new DOMException('gone', 'AbortError')), false)
  assert.equal(mirror!.continues(undefined), false)
})
