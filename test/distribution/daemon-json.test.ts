/** daemon.json: what is read of it, and what is refused. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { connect, type StoreRegistryOptions } from '../../src/distribution/connect.js'
import { readDaemonJson } from '../../src/distribution/daemon-json.js'
import { Store } from '../../src/index.js'
import { defaultLimits } from '../../src/limits.js'
import { FakeRegistry, resolver } from '../build/fake-registry.js'
import { TestProxy } from '../build/proxy.js'

const folder = mkdtempSync(join(tmpdir(), 'phyllo-daemon-'))
after(() => rmSync(folder, { recursive: true }))
const path = join(folder, 'daemon.json')
const read = (text: string | Uint8Array, limits = defaultLimits) => {
  writeFileSync(path, text)
  return readDaemonJson(path, limits)
}

test('mirrors and insecure registries are read, all else is not looked at', async () => {
  const text =
    '{"registry-mirrors":["https://a","http://b/x"],"insecure-registries":["10.0.0.0/8","http://c:5000"],"debug":1}'
  assert.deepEqual(await read(text), {
    registryMirrors: ['https://a', 'http://b/x'],
    insecureRegistries: ['10.0.0.0/8', 'c:5000'],
    proxies: {},
  })
  for (const nothing of ['{}', '{"registry-mirrors":null}'])
    assert.deepEqual(await read(nothing), { registryMirrors: [], insecureRegistries: [], proxies: {} })
})

test('what is no daemon.json is told with its path and the reason', async () => {
  for (const [text, reason] of [
    ['', /not JSON/],
    ['[]', /not an object/],
    ['{"registry-mirrors":"https://a"}', /registry-mirrors is not a list of texts/],
    ['{"insecure-registries":[1]}', /insecure-registries is not a list of texts/],
    ['{"registry-mirrors":["a"]}', /registry-mirrors: endpoint "a" is not a URL/],
    ['{"registry-mirrors":["https://u@a"]}', /registry-mirrors: .* without user/],
    ['{"insecure-registries":["a b"]}', /insecure registry "a b" is no host/],
    ['{"insecure-registries":["10.0.0.0/99"]}', /not a subnet/],
    ['{"proxies":[]}', /proxies is not an object/],
    ['{"proxies":{"no-proxy":[]}}', /proxies: no-proxy is not a text/],
    ['{"a":1,"a":2}', /"a"/],
    [Buffer.from([0x7b, 0xff, 0x7d]), /UTF-8/],
    [`${'['.repeat(10_000)}`, /./],
  ] as const)
    await assert.rejects(read(text), (error: { code: string; path: string; message: string }) => {
      assert.ok(['CONFIG_INVALID', 'LIMIT_EXCEEDED'].includes(error.code), error.message)
      assert.equal(error.path, path)
      assert.ok(error.message.includes(path), error.message)
      assert.match(error.message, reason)
      return true
    })
})

test('one that is too large, not there, or no file is not read', async () => {
  await assert.rejects(read(' '.repeat(1001), { ...defaultLimits, jsonBytes: 1000 }), { code: 'LIMIT_EXCEEDED', path })
  const missing = join(folder, 'none.json')
  await assert.rejects(readDaemonJson(missing, defaultLimits), { code: 'INPUT_IO', path: missing, errno: 'ENOENT' })
  await assert.rejects(readDaemonJson(folder, defaultLimits), { path: folder })
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  await assert.rejects(readDaemonJson(pipe, defaultLimits), {
    code: 'CONFIG_INVALID',
    path: pipe,
    message: /not a file/,
  })
})

test('its mirrors stand behind those of the options; it is read again after it could not be', async t => {
  writeFileSync(path, '{"registry-mirrors":["https://b"],"insecure-registries":["insecure.test"]}')
  const { mirrors, client } = await connect({ registryMirrors: ['https://a'], daemonJson: path }, defaultLimits)
  t.after(() => client.close())
  assert.deepEqual(
    mirrors.of('docker.io').map(({ url }) => url),
    ['https://a/', 'https://b/'],
  )
  const fake = await FakeRegistry.start(t, { routes: [[/search/, { body: '{"results":[{"name":"x"}]}' }]] })
  await using store = await Store.temporary({ registry: { daemonJson: path, certificates: '/nonexistent' } })
  writeFileSync(path, 'not yet')
  await assert.rejects(async () => store.search(`${fake.host}/x`), { code: 'CONFIG_INVALID', path })
  writeFileSync(path, '{}')
  assert.equal((await store.search(`${fake.host}/x`)).repositories.length, 1)
})

test('options of a store that are wrong are a TypeError when a registry is first asked', async () => {
  await using store = await Store.temporary({ registry: { registryMirrors: ['nowhere'] } })
  await assert.rejects(async () => store.search('x'), {
    name: 'TypeError',
    message: /registryMirrors: endpoint "nowhere"/,
  })
})

/** Of `GET /v2/` alone: whether it came to the proxy. */
async function askedThrough(t: TestContext, registry: StoreRegistryOptions, env: NodeJS.ProcessEnv) {
  const proxies = { A: await TestProxy.start(t, { refuses: 403 }), B: await TestProxy.start(t, { refuses: 403 }) }
  const filled = <T>(value: T): T =>
    JSON.parse(JSON.stringify(value).replaceAll('@A', proxies.A.origin).replaceAll('@B', proxies.B.origin))
  const { daemonJson: text, ...rest } = filled(registry)
  writeFileSync(path, text ?? '{}')
  const lookup = resolver({})
  const { client } = await connect(
    { ...rest, lookup, ...(text !== undefined && { daemonJson: path }) },
    defaultLimits,
    filled(env),
  )
  t.after(() => client.close())
  await assert.rejects(client.catalog('registry.test'))
  return Object.entries(proxies)
    .filter(([, { asked }]) => asked.length > 0)
    .map(([name]) => name)
    .join('')
}

for (const [what, registry, env, through] of [
  ['the environment', {}, { HTTPS_PROXY: '@A' }, 'A'],
  ['NO_PROXY of the environment', {}, { HTTPS_PROXY: '@A', no_proxy: '.x,registry.test' }, ''],
  [
    'a daemon.json before the environment',
    { daemonJson: '{"proxies":{"https-proxy":"@B"}}' },
    { HTTPS_PROXY: '@A' },
    'B',
  ],
  [
    'a daemon.json with what the environment has besides',
    { daemonJson: '{"proxies":{"no-proxy":"*"}}' },
    { HTTPS_PROXY: '@A' },
    '',
  ],
  ['a daemon.json where it is empty', { daemonJson: '{"proxies":{"https-proxy":""}}' }, { HTTPS_PROXY: '@A' }, 'A'],
  [
    'the option alone',
    { proxies: { https: '@B' }, daemonJson: '{"proxies":{"https-proxy":"@A","no-proxy":"*"}}' },
    { NO_PROXY: '*' },
    'B',
  ],
  ['none', { proxies: false, daemonJson: '{"proxies":{"https-proxy":"@A"}}' }, { HTTPS_PROXY: '@B' }, ''],
  ['none, without a daemon.json', { proxies: false }, { HTTPS_PROXY: '@B' }, ''],
] as const)
  test(`proxies are those of ${what}`, async t => {
    assert.equal(await askedThrough(t, registry, env), through)
  })

test('proxies that are none are a TypeError when a registry is first asked', async () => {
  await using store = await Store.temporary({ registry: { proxies: { https: 'socks5://a:hunter2@p' } } })
  await assert.rejects(async () => store.search('x'), {
    name: 'TypeError',
    message: 'proxies: https has the scheme socks5: but is to be http or https',
  })
})
