/** Containers on the command line against the client of docker 20.10: the same words, the same output, the same trees. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { BothStores } from '../build/both-stores.js'

const both = new BothStores()
const names = ['red', 'green', 'blue']

test('create prints the id', async () => {
  for (const name of names) {
    const words = ['create', '--name', name, name === 'blue' ? 'child:1' : 'full']
    // Docker makes no container that has nothing to run.
    const ran = [await both.docker(name === 'blue' ? [...words, '/nothing'] : words), await both.phyllo(words)]
    for (const { status, stdout, stderr } of ran) {
      assert.equal(status, 0, stderr)
      assert.match(stdout, /^[0-9a-f]{64}\n$/)
    }
  }
})
const listings: readonly (readonly string[])[] = [
  ['ps'],
  ['ps', '-q'],
  ['ps', '-a', '--format', '{{.Names}} {{.Image}} {{.Status}}'],
  ['ps', '-a', '-f', 'name=red', '--format', '{{.Names}}|{{.Image}}|{{.Command}}|{{.Ports}}|{{.State}}|{{.Status}}'],
  ['ps', '-a', '-f', 'name=red', '--no-trunc', '--format', '{{.Command}}'],
  ['ps', '-a', '-f', 'name=red', '--format', 'table {{.Names}}\\t{{.Image}}\\t{{.Status}}'],
  ['ps', '-l', '--format', '{{.Names}}'],
  ['ps', '-n', '2', '--format', '{{.Names}}'],
  ['ps', '-f', 'status=created', '--format', '{{.Names}}'],
  ['ps', '-f', 'status=exited', '--format', '{{.Names}}'],
  ['ps', '-a', '-f', 'ancestor=child:1', '--format', '{{.Names}}'],
  ['ps', '-a', '-f', 'ancestor=nope', '--format', '{{.Names}}'],
  ['ps', '-a', '-f', 'label=a', '--format', '{{.Names}}'],
  ['ps', '-a', '-f', 'label=a=first', '-f', 'name=e', '--format', '{{.Names}}'],
  ['ps', '-a', '-f', 'before=green', '--format', '{{.Names}}'],
  ['ps', '-a', '-f', 'since=green', '--format', '{{.Names}}'],
  ['ps', '-a', '-f', 'name=^/re', '--format', '{{.Names}}'],
  ['ps', '-a', '-s', '--format', '{{.Names}} {{.Size}}'],
  ['ps', '-a', '-f', 'name=red', '--format', 'table {{.Names}}\\t{{.Size}}'],
  ['ps', '-s', '-a', '-f', 'name=red', '--format', '{{.Names}}'],
  ['ps', '-a', '-f', 'nope=1'],
  ['ps', '-a', '-f', 'status=nope'],
  ['container', 'ls', '-a', '--format', '{{.Names}}'],
  ['diff', 'blue'],
  ['rm', 'nope'],
  ['create', '--name', 'red', 'full'],
  ['create', '--name', 'a b', 'full'],
]

for (const words of listings) test(words.join(' '), () => both.same(words))

test('ps -a: the same columns', async () => {
  const shape = (text: string) =>
    text
      .replace(/\b([0-9a-f]{64}|[0-9a-f]{12})\b/g, 'ID')
      .replace(/created_at: .*/, 'created_at: AT')
      .replace(/command: .*/, 'command')
      // Docker's order of labels is another one every time.
      .replace(/labels: (.*)/, (_, labels: string) => `labels: ${labels.split(',').sort().join()}`)
      .replace(/(Less than )?\w+ \w+ ago/g, 'AGO')
      .replace(/ +/g, ' ')
  for (const words of [[], ['-s'], ['--no-trunc'], ['-q', '-s']]) {
    const all = ['ps', '-a', '-f', 'name=red', ...words]
    const [theirs, ours] = [await both.docker(all), await both.phyllo(all)]
    assert.equal(shape(ours.stdout), shape(theirs.stdout), all.join(' '))
  }
  for (const words of [[], ['-s']]) {
    const all = ['ps', '-a', '-f', 'name=blue', '--format', 'raw', ...words]
    const [theirs, ours] = [await both.docker(all), await both.phyllo(all)]
    assert.equal(shape(ours.stdout), shape(theirs.stdout), all.join(' '))
  }
})

// Not of the image with a working directory and volumes: Docker makes those in the container.
test('cp in and out, diff, export: the same statuses and trees', async () => {
  const local = join(both.scratch, 'local')
  mkdirSync(join(local, 'd/sub'), { recursive: true })
  writeFileSync(join(local, 'd/f'), 'content', { mode: 0o640 })
  writeFileSync(join(local, 'd/sub/x'), 'x')
  symlinkSync('f', join(local, 'd/l'))
  utimesSync(join(local, 'd/f'), 1, 981_158_400.75)
  execFileSync('chown', ['-h', '1234:4321', join(local, 'd/f')])
  const copies = [
    [`${local}/d`, 'blue:/new'],
    [`${local}/d`, 'blue:/new'],
    [`${local}/d/.`, 'blue:/'],
    [`${local}/d/f`, 'blue:/named'],
    [`${local}/d/f`, 'blue:/no/where'],
    [`${local}/d/f`, 'blue:/absent/'],
    [`${local}/d/f`, 'blue:/named/'],
    [`${local}/d`, 'blue:/named'],
    [`${local}/d/l`, 'blue:/link'],
    ['-L', `${local}/d/l`, 'blue:/followed'],
    [`${local}/d/nope`, 'blue:/x'],
  ]
  for (const words of copies) {
    const [theirs, ours] = [await both.docker(['cp', ...words]), await both.phyllo(['cp', ...words])]
    assert.equal(ours.status, theirs.status, `${words.join(' ')}: ${theirs.stderr}${ours.stderr}`)
  }
  await both.sameLines(['diff', 'blue'])
  await both.same(['ps', '-a', '-s', '-f', 'name=blue', '--format', '{{.Size}}'])
  const [theirs, ours] = ['theirs', 'ours'].map(name => join(both.scratch, `${name}.tar`)) as [string, string]
  assert.equal((await both.docker(['export', '-o', theirs, 'blue'])).status, 0)
  assert.equal((await both.phyllo(['export', '-o', ours, 'blue'])).status, 0)
  // Docker's init layer is no part of the image, and of none of ours.
  const init =
    /(^| )(\.dockerenv|dev\/?|dev\/(console|pts\/|shm\/)|etc\/?|etc\/(hosts|hostname|resolv\.conf|mtab( ->.*)?)|proc\/|sys\/)$/
  const listed = (file: string) =>
    execFileSync('tar', ['--numeric-owner', '-tvf', file], { encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } })
      .split('\n')
      .filter(line => !init.test(line))
  assert.deepEqual(listed(ours), listed(theirs))
  for (const [index, words] of [
    ['blue:/new'],
    ['blue:/new/.'],
    ['blue:/named'],
    ['-L', 'blue:/link'],
    ['blue:/nope'],
  ].entries()) {
    const to = (who: string) => join(both.scratch, `${who}-${index}`)
    mkdirSync(to('them'))
    mkdirSync(to('us'))
    const [them, us] = [await both.docker(['cp', ...words, to('them')]), await both.phyllo(['cp', ...words, to('us')])]
    assert.equal(us.status, them.status, `${words.join(' ')}: ${them.stderr}${us.stderr}`)
    const tree = (who: string) =>
      execFileSync('find', [to(who), '-mindepth', '1', '-printf', '%P %y %m %U:%G %s %l\\n'], { encoding: 'utf8' })
    assert.deepEqual(tree('us').split('\n').sort(), tree('them').split('\n').sort(), words.join(' '))
  }
})

test('commit: the same answer, and an image with the same config but for what says who made it', async () => {
  const words = ['commit', '-a', 'me', '-m', 'why', '-c', 'ENV A=b', '-c', 'CMD x y', 'red', 'made:1']
  const [theirs, ours] = [await both.docker(words), await both.phyllo(words)]
  assert.match(theirs.stdout, /^sha256:[0-9a-f]{64}\n$/)
  assert.match(ours.stdout, /^sha256:[0-9a-f]{64}\n$/)
  await both.same(['inspect', '-f', '{{.Author}} {{.Comment}} {{.Config.Cmd}} {{.Config.Env}}', 'made:1'])
})

test('rm: names of what is gone, status 1 for what was not there', async () => {
  await both.same(['rm', 'green', 'nope', 'blue'])
  await both.same(['ps', '-a', '--format', '{{.Names}}'])
  await both.same(['rm', '-f', 'red'])
})
