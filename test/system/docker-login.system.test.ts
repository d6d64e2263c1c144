/**
 * Logging in beside Docker: for the same server, the same words and the same config.json, byte for byte, as Debian's docker
 * through a dockerd writes it; and passwords typed on a terminal.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ended, fileScratch, program, startPhyllo } from '../build/cli.js'
import { dockerRegistry } from '../build/docker-registry.js'
import { DockerRoots } from '../build/docker-roots.js'
import { type Dockerd, dockerClient } from '../build/dockerd.js'
import { FakeRegistry } from '../build/fake-registry.js'
import { jwt } from '../build/token-server.js'

const roots = new DockerRoots()
const scratch = fileScratch()
let daemon: Dockerd
before(async () => {
  daemon = await roots.start('root')
})

const older =
  '{\n\t"auths": {\n\t\t"z.example:5000": {\n\t\t\t"auth": "YTpi"\n\t\t},\n\t\t"https://index.docker.io/v1/": {\n\t\t\t"auth": "YTpi"\n\t\t}\n\t}\n}'

/** The same words for both, each with a folder of its own that begins alike. */
function both(t: TestContext, text?: string) {
  const folders = { docker: join(scratch, `${t.name}-docker`), ours: join(scratch, `${t.name}-ours`) }
  for (const folder of Object.values(folders)) {
    mkdirSync(folder)
    if (text !== undefined) writeFileSync(join(folder, 'config.json'), text, { mode: 0o644 })
  }
  const file = (who: keyof typeof folders) => {
    const path = join(folders[who], 'config.json')
    return { text: readFileSync(path, 'utf8'), mode: statSync(path).mode & 0o7777 }
  }
  const told = async (child: ChildProcess, input: string, folder: string) => {
    child.stdin!.on('error', () => undefined).end(input)
    const { status, stdout, stderr } = await ended(child)
    return { status, stdout, stderr: stderr.replaceAll(folder, 'FOLDER') }
  }
  return {
    file,
    docker: (words: readonly string[], input = '') =>
      told(
        spawn(dockerClient, words, {
          env: { ...process.env, DOCKER_HOST: daemon.host, DOCKER_CONFIG: folders.docker },
        }),
        input,
        folders.docker,
      ),
    ours: (words: readonly string[], input = '', global: readonly string[] = []) =>
      told(
        startPhyllo([...global, ...words], { root: join(scratch, 'root'), env: { DOCKER_CONFIG: folders.ours } }),
        input,
        folders.ours,
      ),
  }
}

const htpasswd = { auth: { htpasswd: { realm: 'r', path: 'FOLDER/htpasswd' } } }

for (const [name, text] of [
  ['no config', undefined],
  ['a config', older],
] as const)
  test(`Basic, ${name}: both write the same, and take the same away`, async t => {
    const { host } = await dockerRegistry(t, { config: htpasswd })
    const { docker, ours, file } = both(t, text)
    const words = ['login', '-u', 'alice', '--password-stdin', host]
    assert.deepEqual(await ours(words, 'secret\n'), await docker(words, 'secret\n'))
    assert.deepEqual(file('ours'), file('docker'))
    assert.match(file('ours').text, new RegExp(host))
    // A URL is reduced to its host by both, and what is kept is tried first.
    const again = ['login', `http://${host}/v2/`]
    const [mine, theirs] = [await ours(again), await docker(again)]
    assert.deepEqual([mine.status, mine.stdout.trim()], [theirs.status, theirs.stdout.trim().split('\n').at(-1)])
    assert.match(theirs.stdout + theirs.stderr, /Authenticating with existing credentials\.\.\./)
    assert.match(mine.stderr, /^Authenticating with existing credentials\.\.\.\n/)
    assert.deepEqual(file('ours'), file('docker'))
    const out = ['logout', host]
    assert.deepEqual(await ours(out), await docker(out))
    assert.deepEqual(file('ours'), file('docker'))
    assert.ok(!file('ours').text.includes(host))
  })

test('a wrong password: both fail, and neither keeps it', async t => {
  const { host } = await dockerRegistry(t, { config: htpasswd })
  const { docker, ours, file } = both(t, older)
  const words = ['login', '-u', 'alice', '-p', 'wrong', host]
  const [mine, theirs] = [await ours(words), await docker(words)]
  assert.deepEqual([mine.status, mine.stdout], [theirs.status, theirs.stdout])
  const warning = 'WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n'
  for (const { stderr } of [mine, theirs]) assert.ok(stderr.startsWith(warning), stderr)
  assert.match(mine.stderr, /REGISTRY_AUTH/)
  for (const who of ['ours', 'docker'] as const) assert.equal(file(who).text, older)
})

for (const identity of [false, true])
  test(`Bearer, ${identity ? 'with' : 'without'} an identity token: both write the same`, async t => {
    const tokens = await FakeRegistry.start(t)
    const service = 'reg.test'
    const right = `Basic ${Buffer.from('alice:secret').toString('base64')}`
    tokens.route([
      [
        / \/token/,
        ({ headers }) =>
          headers.authorization === right
            ? {
                headers: { 'content-type': 'application/json' },
                body: JSON.stringify({
                  ...{ token: jwt({ service, access: [] }), expires_in: 300 },
                  ...(identity && { refresh_token: 'an-identity' }),
                }),
              }
            : {
                status: 401,
                headers: { 'content-type': 'application/json' },
                body: '{"details":"incorrect username or password"}',
              },
      ],
    ])
    const auth = {
      token: { realm: `${tokens.origin}/token`, service, issuer: 'test', rootcertbundle: 'FOLDER/cert.pem' },
    }
    const { host } = await dockerRegistry(t, { config: { auth } })
    const { docker, ours, file } = both(t)
    const words = ['login', '-u', 'alice', '--password-stdin', host]
    const realm = ['--realm', `${host}=${tokens.host}`]
    const wrong = [await ours(words, 'wrong', realm), await docker(words, 'wrong')]
    for (const { status, stdout, stderr } of wrong) {
      assert.deepEqual([status, stdout], [1, ''])
      assert.match(stderr, /incorrect username or password/)
    }
    const without = await ours(words, 'secret')
    assert.match(without.stderr, /REGISTRY_AUTH: .*credentials are not given to/)
    assert.deepEqual(await ours(words, 'secret', realm), await docker(words, 'secret'))
    assert.deepEqual(file('ours'), file('docker'))
    assert.equal(file('ours').text.includes('identitytoken'), identity)
    assert.equal(file('ours').text.includes(Buffer.from('alice:secret').toString('base64')), !identity)
  })

test('on a terminal: the name is shown, the password is not', async t => {
  const { host } = await dockerRegistry(t, { config: htpasswd })
  const folder = join(scratch, 'typed')
  const command = [process.execPath, program, '--root', join(scratch, 'root'), 'login', host]
  const child = spawn('script', ['-qec', command.map(word => `'${word}'`).join(' '), '/dev/null'], {
    env: { ...process.env, DOCKER_CONFIG: folder, TERM: 'xterm' },
  })
  let screen = ''
  child.stdout.on('data', part => (screen += part))
  const closed = ended(child)
  const shows = async (text: string) => {
    while (!screen.includes(text)) await sleep(20)
  }
  await shows('Username: ')
  child.stdin.write('alice\r')
  await shows('Password: ')
  child.stdin.write('wrongX\x7f\x7f\x7f\x7f\x7f\x7fsecret\r')
  const { status } = await closed
  assert.equal(status, 0, screen)
  assert.match(screen, /^Username: alice\r\nPassword: \r\nWARNING! Your password will be stored unencrypted/)
  assert.match(screen, /\r\nLogin Succeeded\r\n$/)
  assert.ok(!screen.includes('secret') && !screen.includes('wrong'))
  const { auths } = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
  assert.deepEqual(auths, { [host]: { auth: Buffer.from('alice:secret').toString('base64') } })
})

test('Ctrl-C, typed instead of a password, ends it', async t => {
  const { host } = await dockerRegistry(t, { config: htpasswd })
  const command = [process.execPath, program, '--root', join(scratch, 'root'), 'login', '-u', 'alice', host]
  const child = spawn('script', ['-qec', command.map(word => `'${word}'`).join(' '), '/dev/null'], {
    env: { ...process.env, DOCKER_CONFIG: join(scratch, 'interrupted'), TERM: 'xterm' },
  })
  let screen = ''
  child.stdout.on('data', part => (screen += part))
  const closed = ended(child)
  while (!screen.includes('Password: ')) await sleep(20)
  child.stdin.write('sec\x03')
  const { status } = await closed
  assert.equal(status, 130, screen)
  assert.match(screen, /phyllo: INTERRUPTED: interrupted\r\n$/)
})
