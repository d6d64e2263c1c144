/** config.json as Docker's command line reads and writes it, and credential helpers that are not what they should be. */
import assert from 'node:assert/strict'
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { CredentialHelper } from '../../src/registry/credential-helper.js'
import { DockerConfig } from '../../src/registry/docker-config.js'

const hub = 'https://index.docker.io/v1/'
const base64 = (text: string) => Buffer.from(text).toString('base64')
const alice = { kind: 'password', username: 'alice', password: 'secret' } as const

async function folderOf(
  t: TestContext,
  config?: object | string,
): Promise<{ folder: string; path: string; store: DockerConfig }> {
  const folder = await mkdtemp(join(tmpdir(), 'phyllo-docker-'))
  t.after(() => rm(folder, { recursive: true }))
  const path = join(folder, 'config.json')
  if (config !== undefined) await writeFile(path, typeof config === 'string' ? config : JSON.stringify(config))
  return { folder, path, store: new DockerConfig({ folder, environment: {}, helperTimeoutMs: 400 }) }
}

test('what Docker has written is found: users, tokens, keys of old', async t => {
  const { store } = await folderOf(t, {
    auths: {
      [hub]: { auth: base64('alice:se:cret') },
      'https://old.example/v1/': { auth: base64('bob:x\0\0') },
      'REG.example:443': { username: 'carol', password: 'p' },
      'tok.example:5000': { auth: base64('dave:'), identitytoken: 'idt' },
      'ready.example': { registrytoken: 'rt' },
      'empty.example': {},
      'half.example': { auth: base64('eve:') },
    },
  })
  for (const [key, credential] of [
    [hub, { kind: 'password', username: 'alice', password: 'se:cret' }],
    ['old.example', { kind: 'password', username: 'bob', password: 'x' }],
    ['reg.example', { kind: 'password', username: 'carol', password: 'p' }],
    ['tok.example:5000', { kind: 'identity', username: 'dave', token: 'idt' }],
    ['ready.example', { kind: 'registry', token: 'rt' }],
    ['empty.example', undefined],
    ['half.example', undefined],
    ['tok.example', undefined],
    ['reg.example:5000', undefined],
    ['__proto__', undefined],
    ['constructor', undefined],
  ] as const)
    assert.deepEqual(await store.get(key), credential, key)
})

test('no file, no folder, an empty file: nobody is logged in', async t => {
  const { folder, store } = await folderOf(t)
  assert.equal(await store.get(hub), undefined)
  assert.equal(await new DockerConfig({ folder: join(folder, 'none'), environment: {} }).get(hub), undefined)
  await writeFile(join(folder, 'config.json'), '')
  assert.equal(await store.get(hub), undefined)
})

test('DOCKER_CONFIG says where; DOCKER_AUTH_CONFIG comes first, and what it lacks is looked for further', async t => {
  const { folder } = await folderOf(t, { auths: { a: { auth: base64('file:1') }, b: { auth: base64('file:2') } } })
  const environment = {
    DOCKER_CONFIG: folder,
    DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { a: { auth: base64('env:1') } } }),
  }
  const store = new DockerConfig({ environment })
  assert.equal(store.path, join(folder, 'config.json'))
  assert.deepEqual(await store.get('a'), { kind: 'password', username: 'env', password: '1' })
  assert.deepEqual(await store.get('b'), { kind: 'password', username: 'file', password: '2' })
  assert.match(new DockerConfig({ environment: {} }).path, /\.docker.config\.json$/)
})

for (const text of [
  '{',
  '[]',
  'null',
  '{"auths":[]}',
  `{"auths":{"a":{"auth":"${base64('nocolon')}"}}}`,
  '{"credsStore":5}',
])
  test(`a file that is none is REGISTRY_CREDENTIALS, and nothing of it is told: ${text.slice(0, 20)}`, async t => {
    const { path, store } = await folderOf(t, text)
    await assert.rejects(store.get('a'), (error: Error & { code?: string; path?: string }) => {
      assert.equal(error.code, 'REGISTRY_CREDENTIALS')
      assert.equal(error.path, path)
      assert.doesNotMatch(error.message, /nocolon|bm9jb2xvbg/)
      return true
    })
    assert.equal(await readFile(path, 'utf8'), text)
  })

test('written as Docker writes it: keys sorted, tabs, everything else kept', async t => {
  const { path, store } = await folderOf(t, {
    psFormat: '<x>',
    auths: { z: { auth: 'eg==' } },
    HttpHeaders: { b: '1', a: '2' },
  })
  await store.set('reg.example', alice)
  await store.set(hub, { kind: 'identity', username: 'alice', token: 'idt' })
  assert.equal(
    await readFile(path, 'utf8'),
    `{
	"HttpHeaders": {
		"a": "2",
		"b": "1"
	},
	"auths": {
		"${hub}": {
			"auth": "${base64('alice:')}",
			"identitytoken": "idt"
		},
		"reg.example": {
			"auth": "${base64('alice:secret')}"
		},
		"z": {
			"auth": "eg=="
		}
	},
	"psFormat": "\\u003cx\\u003e"
}`,
  )
  assert.deepEqual(await store.get('reg.example'), alice)
  assert.equal(await store.erase('reg.example'), true)
  assert.equal(await store.erase('reg.example'), false)
  assert.equal(await store.get('reg.example'), undefined)
})

test('a new file is its owner’s alone; the mode of an old one is kept, and a link to it', async t => {
  const { folder, path, store } = await folderOf(t)
  await store.set('a', alice)
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  await chmod(path, 0o640)
  await store.set('b', alice)
  assert.equal((await stat(path)).mode & 0o777, 0o640)
  await mkdir(join(folder, 'linked'))
  await symlink(path, join(folder, 'linked/config.json'))
  const linked = new DockerConfig({ folder: join(folder, 'linked'), environment: {} })
  await linked.set('c', alice)
  assert.ok((await lstat(linked.path)).isSymbolicLink())
  assert.deepEqual(await store.get('c'), alice)
  assert.deepEqual((await readdir(folder)).sort(), ['config.json', 'linked'])
  const nested = new DockerConfig({ folder: join(folder, 'new/er'), environment: {} })
  await nested.set('a', alice)
  assert.equal((await stat(join(folder, 'new/er'))).mode & 0o777, 0o700)
})

test('a file that cannot be written stays as it was', async t => {
  const { folder, store } = await folderOf(t)
  await mkdir(join(folder, 'config.json'))
  await assert.rejects(store.set('a', alice), { code: 'REGISTRY_CREDENTIALS' })
  assert.deepEqual(await readdir(folder), ['config.json'])
})

// Helpers are programs on the PATH, which is the process's.
let programs: string
const path = process.env.PATH
before(async () => {
  programs = await mkdtemp(join(tmpdir(), 'phyllo-helpers-'))
  process.env.PATH = `${programs}${delimiter}${path}`
})
after(async () => {
  process.env.PATH = path
  await rm(programs, { recursive: true })
})

async function helper(name: string, script: string): Promise<void> {
  await writeFile(join(programs, `docker-credential-${name}`), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
}

const found = (user: string, secret: string) =>
  `echo '${JSON.stringify({ ServerURL: 'x', Username: user, Secret: secret })}'`

test('helpers: one for a key before the one for all, and both before the file', async t => {
  await helper(
    'all',
    `[ "$1" = get ] && read key; case $key in none) echo credentials not found in native keychain; exit 1;; token) ${found('<token>', 'idt')};; *) ${found('all', '$key')};; esac`,
  )
  await helper('one', found('one', 'x'))
  const { store } = await folderOf(t, {
    credsStore: 'all',
    credHelpers: { b: 'one' },
    auths: { none: { auth: base64('file:1') } },
  })
  assert.deepEqual(await store.get('a'), { kind: 'password', username: 'all', password: '$key' })
  assert.deepEqual(await store.get('b'), { kind: 'password', username: 'one', password: 'x' })
  assert.deepEqual(await store.get('token'), { kind: 'identity', username: '', token: 'idt' })
  // Docker does not look into the file either, where a helper says no.
  assert.equal(await store.get('none'), undefined)
})

test('a helper that has half a pair has none', async () => {
  await helper('nobody', found('', 'S3cret'))
  await helper('empty', found('alice', ''))
  assert.equal(await new CredentialHelper('nobody').get('a'), undefined)
  assert.equal(await new CredentialHelper('empty').get('a'), undefined)
})

test('helpers: store and erase are told what Docker tells them; the file notes the key alone', async t => {
  await helper('note', `cat > ${programs}/$1`)
  const { path, store } = await folderOf(t, { credsStore: 'note' })
  await store.set('reg.example', alice)
  assert.equal(
    await readFile(join(programs, 'store'), 'utf8'),
    '{"ServerURL":"reg.example","Username":"alice","Secret":"secret"}',
  )
  assert.deepEqual(JSON.parse(await readFile(path, 'utf8')).auths, { 'reg.example': {} })
  await store.set('reg.example', { kind: 'identity', username: 'alice', token: 'idt' })
  assert.match(await readFile(join(programs, 'store'), 'utf8'), /"Username":"<token>","Secret":"idt"/)
  assert.equal(await store.erase('reg.example'), true)
  assert.equal(await readFile(join(programs, 'erase'), 'utf8'), 'reg.example')
  assert.deepEqual(JSON.parse(await readFile(path, 'utf8')).auths, {})
})

for (const [name, script, message] of [
  ['extra', `echo hello; ${found('u', 'S3cret')}`, /not JSON/],
  ['hang', 'exec sleep 60', /no answer after 0\.4 s/],
  ['hang-child', 'sleep 60 & wait', /no answer after 0\.4 s/],
  ['flood', 'exec yes S3cret', /more than 65536 bytes/],
  ['fail', 'printf "\\033[31mlocked"; exit 1', /get: \\u001b\[31mlocked$/],
  ['half', `echo '{"Username":"u"}'`, /no Username and Secret/],
  ['number', `echo '{"Username":"u","Secret":1}'`, /no Username and Secret/],
] as const)
  test(`G13: a helper that is ${name}: REGISTRY_CREDENTIALS`, async () => {
    await helper(name, script)
    await assert.rejects(new CredentialHelper(name, 400).get('key'), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'REGISTRY_CREDENTIALS')
      assert.match(error.message, message)
      assert.doesNotMatch(error.message, /S3cret/)
      return true
    })
  })

test('G13: a name of a helper is no path, no option and no command', async t => {
  for (const name of ['../x', 'a/b', 'a b', 'a;b', '$(x)', '', 'A', 'a'.repeat(65)]) {
    assert.throws(() => new CredentialHelper(name), { code: 'REGISTRY_CREDENTIALS' })
    const { store } = await folderOf(t, { credHelpers: { a: name || '.' } })
    await assert.rejects(store.get('a'), { code: 'REGISTRY_CREDENTIALS' })
  }
  await assert.rejects(new CredentialHelper('nobody-has-this').get('a'), {
    code: 'REGISTRY_CREDENTIALS',
    // EACCES where the search path has a directory that this user may not search
    message: /ENOENT|EACCES/,
  })
})

test('a helper is given up with the signal', async () => {
  await helper('slow', 'exec sleep 60')
  const reason = new Error('enough')
  const abort = new AbortController()
  setTimeout(() => abort.abort(reason), 50)
  await assert.rejects(new CredentialHelper('slow').get('a', abort.signal), error => error === reason)
})
