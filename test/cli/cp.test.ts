/** `phyllo cp`: Docker's path rules, both ways, and what goes along. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs, {
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { destinationOf, endOf, meansContents } from '../../src/cli/cp-paths.js'
import { fileScratch, linesOf, runPhyllo, storeWith } from '../build/cli.js'
import { legacyArchive } from '../build/image.js'
import { scan } from '../build/scan.js'
import { dir, file, hardlink, symlink, tar } from '../build/tar.js'

const scratch = fileScratch()
const root = join(scratch, 'store')
const mtime = Date.UTC(2001, 1, 3) / 1000
const base = tar([
  dir('d/', { mtime, mode: 0o750 }),
  file('d/f', 'content', { mtime, mode: 0o4755, uid: 7, gid: 8 }),
  hardlink('d/h', 'd/f', { mtime, mode: 0o4755, uid: 7, gid: 8 }),
  symlink('d/l', 'f'),
  dir('d/sub/'),
  file('d/sub/x', 'x'),
  symlink('link', 'd'),
])

before(async () => {
  await storeWith(root, [legacyArchive([{ layers: [base], tags: ['app:v1'] }])])
  await linesOf(['create', '--name', 'box', 'app:v1'], { root })
})

const cp = async (...words: string[]) => {
  const { status, stderr } = await runPhyllo(['cp', ...words], { root })
  return status === 0 ? stderr : `${status}: ${stderr}`
}
const inBox = (...words: string[]) => linesOf(words, { root })
let folders = 0
const folder = () => {
  const path = join(scratch, `local-${folders++}`)
  mkdirSync(path)
  return path
}

test('words: CONTAINER:PATH, and local paths that hold a colon', () => {
  assert.deepEqual(endOf('box:/x:y'), { container: 'box', path: '/x:y' })
  for (const path of ['/a:b', './a:b', '../a:b', 'plain', ':x', '.'])
    assert.deepEqual(endOf(path), { container: undefined, path })
  assert.deepEqual(['.', 'a/.', '/.', './.'].map(meansContents), [true, true, true, true])
  assert.deepEqual(['a.', '..', 'a/..', 'a/'].map(meansContents), [false, false, false, false])
})

const isDir = fs.statSync('/')
const isFile = fs.statSync(process.execPath)

/** Docker's documentation of `cp`, case by case. */
for (const [name, source, isDirectory, path, there, expected] of [
  ['file, nothing there', '/a/f', false, '/t/new', undefined, '/t/new'],
  ['file, nothing there, but a directory is meant', '/a/f', false, '/t/new/', undefined, /no such directory/],
  ['file, a file there', '/a/f', false, '/t/old', isFile, '/t/old'],
  ['file, a file there, but a directory is meant', '/a/f', false, '/t/old/', isFile, /not a directory/],
  ['file, a directory there', '/a/f', false, '/t', isDir, '/t/f'],
  ['directory, nothing there', '/a/d', true, '/t/new', undefined, '/t/new'],
  ['directory, nothing there, with a slash', '/a/d', true, '/t/new/', undefined, '/t/new/'],
  ['directory, a file there', '/a/d', true, '/t/old', isFile, /cannot copy directory/],
  ['directory, a directory there', '/a/d', true, '/t', isDir, '/t/d'],
  ['directory with a slash, a directory there', '/a/d/', true, '/t', isDir, '/t/d'],
  ['contents, a directory there', '/a/d/.', true, '/t', isDir, '/t'],
  ['contents, nothing there', '/a/d/.', true, '/t/new', undefined, '/t/new'],
  ['the root, a directory there', '/', true, '/t', isDir, '/t'],
] as const)
  test(`where it goes: ${name}`, () => {
    const work = () => destinationOf(source, isDirectory, { path, there, parent: isDir })
    if (typeof expected === 'string') assert.equal(work(), expected)
    else assert.throws(work, expected)
  })

test('nothing is made for a destination whose parent is not there', () => {
  assert.throws(
    () => destinationOf('/f', false, { path: '/t/x/y', there: undefined, parent: undefined }),
    /no such dir/,
  )
})

test('out of a container: modes, times, symlinks and hard links go along, owners do not', async () => {
  const to = folder()
  assert.equal(await cp('box:/d', to), '')
  const [f, h] = [lstatSync(join(to, 'd/f')), lstatSync(join(to, 'd/h'))]
  assert.deepEqual([f.mode & 0o7777, f.mtimeMs / 1000, f.ino], [0o4755, mtime, h.ino])
  assert.equal(f.uid, process.getuid!())
  assert.equal(readlinkSync(join(to, 'd/l')), 'f')
  assert.deepEqual([lstatSync(join(to, 'd')).mode & 0o7777, lstatSync(join(to, 'd')).mtimeMs / 1000], [0o750, mtime])
  assert.equal(readFileSync(join(to, 'd/sub/x'), 'utf8'), 'x')
})

test('out of a container with -a: owners go along, or it is refused', async () => {
  const to = folder()
  const said = await cp('-a', 'box:/d/f', to)
  if (process.getuid!() !== 0) return assert.match(said, /^1: phyllo: EPERM: /)
  const { uid, gid, mode } = lstatSync(join(to, 'f'))
  assert.deepEqual([uid, gid, mode & 0o7777], [7, 8, 0o4755])
})

test('a symlink is copied as such; with -L, or a slash behind it, what it leads to', async () => {
  const to = folder()
  await cp('box:link', join(to, 'one'))
  assert.equal(readlinkSync(join(to, 'one')), 'd')
  await cp('-L', 'box:link', join(to, 'two'))
  assert.equal(readFileSync(join(to, 'two/f'), 'utf8'), 'content')
  await cp('box:link/', join(to, 'three'))
  assert.ok(lstatSync(join(to, 'three')).isDirectory())
})

test('into a container: of whoever it was; merged with what is there', async () => {
  const from = folder()
  mkdirSync(join(from, 'd/sub'), { recursive: true })
  writeFileSync(join(from, 'd/new'), 'new', { mode: 0o640 })
  writeFileSync(join(from, 'd/sub/big'), Buffer.alloc(3_000_000, 'b'))
  symlinkSync('new', join(from, 'd/s'))
  linkSync(join(from, 'd/new'), join(from, 'd/twin'))
  utimesSync(join(from, 'd/new'), 1, mtime + 0.75)
  assert.equal(await cp(join(from, 'd'), 'box:/'), '')
  assert.deepEqual(await inBox('ls', 'box', '/d'), ['f', 'h', 'l', 'new', 's', 'sub', 'twin'])
  const id = `${String(process.getuid!()).padStart(5)} ${String(process.getgid!()).padStart(5)}`
  const lines = await inBox('ls', '-l', 'box', '/d')
  assert.equal(lines[3], `-rw-r-----   2 ${id}          3 2001-02-03 00:00 new`)
  assert.match(lines[4]!, / s -> new$/)
  assert.deepEqual(await inBox('ls', 'box', '/d/sub'), ['big', 'x'])
  assert.equal((await runPhyllo(['cat', 'box', '/d/sub/big'], { root })).bytes.length, 3_000_000)
})

test('a directory and what is none do not take each other’s place', async () => {
  const from = folder()
  mkdirSync(join(from, 'f'))
  writeFileSync(join(from, 'f/x'), '')
  writeFileSync(join(from, 'sub'), '')
  assert.match(await cp(`${from}/.`, 'box:/d'), /^1: phyllo: cannot overwrite /)
  assert.match(await cp('box:/nope', folder()), /^1: phyllo: ENOENT: /)
  assert.match(await cp('nope:/x', folder()), /^1: phyllo: CONTAINER_NOT_FOUND: No such container: nope\n$/)
})

const put = (input: Buffer, ...words: string[]) => runPhyllo(['cp', '-', ...words], { root, input })
const packed = async (...words: string[]) => {
  const { status, bytes, stderr } = await runPhyllo(['cp', ...words, '-'], { root })
  assert.deepEqual([status, stderr], [0, ''])
  return scan(bytes).map(({ name, linkName }) => (linkName === '' ? name : `${name} -> ${linkName}`))
}

test('- as the destination: a tar, whose names begin with the last one of the path', async () => {
  await linesOf(['create', '--name', 'tarred', 'app:v1'], { root })
  const inside = ['f', 'h -> d/f', 'l -> f', 'sub/', 'sub/x']
  assert.deepEqual(await packed('tarred:/d'), ['d/', ...inside.map(name => `d/${name}`)])
  assert.deepEqual(await packed('tarred:d/.'), ['./', './f', './h -> ./f', './l -> f', './sub/', './sub/x'])
  assert.deepEqual(await packed('tarred:/link'), ['link -> d'])
  assert.deepEqual((await packed('tarred:/link/'))[0], 'link/')
  // Docker's: followed, it has the name of what it leads to.
  assert.deepEqual((await packed('-L', 'tarred:/link'))[0], 'd/')
  assert.deepEqual(await packed('-L', 'tarred:/d/l'), ['f'])
})

test('- as the source: a tar is unpacked into a directory that is there, and nowhere else', async () => {
  const bytes = tar([dir('in/', { mode: 0o711 }), file('in/f', 'from a tar', { uid: 5, gid: 6, mtime })])
  for (const input of [bytes, gzipSync(bytes)]) {
    const { status, stdout, stderr } = await put(input, 'tarred:/link')
    assert.deepEqual([status, stdout, stderr], [0, '', ''])
  }
  assert.deepEqual(await linesOf(['ls', '-l', 'tarred', '/d/in'], { root }), [
    '-rw-r--r--   1     5     6         10 2001-02-03 00:00 f',
  ])
  for (const path of ['/d/f', '/nope', '/d/f/x', '/d/nope/']) {
    const { status, stderr } = await put(bytes, `tarred:${path}`)
    assert.deepEqual([status, stderr], [1, `phyllo: destination "tarred:${path}" must be a directory\n`])
  }
  const { status, stderr } = await put(tar([file('../out', '')]), 'tarred:/d')
  assert.equal(status, 1)
  assert.match(stderr, /^phyllo: PATH_ESCAPE: \.\.\/out \(tar header at offset 0\): [^\n]+\n$/)
})

test('words that say nothing, or both, are mistakes', async () => {
  for (const words of [
    ['', 'box:/'],
    ['box:/', ''],
    ['box:', '.'],
    ['.', 'box:'],
    ['-', '-'],
    ['box:/d', 'box:/e'],
  ]) {
    const said = await cp(...words)
    assert.match(said, /^2: phyllo: cp: [^\n]+\n$/, words.join(' '))
  }
})

test('into the end of a symlink, also where nothing is yet; the symlink stays', async () => {
  const to = folder()
  symlinkSync('there', join(to, 'link'))
  for (let times = 0; times < 2; times++) {
    assert.equal(await cp('box:/d/f', join(to, 'link')), '')
    assert.equal(readlinkSync(join(to, 'link')), 'there')
    assert.equal(readFileSync(join(to, 'there'), 'utf8'), 'content')
  }
  symlinkSync('circle', join(to, 'circle'))
  assert.match(await cp('box:/d/f', join(to, 'circle')), /^1: phyllo: too many symlinks in /)
})

test('what is in a directory goes into another one, which stays as it is', async () => {
  const to = folder()
  mkdirSync(join(to, 'there'), { mode: 0o700 })
  assert.equal(await cp('tarred:/d/.', join(to, 'there')), '')
  assert.equal(lstatSync(join(to, 'there')).mode & 0o7777, 0o700)
  assert.equal(await cp('tarred:/d/.', join(to, 'new')), '')
  assert.equal(lstatSync(join(to, 'new')).mode & 0o7777, 0o750)
})

test('fifos go into a container, and are left out of what comes from one', async () => {
  const from = folder()
  execFileSync('mkfifo', ['-m', '640', join(from, 'fifo')])
  assert.equal(await cp(join(from, 'fifo'), 'box:/fifo'), '')
  assert.match((await inBox('ls', '-l', 'box', '/fifo'))[0]!, /^prw-r----- /)
  assert.match(await cp('box:/fifo', folder()), /^\/fifo: neither file, directory nor symlink: left out\n$/)
})
