/** `phyllo ls` and `phyllo cat`: the tree of an image on a terminal, and its bytes in a pipe. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { ended, fileScratch, linesOf, runPhyllo, startPhyllo, storeWith } from '../build/cli.js'
import { legacyArchive } from '../build/image.js'
import { block, char, dir, fifo, file, hardlink, symlink, tar } from '../build/tar.js'

const root = join(fileScratch(), 'store')
const mtime = Date.UTC(2001, 1, 3, 4, 5, 6) / 1000
const noise = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) >> 3))
const base = tar([
  dir('etc/', { mtime }),
  file('etc/os-release', 'ID=test\n', { mtime }),
  file('etc/gone', 'gone'),
  dir('tmp/', { mode: 0o1777 }),
  file('bin/su', 'su', { mode: 0o4755, uid: 1234, gid: 4321, mtime }),
  file('bin/wall', '', { mode: 0o2745 }),
  file('bin/odd', '', { mode: 0o7000 }),
])
const upper = tar([
  file('etc/.wh.gone'),
  file('etc/two', 'two\n'),
  hardlink('etc/hard', 'etc/two'),
  symlink('etc/link', 'os-release', { mtime }),
  symlink('dangling', '/no/where'),
  symlink('abs', '/etc'),
  char('dev/null', 1, 3, { mode: 0o666, mtime }),
  block('dev/big', 259, 300_000, { mode: 0o600, mtime }),
  fifo('dev/pipe', { mode: 0o640, mtime }),
  file('noise', noise),
  file('names/a\tb\nc\u001b[31m', 'control'),
  file('names/\u009b31m\u202egnp.exe', ''),
  file(Buffer.from('names/caf\xe9', 'latin1'), 'latin1'),
  file('names/ü 中', 'utf8'),
])

before(() => storeWith(root, [legacyArchive([{ layers: [base, upper], tags: ['app:v1'] }])]))

const ls = (...words: string[]) => linesOf(['ls', ...words], { root })

test('ls lists a directory in byte order, / by default; a file as it was named; symlinks in the path are followed', async () => {
  assert.deepEqual(await ls('app:v1'), ['abs', 'bin', 'dangling', 'dev', 'etc', 'names', 'noise', 'tmp'])
  assert.deepEqual(await ls('app:v1', '/etc'), ['hard', 'link', 'os-release', 'two'])
  assert.deepEqual(await ls('app:v1', 'abs/'), ['hard', 'link', 'os-release', 'two'])
  assert.deepEqual(await ls('app:v1', '/abs/two'), ['/abs/two'])
  assert.deepEqual(await ls('app:v1', '/dangling'), ['/dangling'])
  assert.deepEqual(await ls('app:v1', '/tmp', '/noise', '/bin'), [
    '/tmp:',
    '',
    '/noise',
    '',
    '/bin:',
    'odd',
    'su',
    'wall',
  ])
})

test('ls -l shows type, mode, links, owner, size or device, time and target', async () => {
  assert.deepEqual(await ls('-l', 'app:v1', '/dev'), [
    'brw-------   1     0     0 259, 300000 2001-02-03 04:05 big',
    'crw-rw-rw-   1     0     0       1, 3 2001-02-03 04:05 null',
    'prw-r-----   1     0     0          0 2001-02-03 04:05 pipe',
  ])
  assert.deepEqual((await ls('-l', 'app:v1', '/etc')).slice(0, 3), [
    '-rw-r--r--   2     0     0          4 1970-01-01 00:00 hard',
    'lrwxrwxrwx   1     0     0         10 2001-02-03 04:05 link -> os-release',
    '-rw-r--r--   1     0     0          8 2001-02-03 04:05 os-release',
  ])
  assert.deepEqual(await ls('--long', 'app:v1', 'bin'), [
    '---S--S--T   1     0     0          0 1970-01-01 00:00 odd',
    '-rwsr-xr-x   1  1234  4321          2 2001-02-03 04:05 su',
    '-rwxr-Sr-x   1     0     0          0 1970-01-01 00:00 wall',
  ])
  assert.match((await ls('-l', 'app:v1')).at(-1)!, /^drwxrwxrwt +\d+ +0 +0 +0 1970-01-01 00:00 tmp$/)
})

test('ls -R goes down, one headed list for each directory', async () => {
  assert.deepEqual(await ls('-R', 'app:v1', '/etc', '/tmp'), [
    '/etc:',
    'hard',
    'link',
    'os-release',
    'two',
    '',
    '/tmp:',
  ])
  const all = await ls('-lR', 'app:v1')
  assert.deepEqual(
    all.filter(line => line.endsWith(':')),
    ['/:', '/bin:', '/dev:', '/etc:', '/names:', '/tmp:'],
  )
  assert.equal(all.filter(line => line === '').length, 5)
})

test('names reach the terminal without control characters, whatever their bytes', async () => {
  assert.deepEqual(await ls('app:v1', 'names'), [
    'a\\x09b\\x0ac\\x1b[31m',
    'caf\\xe9',
    '\\x9b31m\\u202egnp.exe',
    'ü 中',
  ])
  assert.equal((await ls('-lR', 'app:v1', 'names')).length, 5)
})

test('what is not there: the rest is shown, every error told, status 1', async () => {
  const listed = await runPhyllo(['ls', 'app:v1', '/nope', '/tmp', '/etc/gone'], { root })
  assert.deepEqual([listed.status, listed.stdout], [1, '\n/tmp:\n\n'])
  assert.match(listed.stderr, /^phyllo: ENOENT: [^\n]*'\/nope'\nphyllo: ENOENT: [^\n]*'\/etc\/gone'\n$/)
  const printed = await runPhyllo(['cat', 'app:v1', '/nope', '/etc/two', '/etc/gone', '/etc/os-release', '/etc'], {
    root,
  })
  assert.deepEqual([printed.status, printed.stdout], [1, 'two\nID=test\n'])
  const lines = /^phyllo: ENOENT: [^\n]*'\/nope'\nphyllo: ENOENT: [^\n]*'\/etc\/gone'\nphyllo: EISDIR: [^\n]*\n$/
  assert.match(printed.stderr, lines)
  assert.match((await runPhyllo(['cat', 'app:v1', '/etc'], { root })).stderr, /^phyllo: EISDIR: [^\n]*\n$/)
})

test('cat prints the bytes of files, one after the other, through symlinks and hard links', async () => {
  const { status, bytes } = await runPhyllo(['cat', 'app:v1', '/noise', 'abs/link', '/etc/hard', 'noise'], { root })
  assert.equal(status, 0)
  assert.ok(bytes.equals(Buffer.concat([noise, Buffer.from('ID=test\ntwo\n'), noise])))
})

test('a reader that leaves early ends it quietly', async () => {
  for (const words of [
    ['ls', '-lR', 'app:v1'],
    ['cat', 'app:v1', ...Array.from({ length: 50 }, () => '/noise')],
  ]) {
    const child = startPhyllo(words, { root })
    const closed = ended(child)
    await once(child.stdout!, 'data')
    child.stdout!.destroy()
    const { status, stderr } = await closed
    assert.deepEqual([status, stderr], [0, ''], words[0])
  }
})
