/** `create`, `ps`, `rm`, `diff`, `commit`, `export`, `put`, and `ls` and `cat` over a container: words, output, statuses. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { fileScratch, linesOf, runPhyllo, storeWith } from '../build/cli.js'
import { layerTar, legacyArchive } from '../build/image.js'

const scratch = fileScratch()
const root = join(scratch, 'store')
const image = {
  layers: [layerTar({ 'etc/motd': 'hello\n', 'etc/hosts': 'h' })],
  tags: ['app:v1'],
  config: { config: { Cmd: ['/bin/sh', '-c', 'echo "a long one" here'], Labels: { who: 'me' } } },
}

before(() => storeWith(root, [legacyArchive([image])]))

const phyllo = (...words: string[]) => linesOf(words, { root })
const failed = async (...words: string[]) => {
  const { status, stdout, stderr } = await runPhyllo(words, { root })
  return [status, stdout, stderr]
}

async function made(name: string, ...words: string[]): Promise<string> {
  const [id] = await phyllo('create', '--name', name, ...words, 'app:v1')
  assert.match(id!, /^[0-9a-f]{64}$/)
  return id!
}

test('every one of several failures is told', async () => {
  const none = (name: string) => `phyllo: CONTAINER_NOT_FOUND: No such container: ${name}\n`
  assert.deepEqual(await failed('rm', 'no1', 'no2'), [1, '', none('no1') + none('no2')])
  const [status, stdout, stderr] = await failed('cat', 'app:v1', '/none', '/etc/motd', '/nor/this')
  assert.deepEqual([status, stdout], [1, 'hello\n'])
  assert.match(String(stderr), /^phyllo: ENOENT: .*'\/none'\nphyllo: ENOENT: .*'\/nor\/this'\n$/)
})

test('create, ps, rm', async () => {
  const id = await made('one', '--max-bytes', '1000')
  assert.deepEqual(await phyllo('ps'), ['CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES'])
  const [head, row] = await phyllo('ps', '-a')
  assert.match(head!, /^CONTAINER ID {3}IMAGE {5}COMMAND {19}CREATED +STATUS {4}PORTS {5}NAMES$/)
  assert.match(
    row!,
    new RegExp(`^${id.slice(0, 12)} {3}app:v1 {4}"/bin/sh -c 'echo \\\\"a…" {3}.+ ago +Created {13}one$`),
  )
  assert.deepEqual(await phyllo('ps', '-aq', '--no-trunc'), [id])
  assert.deepEqual(await phyllo('container', 'ls', '-a', '--format', '{{.Names}} {{.State}} {{.Labels}}'), [
    'one created who=me',
  ])
  assert.deepEqual(await failed('create', '--name', 'one', 'app:v1'), [
    1,
    '',
    `phyllo: CONTAINER_NAME_TAKEN: Conflict. The container name "/one" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.\n`,
  ])
  assert.deepEqual(await failed('rm', 'nope', 'one', 'nada'), [
    1,
    'one\n',
    'phyllo: CONTAINER_NOT_FOUND: No such container: nope\nphyllo: CONTAINER_NOT_FOUND: No such container: nada\n',
  ])
  assert.deepEqual(await phyllo('rm', '-f', 'nope'), [])
  assert.deepEqual(await phyllo('ps', '-aq'), [])
})

test('ps: filters, -n, -l', async () => {
  const ids = [await made('red'), await made('green'), await made('blue')]
  const names = async (...words: string[]) => (await phyllo('ps', '--format', '{{.Names}}', ...words)).join(' ')
  assert.equal(await names('-a'), 'blue green red')
  assert.equal(await names('-l'), 'blue')
  assert.equal(await names('-n', '2'), 'blue green')
  assert.equal(await names('--filter', 'status=created'), 'blue green red')
  assert.equal(await names('--filter', 'status=exited'), '')
  assert.equal(await names('-a', '-f', 'name=re'), 'green red')
  assert.equal(await names('-a', '-f', 'name=^/red$'), 'red')
  assert.equal(await names('-a', '-f', `id=${ids[1]!.slice(0, 20)}`), 'green')
  assert.equal(await names('-a', '-f', 'label=who'), 'blue green red')
  assert.equal(await names('-a', '-f', 'label=who=you'), '')
  assert.equal(await names('-a', '-f', 'ancestor=app'), '')
  assert.equal(await names('-a', '-f', 'ancestor=app:v1'), 'blue green red')
  assert.equal(await names('-a', '-f', 'before=green'), 'red')
  assert.equal(await names('-a', '-f', 'since=green'), 'blue')
  assert.equal(await names('-a', '-f', 'volume=x'), '')
  assert.match(String((await failed('ps', '-f', 'nope=1'))[2]), /^phyllo: invalid filter 'nope'[^\n]*\n$/)
  await phyllo('rm', ...ids)
})

test('put, cat, ls, diff, commit, export', async () => {
  const id = await made('work')
  const put = await runPhyllo(['put', 'work', '/etc/motd'], { root, input: Buffer.from('changed\n') })
  assert.deepEqual([put.status, put.stdout, put.stderr], [0, '', ''])
  assert.equal((await runPhyllo(['put', id.slice(0, 12), '/new'], { root, input: Buffer.from('x\n') })).status, 0)
  assert.deepEqual(await phyllo('cat', 'work', '/etc/motd'), ['changed'])
  assert.deepEqual(await phyllo('cat', 'app:v1', '/etc/motd'), ['hello'])
  assert.deepEqual(await phyllo('ls', 'work'), ['etc', 'new'])
  assert.deepEqual(await phyllo('diff', 'work'), ['C /etc', 'C /etc/motd', 'A /new'])
  assert.deepEqual(await phyllo('diff', '--style', 'minimal', id.slice(0, 6)), ['C /etc/motd', 'A /new'])
  const [imageId] = await phyllo('commit', '-a', 'me', '-m', 'why', '-c', 'CMD /x', '-c', 'USER u', 'work', 'app:v2')
  assert.match(imageId!, /^sha256:[0-9a-f]{64}$/)
  assert.deepEqual(await phyllo('cat', 'app:v2', '/new'), ['x'])
  assert.deepEqual(await phyllo('inspect', '-f', '{{.Author}} {{.Config.User}} {{.Config.Cmd}}', 'app:v2'), [
    'me u [/bin/sh -c /x]',
  ])
  const file = join(scratch, 'out.tar')
  assert.deepEqual(await phyllo('export', '-o', file, 'work'), [])
  assert.deepEqual(execFileSync('tar', ['-tf', file], { encoding: 'utf8' }).split('\n'), [
    'etc/',
    'etc/hosts',
    'etc/motd',
    'new',
    '',
  ])
  assert.ok((await runPhyllo(['container', 'export', 'work'], { root })).bytes.equals(readFileSync(file)))
  await phyllo('rm', 'work')
})

test('an image goes before a container of its name; what is neither is told as a missing image', async () => {
  await made('app')
  await phyllo('tag', 'app:v1', 'app:latest')
  await runPhyllo(['put', 'app', '/only'], { root, input: Buffer.from('x') })
  assert.deepEqual(await phyllo('ls', 'app'), ['etc'])
  await made('Upper-Case')
  assert.deepEqual(await phyllo('cat', 'Upper-Case', '/etc/motd'), ['hello'])
  assert.match(
    String((await failed('cat', 'nope', '/x'))[2]),
    /^phyllo: IMAGE_NOT_FOUND: No such image: nope:latest\n$/,
  )
  await phyllo('rm', 'app', 'Upper-Case')
})

test('wrong words are usage errors', async () => {
  for (const words of [
    ['create'],
    ['create', '--max-bytes', '1k', 'app:v1'],
    ['create', '--directory-rename', 'no', 'app:v1'],
    ['diff', '--style', 'long', 'x'],
    ['rm'],
    ['commit'],
    ['put', 'x'],
    ['cp', 'a', 'b'],
    ['cp', 'a:b', 'c:d'],
  ])
    assert.equal((await failed(...words))[0], 2, words.join(' '))
})
