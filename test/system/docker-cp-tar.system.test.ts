/** `cp` with a tar at one end against the client of docker 20.10: the same status, the same tars and trees; and what is meant to differ. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { BothStores } from '../build/both-stores.js'
import { assertAlike, fixture, listed, makeContainers, mtime } from '../build/cp-scenes.js'
import { char, dir, fifo, file, globalPax, hardlink, symlink, tar } from '../build/tar.js'

const both = new BothStores()

test('the same tree in both: created, and unpacked from standard input', () => makeContainers(both, ['s']))

/** Names of the tar: of the path as it was written, of what a symlink leads to with -L. */
const packed: readonly (readonly string[])[] = [
  ...['s', 's/', 's/.', 's/d', 's/d/', 's/d/.', 's/f', 's/f/', 's/f/.', 's/lf', 's/lf/', 's/ld', 's/ld/', 's/ld/.'],
  ...[
    's/lc',
    's/dang',
    's/dang/',
    's/nope',
    's/nope/',
    's/f/x',
    's/d/..',
    's/ld/..',
    's/d/sub/../g',
    's/d/sub/x',
    '',
    '.',
    '/',
  ],
].map(path => [`blue:${path}`])

for (const words of [
  ...packed,
  ...['s/lf', 's/ld', 's/lc', 's/dang', 's/d', 's/d/l', 's/ld/l', 's/ld/', 's/nope'].map(path => [
    '-L',
    `blue:/${path}`,
  ]),
])
  test(`a tar of it: cp ${words.join(' ')} -`, async () => {
    const all = ['cp', ...words, '-']
    const [theirs, ours] = await Promise.all([both.docker(all), both.phyllo(all)])
    // A path that is none is a mistake in the words, which has a status of its own.
    if (words.includes('blue:')) return assert.deepEqual([theirs.status, ours.status], [1, 2])
    assertAlike(all, theirs, ours)
    assert.deepEqual(listed(ours.bytes), listed(theirs.bytes))
  })

for (const path of [
  '/s',
  '/s/',
  '/s/.',
  's',
  '/s/ld',
  '/s/ld/',
  '/s/f',
  '/s/lf',
  '/s/dang',
  '/s/nope',
  '/s/nope/',
  '/s/f/',
  '/s/f/x',
])
  test(`a tar into it: cp - blue:${path}`, async () => {
    const all = ['cp', '-', `blue:${path}`]
    const input = tar([file('arrived', path, { mtime })])
    const [theirs, ours] = await Promise.all([both.docker(all, {}, input), both.phyllo(all, {}, input)])
    assertAlike(all, theirs, ours)
    const said = /destination ".*" must be a directory/
    assert.equal(said.exec(ours.stderr)?.[0], said.exec(theirs.stderr)?.[0])
  })

const owner = { mtime, uid: 5, gid: 6 }

/** Tars that are unpacked into directories of the fixture's kind, `u` with its number. */
const arriving: Readonly<Record<string, readonly Buffer[]>> = {
  'every type': [
    dir('a/', { ...owner, mode: 0o1770 }),
    file('a/f', 'f', { ...owner, mtime: mtime + 0.5, mode: 0o4750 }),
    symlink('a/s', 'f', owner),
    hardlink('a/h', 'a/f', { ...owner, mode: 0o640 }),
    fifo('a/p', owner),
    char('a/c', 1, 3, owner),
    file('a/g', 'g', { ...owner, xattrs: { 'user.a': 'b' } }),
  ].filter((_, at) => at !== 3),
  'parents that nothing names': [file('x/y/z', '1', owner)],
  'a name that climbs out': [file('../evil', '1', owner)],
  'a name that climbs and comes back': [file('a/../b', '1', owner)],
  'an absolute name': [file('/abs', '1', owner)],
  'names of whiteouts': [file('.wh.f', '1', owner), file('.wh..wh..opq', '', owner)],
  'a symlink to anywhere': [symlink('l', '/etc/passwd', owner)],
  'through a symlink of the tar': [symlink('l', '/s/d', owner), file('l/through', '1', owner)],
  'through a symlink that was there': [file('ld/through', '1', owner)],
  'a hard link that climbs out': [hardlink('h', '../s/f', owner)],
  'a hard link to what was there': [hardlink('h', 'd/g', { mtime })],
  'a hard link to an absolute name': [hardlink('h', '/d/g', { mtime })],
  'a hard link to nothing': [hardlink('h', 'nope', owner)],
  'a hard link to itself': [hardlink('f', 'f', owner)],
  'the device that is a whiteout': [char('c', 0, 0, owner)],
  'the directory itself': [dir('./', { ...owner, mode: 0o700 }), file('./in', '1', owner)],
  'the directory itself as a file': [file('.', '', owner)],
  'a directory in the place of a file': [dir('f/', owner)],
  'a directory in the place of a symlink to one': [dir('ld/', owner)],
  'a file in the place of a directory': [file('d', '1', owner)],
  'a symlink in the place of a directory': [symlink('d', 'f', owner)],
  'a hard link in the place of a directory': [hardlink('d', 'f', owner)],
  'a file in the place of a file': [file('f', 'other', owner)],
  'a file in the place of a symlink': [file('lf', 'other', owner)],
  'a directory that is merged': [dir('d/', { ...owner, mode: 0o711 }), file('d/more', '1', owner)],
  'a file below a file': [file('f/x', '1', owner)],
  'a name twice': [file('t', '1', owner), file('t', '22', owner)],
  'a global header': [globalPax({ comment: 'x' }), file('t', '1', owner)],
  nothing: [],
}

test('tars with every kind of entry: the same statuses, the same trees', async () => {
  const bases = tar(Object.keys(arriving).flatMap((_, at) => fixture(`u${at}`)))
  for (const run of [both.docker, both.phyllo])
    assert.equal((await run.call(both, ['cp', '-', 'blue:/'], {}, bases)).status, 0)
  for (const [at, [name, entries]] of Object.entries(arriving).entries()) {
    const all = ['cp', '-', `blue:/u${at}`]
    const input = tar(entries)
    const [theirs, ours] = await Promise.all([both.docker(all, {}, input), both.phyllo(all, {}, input)])
    assertAlike([name], theirs, ours)
  }
  const [theirs, ours] = await Promise.all([both.docker(['cp', 'blue:/', '-']), both.phyllo(['cp', 'blue:/', '-'])])
  assert.deepEqual(listed(ours.bytes), listed(theirs.bytes))
})

for (const [name, program] of [
  ['gzip', 'gzip'],
  ['bzip2', 'bzip2'],
  ['xz', 'xz'],
] as const)
  test(`a tar compressed by ${name}`, async () => {
    const input = execFileSync(program, ['-c'], { input: tar([file(name, name, { mtime })]) })
    const all = ['cp', '-', 'blue:/s']
    const [theirs, ours] = await Promise.all([both.docker(all, {}, input), both.phyllo(all, {}, input)])
    assertAlike(all, theirs, ours)
    assert.equal((await both.phyllo(['cat', 'blue', `/s/${name}`])).stdout, name)
  })

interface Difference {
  readonly why: string
  readonly input: Buffer
  readonly docker: RegExp
  readonly phyllo: RegExp
}

const intended: readonly Difference[] = [
  {
    why: 'a symlink that leads out of the directory: it leads nowhere out of the container',
    input: tar([symlink('out', '../../x', owner)]),
    docker: /invalid symlink/,
    phyllo: /^$/,
  },
  {
    why: 'a name that climbs above the root and is absolute: refused as in layers',
    input: tar([file('/../evil', '1', owner)]),
    docker: /^$/,
    phyllo: /^phyllo: PATH_ESCAPE: /,
  },
  {
    why: 'a tar that ends within its first header',
    input: tar([file('f', 'x'.repeat(3000))]).subarray(0, 400),
    docker: /^(.*unexpected EOF.*\n)?$/,
    phyllo: /^phyllo: TAR_INVALID: .*truncated\n$/,
  },
]

for (const { why, input, docker, phyllo } of intended)
  test(`meant to differ: ${why}`, async () => {
    const all = ['cp', '-', 'blue:/s/d']
    const [theirs, ours] = await Promise.all([both.docker(all, {}, input), both.phyllo(all, {}, input)])
    assert.match(theirs.stderr, docker)
    assert.match(ours.stderr, phyllo)
    assert.equal(ours.status, ours.stderr === '' ? 0 : 1)
  })
