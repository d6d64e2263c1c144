/** `phyllo login`, `logout`, `search`, and `copy` between registries: words, output, exit status. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileScratch, type RunOptions, runPhyllo } from '../build/cli.js'
import { FakeRegistry, refusal } from '../build/fake-registry.js'
import { TestProxy } from '../build/proxy.js'
import { give, madeIndex, madeManifest } from '../build/remote-image.js'

const scratch = fileScratch()
const root = join(scratch, 'root')
let folders = 0

/** With a config.json of its own. */
function docker(text?: string) {
  const folder = join(scratch, `docker-${folders++}`)
  mkdirSync(folder)
  const path = join(folder, 'config.json')
  if (text !== undefined) writeFileSync(path, text)
  const run = (words: readonly string[], options: RunOptions = {}) =>
    runPhyllo(words, { root, env: { DOCKER_CONFIG: folder, DOCKER_AUTH_CONFIG: '' }, ...options })
  return { path, run, kept: () => JSON.parse(readFileSync(path, 'utf8')).auths }
}

async function demanding(t: TestContext) {
  const fake = await FakeRegistry.start(t)
  const right = `Basic ${Buffer.from('alice:secret').toString('base64')}`
  fake.guard = ({ headers }) =>
    headers.authorization === right ? undefined : { status: 401, headers: { 'www-authenticate': 'Basic realm=x' } }
  return fake
}

const unencrypted = (path: string) =>
  `WARNING! Your password will be stored unencrypted in ${path}.\nConfigure a credential helper to remove this warning. See\n` +
  'https://docs.docker.com/engine/reference/commandline/login/#credentials-store\n\n'

test('login with a password from standard input, with the one that is kept, and logout', async t => {
  const fake = await demanding(t)
  const { path, run, kept } = docker()
  const words = ['login', '-u', 'alice', '--password-stdin', fake.host]
  const first = await run(words, { input: Buffer.from('secret\r\n') })
  assert.deepEqual([first.status, first.stdout, first.stderr], [0, 'Login Succeeded\n', unencrypted(path)])
  assert.deepEqual(Object.keys(kept()), [fake.host])
  const again = await run(['login', `http://${fake.host}/v2/`])
  assert.deepEqual([again.status, again.stdout], [0, 'Login Succeeded\n'])
  assert.equal(again.stderr, `Authenticating with existing credentials...\n${unencrypted(path)}`)
  const out = await run(['logout', fake.host])
  assert.deepEqual([out.status, out.stdout, out.stderr], [0, `Removing login credentials for ${fake.host}\n`, ''])
  assert.deepEqual(kept(), {})
  const none = await run(['logout'])
  assert.deepEqual([none.status, none.stdout], [0, 'Not logged in to https://index.docker.io/v1/\n'])
})

test('login with a password for everybody to see is warned of; a wrong one is not kept', async t => {
  const fake = await demanding(t)
  const { path, run, kept } = docker('{"auths":{}}')
  const insecure = 'WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n'
  const wrong = await run(['login', '-u', 'alice', '-p', 'no', fake.host])
  assert.deepEqual([wrong.status, wrong.stdout], [1, ''])
  assert.ok(wrong.stderr.startsWith(`${insecure}phyllo: REGISTRY_AUTH: `), wrong.stderr)
  assert.deepEqual(kept(), {})
  const right = await run(['login', '--format', 'json', '-u', 'alice', '-p', 'secret', fake.host])
  assert.deepEqual(JSON.parse(right.stdout), {
    ...{ server: fake.host, username: 'alice', identityToken: false, unencryptedIn: path },
  })
  assert.equal(right.stderr, insecure + unencrypted(path))
})

test('login refuses in one line what it cannot do without a terminal', async t => {
  const fake = await demanding(t)
  const { run } = docker()
  for (const [words, said] of [
    [[], /Cannot perform an interactive login from a non TTY device/],
    [['-u', 'alice'], /non TTY/],
    [['-p', 'x'], /non TTY/],
    [['--password-stdin'], /login: Must provide --username with --password-stdin/],
    [['-u', 'a', '-p', 'x', '--password-stdin'], /mutually exclusive/],
    [['-u', 'a', '--password-stdin'], /login: Password Required/],
    [['a', 'b'], /at most/],
  ] as const) {
    const { status, stdout, stderr } = await run(['login', ...words, fake.host], { input: Buffer.alloc(0) })
    assert.deepEqual([status, stdout], [2, ''], stderr)
    assert.match(stderr.split('\n').at(-2)!, said)
  }
  assert.deepEqual(fake.seen, [])
})

const results = [
  { name: 'app', description: 'An app\nof two lines', star_count: 120, is_official: true },
  { name: 'a/app', description: `${'long '.repeat(10)}end`, star_count: 3, is_automated: true },
  { name: 'evil/app', description: '\x1b[31mred\x07', star_count: 0 },
]

async function searched(t: TestContext) {
  const body = JSON.stringify({ results })
  return FakeRegistry.start(t, {
    routes: [
      ['GET /v1/_ping', {}],
      [/^GET \/v1\/search/, { body }],
    ],
  })
}

const search = (...words: string[]) => runPhyllo(['search', ...words], { root })

test('search: Docker’s columns, and nothing that a terminal acts on', async t => {
  const fake = await searched(t)
  const { stdout, stderr } = await search(`${fake.host}/app`)
  assert.equal(
    stdout,
    [
      'NAME       DESCRIPTION                                     STARS     OFFICIAL',
      'app        An app of two lines                             120       [OK]',
      'a/app      long long long long long long long long long…   3         ',
      'evil/app   \ufffd[31mred\ufffd                                       0         ',
      '',
    ].join('\n'),
  )
  assert.equal(stderr, '')
})

test('search: limit, filters, whole descriptions, templates, json', async t => {
  const fake = await searched(t)
  const term = `${fake.host}/app`
  const names = async (...words: string[]) => (await search('--format', '{{.Name}}', ...words, term)).stdout
  assert.equal(await names('--limit', '2'), 'app\na/app\n')
  assert.equal(fake.asked.at(-1), 'GET /v1/search?q=app&n=2')
  assert.equal(await names('-f', 'stars=3', '--filter', 'stars=100'), 'app\n')
  assert.equal(await names('-f', 'is-official=false'), 'a/app\nevil/app\n')
  assert.equal(await names('-f', 'is-automated=true'), 'a/app\n')
  const row = '{{.Name}}|{{.StarCount}}|{{.IsOfficial}}|{{.IsAutomated}}|{{.Description}}'
  assert.equal(
    (await search('--no-trunc', '--limit', '2', '--format', row, term)).stdout,
    `app|120|[OK]||An app of two lines\na/app|3||[OK]|${'long '.repeat(10)}end\n`,
  )
  const [first = ''] = (await search('--format', 'json', term)).stdout.split('\n')
  assert.equal(
    first,
    '{"Description":"An app of two lines","IsAutomated":"false","IsOfficial":"true","Name":"app","StarCount":"120"}',
  )
})

test('search: a catalog instead is told on standard error', async t => {
  const fake = await FakeRegistry.start(t, { routes: [[/_catalog/, { body: '{"repositories":["a/app","b"]}' }]] })
  const { status, stdout, stderr } = await search('--format', '{{.Name}}', `${fake.host}/app`)
  assert.deepEqual([status, stdout], [0, 'a/app\n'])
  assert.match(stderr, /^The registry has no search\. These are .* catalog/)
  assert.equal((await search('-q', '--format', '{{.Name}}', `${fake.host}/app`)).stderr, '')
})

test('search refuses in one line: limits, filters, terms', async () => {
  for (const [words, status, said] of [
    [['--limit', '500', 'x'], 2, 'Limit 500 is outside the range of [1, 100]'],
    [['--limit', '0', 'x'], 2, 'Limit 0 is outside the range of [1, 100]'],
    [['--limit', 'many', 'x'], 2, 'search: --limit is a whole number, not many'],
    [['-f', 'bad=1', 'x'], 2, "search: Invalid filter 'bad'"],
    [['-f', 'bad', 'x'], 2, 'search: filter "bad" is not of the form name=value'],
    [['-f', 'is-official=maybe', 'x'], 2, "search: Invalid filter 'is-official=maybe'"],
    [['-f', 'stars=-1', 'x'], 2, "search: Invalid filter 'stars=-1'"],
    [['http://x/y'], 1, 'REFERENCE_INVALID: Invalid repository name (ex: "registry.domain.tld/myrepos")'],
  ] as const) {
    const ran = await search(...words)
    assert.deepEqual([ran.status, ran.stdout, ran.stderr], [status, '', `phyllo: ${said}\n`])
  }
})

const amd = madeManifest('amd64', ['shared', 'only amd64'])
const arm = madeManifest('arm64', ['shared'])
const index = madeIndex({ 'linux/amd64': amd, 'linux/arm64': arm })

async function registries(t: TestContext) {
  const [from, to] = [await FakeRegistry.start(t), await FakeRegistry.start(t)]
  for (const made of [amd, arm]) give(from, made)
  give(from, index, 'v1')
  return { from, to }
}

test('copy from registry to registry: what was copied, and how', async t => {
  const { from, to } = await registries(t)
  const words = ['copy', `docker://${from.host}/a/b:v1`, `docker://${to.host}/c/d:v2`]
  const first = await runPhyllo(words, { root })
  assert.deepEqual([first.status, first.stdout], [0, `Copied image: ${to.host}/c/d:v2\nDigest: ${index.digest}\n`])
  assert.match(first.stderr, /^([0-9a-f]{12}: Copied\n){4}Layers: mounted 0B, already there 0B, streamed 48B\n$/)
  const again = await runPhyllo([...words, '--format', 'json'], { root })
  const { digest, bytesExisting, tags } = JSON.parse(again.stdout)
  assert.deepEqual([digest, bytesExisting, tags], [index.digest, 48, [`${to.host}/c/d:v2`]])
  const one = await runPhyllo([...words, '-q', '--platform', 'linux/arm64'], { root })
  assert.deepEqual([one.stdout, one.stderr], [`Copied image: ${to.host}/c/d:v2\nDigest: ${arm.digest}\n`, ''])
})

test('copy keeps stores and registries apart', async t => {
  const { from, to } = await registries(t)
  const [source, target] = [`docker://${from.host}/a/b:v1`, `docker://${to.host}/c/d`]
  for (const [words, status, said] of [
    [[source], 2, 'copy: between registries it takes docker://FROM docker://TO'],
    [[source, target, target], 2, 'copy: between registries it takes docker://FROM docker://TO'],
    [[source, 'c/d:v1'], 2, 'copy: between registries it takes docker://FROM docker://TO'],
    [
      ['--to', join(scratch, 'x'), source, target],
      2,
      'copy: --to and --to-driver are for stores, docker:// for registries',
    ],
    [
      ['--platform', 'linux/amd64', '--to', join(scratch, 'x'), 'a'],
      2,
      'copy: --platform and --referrers are for docker://FROM docker://TO',
    ],
    [[source, 'docker://A b'], 1, /REFERENCE_INVALID/],
    [['docker://localhost:1/a', target], 1, /REGISTRY_UNAVAILABLE/],
  ] as const) {
    const ran = await runPhyllo(['copy', ...words], { root })
    assert.deepEqual([ran.status, ran.stdout], [status, ''], ran.stderr)
    if (typeof said === 'string') assert.equal(ran.stderr, `phyllo: ${said}\n`)
    else assert.match(ran.stderr, said)
  }
  assert.deepEqual([from.seen.length, to.seen.length], [0, 0])
})

test('--daemon-config names insecure registries, before or after the command; a wrong one is told', async t => {
  const fake = await FakeRegistry.start(t, {
    routes: [
      [/v1/, { status: 404, ...refusal('X', 'no') }],
      [/_catalog/, { body: '{"repositories":["app"]}' }],
    ],
  })
  const path = join(scratch, 'daemon.json')
  writeFileSync(path, '{"insecure-registries":["127.0.0.1:1"],"registry-mirrors":["https://m"]}')
  for (const words of [
    ['--daemon-config', path, 'search', '-q', `${fake.host}/app`],
    ['search', '-q', `--daemon-config=${path}`, `${fake.host}/app`],
  ])
    assert.equal((await runPhyllo(words, { root })).status, 0)
  writeFileSync(path, '{"registry-mirrors":[7]}')
  const { status, stderr } = await runPhyllo(['--daemon-config', path, 'search', `${fake.host}/app`], { root })
  assert.deepEqual([status, stderr], [1, `phyllo: CONFIG_INVALID: ${path}: registry-mirrors is not a list of texts\n`])
})

test('every command that asks somebody takes its proxy from the environment', async t => {
  const proxy = await TestProxy.start(t, { refuses: 403 })
  const { run } = docker()
  const env = { HTTPS_PROXY: proxy.urlFor('bob:hunter2'), NO_PROXY: 'other.test' }
  for (const words of [
    ['pull', 'registry.test/a:v'],
    ['search', 'registry.test/a'],
    ['login', '-u', 'alice', '-p', 'secret', 'registry.test'],
    ['copy', 'docker://registry.test/a:v', 'docker://registry.test/b:v'],
    ['import', 'https://registry.test/root.tar'],
  ]) {
    proxy.asked.length = 0
    const { status, stdout, stderr } = await run(words, { env })
    assert.equal(status, 1, stderr)
    assert.match(stderr, /the proxy http:\/\/127\.0\.0\.1:\d+ does not let it through: status 403/)
    assert.ok(!`${stdout}${stderr}`.includes('hunter2'))
    assert.deepEqual(new Set(proxy.asked), new Set(['CONNECT registry.test:443']), words[0])
  }
})
