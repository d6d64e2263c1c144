/** Search: what is asked where, what is made of the answer, and which answers are none. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { searchImages } from '../../src/distribution/search.js'
import type { RegistryClient } from '../../src/registry/client.js'
import type { RegistryOptions } from '../../src/registry/options.js'
import { certificate } from '../build/certificate.js'
import { FakeRegistry, refusal, resolver } from '../build/fake-registry.js'
import { alice, clientOf, credentialsFor } from '../build/registry-client.js'

const results = [
  { name: 'app', description: 'an app', star_count: 12, is_official: true, is_automated: false },
  { name: 'a/app', description: 'two\nlines', star_count: 3, is_official: false, is_automated: true },
  { name: 'b/app', description: null, star_count: 0, is_official: false },
]
const json = { 'content-type': 'application/json' }
const answer = (list: readonly unknown[] = results) => ({
  headers: json,
  body: JSON.stringify({ num_results: list.length, query: 'app', page: 1, results: list }),
})

async function served(t: TestContext, { tls = false, ...options }: RegistryOptions & { tls?: boolean } = {}) {
  const fake = await FakeRegistry.start(t, {
    tls,
    routes: [
      ['GET /v1/_ping', { headers: json, body: 'true' }],
      [/^GET \/v1\/search/, answer()],
    ],
  })
  return { fake, client: clientOf(t, options) }
}

test('the term’s registry is asked as Docker asks it, and its order is kept', async t => {
  const { fake, client } = await served(t)
  assert.deepEqual(await searchImages(`${fake.host}/x y/z&`, {}, client), {
    source: 'search',
    repositories: [
      { name: 'app', description: 'an app', stars: 12, isOfficial: true, isAutomated: false },
      { name: 'a/app', description: 'two\nlines', stars: 3, isOfficial: false, isAutomated: true },
      { name: 'b/app', description: '', stars: 0, isOfficial: false, isAutomated: false },
    ],
  })
  // Once over https, which it does not speak.
  assert.deepEqual(fake.asked, ['GET /v1/_ping', 'GET /v1/search?q=x%20y%2Fz%26&n=25'])
  assert.equal(fake.seen.at(-1)?.headers['x-docker-token'], 'true')
})

test('a registry that is secure is asked over https alone', async t => {
  const { fake, client } = await served(t, {
    tls: true,
    ca: [certificate],
    lookup: resolver({ 'registry.test': '127.0.0.1' }),
  })
  const found = await searchImages(`registry.test:${fake.port}/app`, { limit: 2 }, client)
  assert.equal(found.repositories.length, 2)
  assert.equal(fake.asked.at(-1), 'GET /v1/search?q=app&n=2')
})

test('filters are applied to what has come', async t => {
  const { fake, client } = await served(t)
  const names = async (filters: object) =>
    (await searchImages(`${fake.host}/app`, { filters, limit: 3 }, client)).repositories.map(({ name }) => name)
  assert.deepEqual(await names({ isOfficial: true }), ['app'])
  assert.deepEqual(await names({ isOfficial: false }), ['a/app', 'b/app'])
  assert.deepEqual(await names({ isAutomated: true }), ['a/app'])
  assert.deepEqual(await names({ stars: 3 }), ['app', 'a/app'])
  assert.deepEqual(await names({ stars: 3, isOfficial: false }), ['a/app'])
  assert.ok(fake.asked.filter(one => one.includes('search')).every(one => one.endsWith('n=3')))
})

test('without a registry’s name it is Docker Hub, whose official images have no library/', async () => {
  const asked: unknown[] = []
  const client = {
    search: async (...words: unknown[]) => {
      asked.push(words.slice(0, 2))
      return []
    },
  } as unknown as RegistryClient
  for (const term of [
    'alpine',
    'library/alpine',
    'docker.io/library/x',
    'index.docker.io/x',
    'a/b',
    'localhost/a',
    'h:1/b/c',
  ])
    await searchImages(term, {}, client)
  assert.deepEqual(asked, [
    ['docker.io', 'alpine'],
    ['docker.io', 'alpine'],
    ['docker.io', 'x'],
    ['docker.io', 'x'],
    ['docker.io', 'a/b'],
    ['localhost', 'a'],
    ['h:1', 'b/c'],
  ])
})

test('Docker Hub is searched at its index', async t => {
  const lookup = resolver({})
  const client = clientOf(t, { lookup })
  await assert.rejects(searchImages('x', {}, client), { code: 'REGISTRY_UNAVAILABLE', host: 'index.docker.io' })
  assert.deepEqual([...new Set(lookup.asked)], ['index.docker.io'])
})

test('credentials are given to a registry that demands them, for its search', async t => {
  const { fake, client } = await served(t)
  const own = clientOf(t, { credentials: credentialsFor(fake.host, alice) })
  fake.guard = ({ url, headers }) =>
    url.startsWith('/token') || headers.authorization === 'Bearer t'
      ? undefined
      : { status: 401, headers: { 'www-authenticate': `Bearer realm="${fake.origin}/token"` } }
  fake.route([
    [/ \/token/, ({ headers }) => (headers.authorization ? { headers: json, body: '{"token":"t"}' } : { status: 401 })],
  ])
  assert.equal((await searchImages(`${fake.host}/app`, {}, own)).repositories.length, 3)
  const token = fake.seen.find(({ url }) => url.startsWith('/token'))
  assert.match(token!.url, /scope=registry%3Acatalog%3Asearch/)
  await assert.rejects(searchImages(`${fake.host}/app`, {}, client), { code: 'REGISTRY_AUTH' })
})

test('a registry without a search is asked for its catalog, which is said', async t => {
  const fake = await FakeRegistry.start(t, {
    routes: [[/_catalog/, { headers: json, body: '{"repositories":["a/app","app/b","other"]}' }]],
  })
  const client = clientOf(t)
  const found = await searchImages(`${fake.host}/app`, {}, client)
  const nothing = { description: '', stars: 0, isOfficial: false, isAutomated: false }
  assert.deepEqual(found, {
    source: 'catalog',
    repositories: [
      { name: 'a/app', ...nothing },
      { name: 'app/b', ...nothing },
    ],
  })
  assert.equal((await searchImages(`${fake.host}/app`, { limit: 1 }, client)).repositories.length, 1)
  assert.deepEqual((await searchImages(`${fake.host}/app`, { filters: { isOfficial: true } }, client)).repositories, [])
})

test('any other failure is no reason for a catalog', async t => {
  for (const [reply, code] of [
    [{ status: 500 }, 'REGISTRY_UNAVAILABLE'],
    [{ status: 403, ...refusal('DENIED', 'no') }, 'REGISTRY_DENIED'],
    [{ status: 400, body: 'no' }, 'REGISTRY_REFUSED'],
  ] as const) {
    const { fake, client } = await served(t)
    fake.route([[/search/, reply]])
    await assert.rejects(searchImages(`${fake.host}/app`, {}, client), { code })
    assert.ok(!fake.asked.some(one => one.includes('_catalog')))
  }
})

test('what is no answer to a search is refused: HTML, other shapes, wrong types, too much', async t => {
  const { fake, client } = await served(t)
  for (const body of [
    '<html>',
    '[]',
    '{"num_results":3}',
    '{"results":{}}',
    '{"results":["app"]}',
    '{"results":[{}]}',
    '{"results":[{"name":7}]}',
    '{"results":[{"name":"a","star_count":"many"}]}',
    '{"results":[{"name":"a","star_count":1.5}]}',
    '{"results":[{"name":"a","is_official":"yes"}]}',
    '{"results":[{"name":"a","description":[]}]}',
    '{"results":[{"name":"a"}],"results":[]}',
  ]) {
    fake.forget()
    fake.route([
      ['GET /v1/_ping', {}],
      [/search/, { headers: json, body }],
    ])
    await assert.rejects(searchImages(`${fake.host}/app`, {}, client), { code: 'REGISTRY_PROTOCOL' }, body)
  }
  fake.route([[/search/, { body: `{"results":[${' '.repeat(5 << 20)}]}` }]])
  await assert.rejects(searchImages(`${fake.host}/app`, {}, client), { code: 'LIMIT_EXCEEDED' })
  fake.route([[/search/, answer(Array.from({ length: 200 }, (_, n) => ({ name: `n${n}` })))]])
  assert.equal((await searchImages(`${fake.host}/app`, { limit: 7 }, client)).repositories.length, 7)
})

test('wrong words are refused before anything is asked', async t => {
  const { fake, client } = await served(t)
  for (const limit of [0, -1, 101, 500, 1.5, Number.NaN])
    await assert.rejects(searchImages(`${fake.host}/x`, { limit }, client), {
      name: 'TypeError',
      message: `Limit ${limit} is outside the range of [1, 100]`,
    })
  await assert.rejects(searchImages('http://x/y', {}, client), {
    code: 'REFERENCE_INVALID',
    message: /Invalid repository name/,
  })
  await assert.rejects(searchImages('', {}, client), { name: 'TypeError' })
  await assert.rejects(searchImages('a b.c/x', {}, client), { code: 'REFERENCE_INVALID' })
  assert.deepEqual(fake.seen, [])
})

test('a cancelled search ends', async t => {
  const { fake, client } = await served(t)
  const stop = new AbortController()
  fake.route([[/search/, () => void stop.abort(new Error('enough'))]])
  await assert.rejects(searchImages(`${fake.host}/x`, { signal: stop.signal }, client), /enough/)
})
