/** Logging in and out of a store: what is asked, what is kept where, and who is asked with it afterwards. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { serverOf } from '../../src/distribution/login.js'
import { type Credential, type CredentialStore, Store, type StoreRegistryOptions } from '../../src/index.js'
import { DockerConfig } from '../../src/registry/docker-config.js'
import { certificate } from '../build/certificate.js'
import { FakeRegistry, refusal, type Seen } from '../build/fake-registry.js'
import { quick } from '../build/registry-client.js'

const scratch = mkdtempSync(join(tmpdir(), 'phyllo-login-'))
after(() => rmSync(scratch, { recursive: true }))
let folders = 0
const newFolder = () => join(scratch, `${folders++}`)

async function storeFor(t: TestContext, options: StoreRegistryOptions): Promise<Store> {
  const store = await Store.temporary({ registry: { retries: quick, certificates: '/nonexistent', ...options } })
  t.after(() => store.close())
  return store
}

/** config.json in a folder of its own; the environment of this process says nothing. */
const configIn = (folder: string) => new DockerConfig({ folder, environment: {} })
const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

/** Takes alice's password alone, as Basic. */
function demanding(fake: FakeRegistry): void {
  fake.guard = ({ headers }: Seen) =>
    headers.authorization === basic('alice', 'secret')
      ? undefined
      : { status: 401, headers: { 'www-authenticate': 'Basic realm=x' } }
}

test('a password that is taken is kept as Docker keeps it, and used from then on; logging out forgets it', async t => {
  const fake = await FakeRegistry.start(t)
  demanding(fake)
  const folder = newFolder()
  const store = await storeFor(t, { credentials: configIn(folder) })
  fake.route([[/catalog/, { body: '{"repositories":["a/b"]}' }]])
  await assert.rejects(async () => store.search(`${fake.host}/a`), { code: 'REGISTRY_AUTH' })
  const path = join(folder, 'config.json')
  assert.deepEqual(await store.login(fake.host, { username: 'alice', password: 'secret' }), {
    server: fake.host,
    username: 'alice',
    identityToken: false,
    unencryptedIn: path,
  })
  const auth = Buffer.from('alice:secret').toString('base64')
  assert.equal(
    readFileSync(path, 'utf8'),
    `{\n\t"auths": {\n\t\t"${fake.host}": {\n\t\t\t"auth": "${auth}"\n\t\t}\n\t}\n}`,
  )
  assert.equal(await store.registryUser(fake.origin), 'alice')
  assert.equal((await store.search(`${fake.host}/a`)).repositories.length, 1)
  const before = fake.seen.length
  assert.deepEqual(await store.logout(fake.host), { server: fake.host, erased: true })
  assert.equal(fake.seen.length, before)
  assert.equal(readFileSync(path, 'utf8'), '{\n\t"auths": {}\n}')
  assert.equal(await store.registryUser(fake.host), undefined)
  await assert.rejects(async () => store.search(`${fake.host}/a`), { code: 'REGISTRY_AUTH' })
  assert.deepEqual(await store.logout(fake.host), { server: fake.host, erased: false })
})

test('a password that is not taken is not kept, and what was kept stays', async t => {
  const fake = await FakeRegistry.start(t)
  demanding(fake)
  const folder = newFolder()
  const store = await storeFor(t, { credentials: configIn(folder) })
  const wrong = async () => store.login(fake.host, { username: 'alice', password: 'wrong' })
  await assert.rejects(wrong, { code: 'REGISTRY_AUTH', status: 401 })
  assert.ok(!existsSync(folder))
  await store.login(fake.host, { username: 'alice', password: 'secret' })
  const kept = readFileSync(join(folder, 'config.json'), 'utf8')
  await assert.rejects(wrong, { code: 'REGISTRY_AUTH' })
  assert.equal(readFileSync(join(folder, 'config.json'), 'utf8'), kept)
})

test('without a user name those that are kept are tried; without any it says so and asks nobody', async t => {
  const fake = await FakeRegistry.start(t)
  demanding(fake)
  const store = await storeFor(t, { credentials: configIn(newFolder()) })
  await assert.rejects(async () => store.login(fake.host), {
    code: 'REGISTRY_AUTH',
    message: /no credentials are kept/,
  })
  assert.deepEqual(fake.seen, [])
  await store.login(fake.host, { username: 'alice', password: 'secret' })
  assert.equal((await store.login(fake.host)).username, 'alice')
})

for (const tls of [false, true])
  test(`an identity token is kept instead of the password, ${tls ? 'https' : 'http'}`, async t => {
    const fake = await FakeRegistry.start(t, { tls })
    fake.guard = ({ url, headers }) =>
      url.startsWith('/token') || headers.authorization === 'Bearer fine'
        ? undefined
        : { status: 401, headers: { 'www-authenticate': `Bearer realm="${fake.origin}/token",service="s"` } }
    const answer = JSON.stringify({ token: 'fine', refresh_token: 'identity' })
    fake.route([
      [
        / \/token/,
        ({ headers, method }) =>
          method === 'POST' || headers.authorization === basic('alice', 'secret') ? { body: answer } : { status: 401 },
      ],
    ])
    const folder = newFolder()
    const store = await storeFor(t, { credentials: configIn(folder), ca: [certificate] })
    const loggedIn = await store.login(fake.host, { username: 'alice', password: 'secret' })
    assert.deepEqual(loggedIn, { server: fake.host, username: 'alice', identityToken: true })
    const asked = new URL(fake.seen.find(({ url }) => url.startsWith('/token'))!.url, fake.origin).searchParams
    assert.deepEqual([asked.get('offline_token'), asked.get('account'), asked.get('scope')], ['true', 'alice', null])
    const kept = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
    assert.deepEqual(kept.auths[fake.host], {
      auth: Buffer.from('alice:').toString('base64'),
      identitytoken: 'identity',
    })
    fake.seen.length = 0
    await store.login(fake.host)
    assert.match(fake.seen.find(({ method }) => method === 'POST')!.body.toString(), /refresh_token=identity/)
    assert.ok(fake.seen.every(({ text }) => !text.includes(basic('alice', 'secret'))))
    await assert.rejects(async () => store.login(fake.host, { username: 'alice', password: 'no' }), {
      code: 'REGISTRY_AUTH',
    })
  })

test('a token server that is not given the credentials cannot have taken them, whatever it gives', async t => {
  const [fake, tokens] = [await FakeRegistry.start(t), await FakeRegistry.start(t)]
  const challenge = `Bearer realm="${tokens.origin}/token"`
  fake.guard = ({ headers }) =>
    headers.authorization ? undefined : { status: 401, headers: { 'www-authenticate': challenge } }
  tokens.route([[/ \/token/, { body: '{"token":"for-everybody"}' }]])
  const folder = newFolder()
  const credentials = configIn(folder)
  const pair = { username: 'alice', password: 'wrong' }
  const store = await storeFor(t, { credentials })
  await assert.rejects(async () => store.login(fake.host, pair), {
    code: 'REGISTRY_AUTH',
    message: `${fake.host}: its credentials are not given to ${tokens.host}, which is no host of its own (see the option realms)`,
  })
  assert.ok(!existsSync(folder))
  assert.deepEqual(tokens.seen, [])
  const trusting = await storeFor(t, { credentials, realms: { [fake.host]: [tokens.host] } })
  assert.equal((await trusting.login(fake.host, pair)).username, 'alice')
  // What is refused to whoever shows nothing is told with the reason why nothing was shown.
  tokens.route([[/ \/token/, { status: 401, ...refusal('UNAUTHORIZED', 'incorrect username or password') }]])
  const code = 'REGISTRY_AUTH'
  await assert.rejects(async () => store.search(`${fake.host}/x`), {
    code,
    message: /incorrect .*; its credentials are not given to/,
  })
})

test('a registry that wants no credentials takes any', async t => {
  const fake = await FakeRegistry.start(t)
  const store = await storeFor(t, { credentials: configIn(newFolder()) })
  assert.equal((await store.login(fake.host, { username: 'a', password: 'b' })).username, 'a')
})

test('credentials of one’s own: kept where they can be, else a TypeError before anything is asked', async t => {
  const fake = await FakeRegistry.start(t)
  const kept = new Map<string, Credential>()
  const own: CredentialStore = {
    get: async key => kept.get(key),
    set: async (key, credential) => {
      kept.set(key, credential)
      return undefined
    },
    erase: async key => kept.delete(key),
  }
  const store = await storeFor(t, { credentials: own })
  const loggedIn = await store.login(`http://${fake.host}/v1/`, { username: 'alice', password: 'secret' })
  assert.equal(loggedIn.unencryptedIn, undefined)
  assert.deepEqual([...kept], [[fake.host, { kind: 'password', username: 'alice', password: 'secret' }]])
  assert.equal((await store.logout(fake.host)).erased, true)
  assert.equal(kept.size, 0)
  const asked = fake.seen.length
  const reading = await storeFor(t, { credentials: { get: async () => undefined } })
  for (const work of [
    () => reading.login(fake.host, { username: 'a', password: 'b' }),
    () => reading.logout(fake.host),
  ])
    await assert.rejects(async () => work(), { name: 'TypeError', message: /registry\.credentials keeps nothing/ })
  assert.equal(fake.seen.length, asked)
})

test('misuse: half a pair, an empty one, a colon in the name, what is no registry', async t => {
  const store = await storeFor(t, { credentials: configIn(newFolder()) })
  for (const options of [
    { username: 'a' },
    { password: 'b' },
    { username: '', password: 'b' },
    { username: 'a:b', password: 'c' },
  ])
    await assert.rejects(async () => store.login('localhost:1', options), { name: 'TypeError', message: /^login: / })
  await assert.rejects(async () => store.login('a b', { username: 'a', password: 'b' }), { code: 'REFERENCE_INVALID' })
})

test('logging out takes away each way of writing a key that Docker’s does', async t => {
  const folder = newFolder()
  const credentials = configIn(folder)
  const password: Credential = { kind: 'password', username: 'a', password: 'b' }
  const keys = [
    'x.example:5000',
    'http://x.example:5000',
    'https://x.example:5000',
    'https://x.example:5000/v1/',
    'y.example',
  ]
  for (const key of keys) await credentials.set(key, password)
  const store = await storeFor(t, { credentials })
  assert.deepEqual(await store.logout('https://x.example:5000/v1/'), { server: 'x.example:5000', erased: true })
  assert.deepEqual(Object.keys(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')).auths), ['y.example'])
})

test('a cancelled login keeps nothing', async t => {
  const fake = await FakeRegistry.start(t)
  const stop = new AbortController()
  const folder = newFolder()
  const store = await storeFor(t, { credentials: configIn(folder) })
  fake.route([['GET /v2/', () => void stop.abort(new Error('enough'))]])
  const login = async () => store.login(fake.host, { username: 'a', password: 'b', signal: stop.signal })
  await assert.rejects(login, /enough/)
  assert.ok(!existsSync(folder))
})

test('servers are reduced as Docker does it', () => {
  const hub = { domain: 'docker.io', key: 'https://index.docker.io/v1/' }
  for (const text of [
    undefined,
    '',
    'docker.io',
    'index.docker.io',
    'https://index.docker.io/v1/',
    'https://docker.io',
  ])
    assert.deepEqual(serverOf(text), hub, text)
  for (const [text, key] of [
    ['registry.example', 'registry.example'],
    ['registry.example:5000/path', 'registry.example:5000'],
    ['https://registry.example:5000/v2/', 'registry.example:5000'],
    ['http://user:secret@registry.example/', 'registry.example'],
    ['localhost:80', 'localhost:80'],
  ] as const)
    assert.deepEqual(serverOf(text), { domain: key, key })
  for (const text of ['a b', 'ä.example']) assert.throws(() => serverOf(text), { code: 'REFERENCE_INVALID' })
})

test('a helper keeps what the file then only names', async t => {
  const folder = newFolder()
  const bin = newFolder()
  mkdirSync(folder)
  mkdirSync(bin)
  writeFileSync(
    join(bin, 'docker-credential-phyllo-test'),
    `#!/bin/sh\ncat > "${bin}/$1"; [ "$1" = get ] && { echo "credentials not found in native keychain"; exit 1; }; exit 0\n`,
    { mode: 0o755 },
  )
  writeFileSync(join(folder, 'config.json'), '{"credsStore":"phyllo-test"}')
  const path = process.env.PATH
  process.env.PATH = `${bin}:${path}`
  t.after(() => (process.env.PATH = path))
  const fake = await FakeRegistry.start(t)
  const store = await storeFor(t, { credentials: configIn(folder) })
  const loggedIn = await store.login(fake.host, { username: 'alice', password: 'secret' })
  assert.equal(loggedIn.unencryptedIn, undefined)
  assert.deepEqual(JSON.parse(readFileSync(join(bin, 'store'), 'utf8')), {
    ServerURL: fake.host,
    Username: 'alice',
    Secret: 'secret',
  })
  assert.ok(!readFileSync(join(folder, 'config.json'), 'utf8').includes('secret'))
})
