/** `cp` against the client of docker 20.10: the same words, the same status, the same trees and tars; and what is meant to differ. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { BothStores, type RanBytes } from '../build/both-stores.js'
import { dir, file, hardlink, symlink, tar } from '../build/tar.js'

const both = new BothStores()
const mtime = Date.UTC(2001, 1, 3) / 1000

/** What stands at both ends: a tree with all that the rules are about. */
const fixture = (top: string) => [
  dir(`${top}/`, { mtime }),
  file(`${top}/f`, 'in f', { mtime, mode: 0o640 }),
  dir(`${top}/d/`, { mtime, mode: 0o750 }),
  file(`${top}/d/g`, 'in g', { mtime }),
  hardlink(`${top}/d/h`, `${top}/d/g`, { mtime }),
  symlink(`${top}/d/l`, 'g', { mtime }),
  dir(`${top}/d/sub/`, { mtime }),
  file(`${top}/d/sub/x`, 'x', { mtime, uid: 12, gid: 34, mode: 0o4755 }),
  symlink(`${top}/lf`, 'f', { mtime }),
  symlink(`${top}/ld`, 'd', { mtime }),
  symlink(`${top}/lc`, 'ld/l', { mtime }),
  symlink(`${top}/dang`, 'nowhere', { mtime }),
  symlink(`${top}/deep`, 'no/where', { mtime }),
  dir(`${top}/clash/`, { mtime }),
  dir(`${top}/clash/g/`, { mtime }),
  dir(`${top}/clash2/`, { mtime }),
  file(`${top}/clash2/sub`, 'no directory', { mtime }),
]

/** From the fixture `s` to the fixture `t`, in either direction. */
const copies: readonly (readonly string[])[] = [
  ...[
    'new',
    'new/',
    'f',
    'f/',
    'd',
    'd/.',
    'lf',
    'ld',
    'dang',
    'dang/',
    'deep',
    'no/where',
    'f/x',
    'd/g',
    '',
    'ld/../new',
  ].map(to => ['s/f', `t/${to}`]),
  ...['new', 'new/', 'new/.', 'f', 'd', 'lf', 'ld', 'dang', 'deep', 'no/where'].map(to => ['s/d', `t/${to}`]),
  ...['new', 'd'].flatMap(to => [
    ['s/d/', `t/${to}`],
    ['s/d/.', `t/${to}`],
    ['s/lf', `t/${to}`],
    ['-L', 's/lf', `t/${to}`],
    ['s/ld', `t/${to}`],
    ['s/ld/', `t/${to}`],
    ['-L', 's/ld', `t/${to}`],
    ['-L', 's/lc', `t/${to}`],
  ]),
  ['s/d/.', 't/f'],
  ['s/ld/.', 't/ld'],
  ['s/nope', 't/new'],
  ['s/f/', 't/new'],
  ['s/f/x', 't/new'],
  ['s/dang', 't/new'],
  ['-L', 's/dang', 't/new'],
  ['s/clash/.', 't/d'],
  ['s/clash2/.', 't/d'],
]

const inBox = (top: string, word: string) => (word.startsWith('-') ? word : `blue:/${top}${word.slice(1)}`)
/** Words of a copy whose source, or target, is in the container. */
const into = (words: readonly string[], at: number) =>
  words.map((word, i) =>
    i === words.length - 1 ? inBox(`t${at}`, word) : word.startsWith('-') ? word : `${both.scratch}/${word}`,
  )
const outOf = (words: readonly string[], at: number, who: string) =>
  words.map((word, i) => (i === words.length - 1 ? `${folder(at, who)}/${word}` : inBox('s', word)))
const folder = (at: number, who: string) => join(both.scratch, `out-${at}`, who)

test('the same trees at both ends: created, and unpacked from standard input', async () => {
  const trees = tar([...fixture('s'), ...copies.flatMap((_, at) => fixture(`t${at}`))])
  for (const run of [both.docker, both.phyllo]) {
    const command = (words: readonly string[], input?: Buffer) => run.call(both, words, {}, input)
    // Docker makes no container that has nothing to run.
    const nothing = run === both.docker ? ['/nothing'] : []
    assert.equal((await command(['create', '--name', 'blue', 'child:1', ...nothing])).status, 0)
    const { status, stderr } = await command(['cp', '-', 'blue:/'], trees)
    assert.equal(status, 0, stderr)
  }
  unpacked(both.scratch, 's')
  for (const at of copies.keys()) for (const who of ['docker', 'phyllo']) unpacked(folder(at, who), 't')
})

function unpacked(where: string, top: string): void {
  mkdirSync(where, { recursive: true })
  execFileSync('tar', ['-xpf', '-', '-C', where], { input: tar(fixture(top)) })
}

/** What is made now has a time of now. */
const withoutNow = (text: string) => text.replace(/20[2-9]\d-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d+)?)?/g, 'NOW')

/** Docker's init layer is no part of the image, and of none of ours. */
const init =
  /(^| |\/)(\.dockerenv|dev\/?|dev\/(console|pts\/|shm\/)|etc\/?|etc\/(hosts|hostname|resolv\.conf|mtab( ->.*)?)|proc\/|sys\/)$/

/** Owners, modes, sizes, times, names and targets of all that is in a tar. */
function listed(bytes: Buffer): string[] {
  const env = { ...process.env, TZ: 'UTC' }
  const words = ['--numeric-owner', '--full-time', '-Ptvf', '-']
  const text = execFileSync('tar', words, { input: bytes, encoding: 'utf8', env, maxBuffer: 1 << 26 })
  return withoutNow(text)
    .split('\n')
    .map(line => line.replace(/ +/g, ' '))
    .filter(line => !init.test(line))
}

function assertAlike(words: readonly string[], theirs: RanBytes, ours: RanBytes): void {
  assert.equal(ours.status, theirs.status, `${words.join(' ')}: docker: ${theirs.stderr}phyllo: ${ours.stderr}`)
  if (ours.status !== 0) assert.match(ours.stderr, /^phyllo: [^\n]+\n$/)
}

for (const [at, words] of copies.entries()) {
  test(`into a container: cp ${words.join(' ')}`, async () => {
    const all = ['cp', ...into(words, at)]
    const [theirs, ours] = await Promise.all([both.docker(all), both.phyllo(all)])
    assertAlike(all, theirs, ours)
  })
  test(`out of a container: cp ${words.join(' ')}`, async () => {
    const [theirs, ours] = await Promise.all([
      both.docker(['cp', ...outOf(words, at, 'docker')]),
      both.phyllo(['cp', ...outOf(words, at, 'phyllo')]),
    ])
    assertAlike(words, theirs, ours)
    const tree = (who: string) => {
      const format = '%P %y %m %U:%G %s %n %TY-%Tm-%Td %TH:%TM %l\\n'
      const text = execFileSync('find', [folder(at, who), '-mindepth', '1', '-printf', format], { encoding: 'utf8' })
      return withoutNow(text).split('\n').sort()
    }
    assert.deepEqual(tree('phyllo'), tree('docker'))
  })
}

test('the container is the same after all of it', async () => {
  const [theirs, ours] = await Promise.all([both.docker(['cp', 'blue:/', '-']), both.phyllo(['cp', 'blue:/', '-'])])
  assert.deepEqual(listed(ours.bytes), listed(theirs.bytes))
})
