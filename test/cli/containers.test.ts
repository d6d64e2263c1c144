/** `create`, `ps`, `rm`, `diff`, `commit`, `export`, `put`, and `ls` and `cat` over a container: words, output, statuses. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { Store } from '../../src/index.js'
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

test('while somebody has it open, commands that look do so; those that change it say that it is busy', async () => {
  const store = await Store.open(root, { durability: 'none', workers: 0 })
  const box = await store.create('app:v1', { name: 'held' })
  box.writeFileSync('/etc/motd', 'meanwhile\n')
  await box.sync()
  assert.deepEqual(await phyllo('cat', 'held', '/etc/motd'), ['meanwhile'])
  assert.deepEqual(await phyllo('ls', 'held', '/etc'), ['hosts', 'motd'])
  assert.deepEqual(await phyllo('diff', 'held'), ['C /etc', 'C /etc/motd'])
  assert.deepEqual(await phyllo('cp', 'held:/etc/motd', join(scratch, 'motd')), [])
  assert.equal(readFileSync(join(scratch, 'motd'), 'utf8'), 'meanwhile\n')
  assert.equal((await runPhyllo(['cp', 'held:/etc', '-'], { root })).status, 0)
  assert.deepEqual(await phyllo('export', '-o', join(scratch, 'held.tar'), 'held'), [])
  assert.deepEqual(await phyllo('ps', '-a', '-s', '--format', '{{.Names}} {{.Size}}'), ['held 10B (virtual 17B)'])
  const busy = /^phyllo: CONTAINER_BUSY: container held \([0-9a-f]{12}\) is open for writing elsewhere\n$/
  for (const words of [
    ['put', 'held', '/x'],
    ['cp', scratch, 'held:/x'],
    ['cp', '-', 'held:/'],
    ['commit', 'held'],
    ['rm', 'held'],
  ]) {
    const [status, , stderr] = await failed(...words)
    assert.equal(status, 1)
    assert.match(String(stderr), busy)
  }
  await box.remove()
  await store.close()
})

test('ps -s: what is its own, and with the image; in every form', async () => {
  const id = await made('sized')
  await runPhyllo(['put', 'sized', '/new'], { root, input: Buffer.alloc(123_456) })
  const size = '123kB (virtual 123kB)'
  const [head, row] = await phyllo('ps', '-as')
  assert.match(head!, / NAMES {5}SIZE$/)
  assert.ok(row!.endsWith(`sized     ${size}`), row)
  assert.deepEqual(await phyllo('ps', '-a', '--format', '{{.Size}}'), [size])
  assert.deepEqual(await phyllo('ps', '-a', '--format', 'table {{.Size}}'), ['SIZE', size])
  assert.match((await phyllo('ps', '-a', '--format', '{{json .}}'))[0]!, /"Size":"123kB \(virtual 123kB\)"/)
  assert.equal((await phyllo('ps', '-as', '--format', 'raw')).at(-2), `size: ${size}`)
  assert.equal(
    (await phyllo('ps', '-a', '--format', 'raw')).some(line => line.startsWith('size')),
    false,
  )
  assert.deepEqual(await phyllo('ps', '-asq'), [id.slice(0, 12)])
  assert.deepEqual(await phyllo('ps', '-a', '--format', '{{index (split .Names "z") 1}}'), ['ed'])
  assert.equal((await failed('ps', '-n', 'x'))[0], 2)
  await phyllo('rm', 'sized')
})

test('help says what the options are', async () => {
  for (const [name, option] of [
    ['cp', '-L, --follow-link'],
    ['ps', '-s, --size'],
  ] as const)
    assert.ok((await phyllo(name, '--help')).some(line => line.includes(option)))
  const [usage, , summary] = await phyllo('put', '--help')
  assert.deepEqual(
    [usage, summary],
    ['Usage: phyllo put CONTAINER PATH', 'Write a file of a container from standard input'],
  )
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
