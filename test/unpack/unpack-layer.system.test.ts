/**
 * Layers on real disks, as root: every row of threats A to C within the escape fixture, their twins, metadata to the last bit, other
 * unpackers' trees, and the exact tar out of what was unpacked.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync, readdirSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { fromText } from '../../src/byte-string.js'
import type { PhylloError } from '../../src/errors.js'
import { defaultLimits } from '../../src/limits.js'
import { loadSystemCalls } from '../../src/native/load-system-calls.js'
import { assembleLayer } from '../../src/unpack/assemble-layer.js'
import { recordedTarBytes } from '../../src/unpack/split-file.js'
import { listDirectory } from '../build/full-listing.js'
import { Random, randomArchive } from '../build/random-tar.js'
import { char as C, dir as D, file as F, hardlink as H, fifo as P, symlink as S, tar } from '../build/tar.js'
import { allCases } from '../build/unpack-cases.js'
import { type DiskFixture, diskFixture, linesOnDisk } from '../build/unpacked-on-disk.js'

const calls = (await loadSystemCalls())!
const opaqueName = fromText('trusted.overlay.opaque')
const isOpaque = (path: Buffer) => calls.lgetxattr(path, opaqueName)?.toString() === 'y'
const linesOf = (target: string) => linesOnDisk(join(target, 'diff'), isOpaque)
const xattr = (path: string, name: string) => calls.lgetxattr(path, fromText(name))

async function sumOf(target: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of assembleLayer({ tarSplit: join(target, 'tar-split.json.gz'), diff: join(target, 'diff') }))
    hash.update(chunk)
  return `sha256:${hash.digest('hex')}`
}

async function refused(work: Promise<unknown>, code: string): Promise<PhylloError> {
  const error = await work.then(
    () => assert.fail('accepted'),
    (error: PhylloError) => error,
  )
  assert.equal(error.code, code, error.message)
  return error
}

async function check(fixture: DiskFixture, archive: readonly Uint8Array[], expected: readonly string[] | string) {
  const before = fixture.outside()
  const bytes = tar(archive)
  if (typeof expected === 'string') await refused(fixture.unpack(bytes), expected)
  else {
    const { target, diffId } = await fixture.unpack(bytes)
    assert.deepEqual(linesOf(target), expected)
    assert.equal(diffId, `sha256:${createHash('sha256').update(bytes).digest('hex')}`)
    assert.equal(await sumOf(target), diffId)
  }
  assert.deepEqual(fixture.outside(), before)
}

for (const [name, archive, expected] of allCases) test(name, t => check(diskFixture(t), archive, expected))

test('the job on a thread, durable, of compressed bytes', async t => {
  const fixture = diskFixture(t, { workers: 1 })
  const plain = tar([F('a', 'x'.repeat(100_000)), D('d', { mode: 0o700 })])
  const bytes = gzipSync(plain)
  const { target, digest, diffId, tarBytes, entries, sizeBytes, fileBytes } = await fixture.unpack(bytes, {
    durable: true,
  })
  const split = lstatSync(join(target, 'tar-split.json.gz'))
  assert.deepEqual(
    [digest, diffId, tarBytes, entries, sizeBytes, fileBytes],
    [sum(bytes), sum(plain), plain.length, 2, 100_000, 100_000 + split.size],
  )
  assert.equal(await sumOf(target), diffId)
  assert.deepEqual(readdirSync(target).sort(), ['diff', 'tar-split.json.gz'])
  assert.deepEqual([lstatSync(target).mode & 0o7777, split.mode & 0o7777], [0o700, 0o644])
})

const sum = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex')

test('metadata to the last bit: nanoseconds, set-id bits, capabilities, xattrs, owners, devices', async t => {
  const { unpack } = diskFixture(t)
  const xattrs = { 'security.capability': capability, 'user.a': Buffer.from([0, 10, 61, 255]), 'trusted.t': '' }
  const { target } = await unpack(
    tar([
      D('d', { mode: 0o3755, uid: 1, gid: 2, pax: { mtime: '1700000000.123456789' }, xattrs: { 'user.d': '1' } }),
      F('d/ping', 'x', { mode: 0o6755, uid: 2_000_000, gid: 4_294_967_294, pax: { mtime: '-1.5' }, xattrs }),
      S('d/l', '/nowhere', { uid: 3, gid: 4, pax: { mtime: '5.000000001' }, xattrs: { 'trusted.l': 'l' } }),
      C('d/c', 4095, 1_048_575, { mode: 0o6604, uid: 5, mtime: 6 }),
      P('d/p', { mode: 0o1200, gid: 7, mtime: 8 }),
      F('d/.wh.w', '', { uid: 9, gid: 10, mode: 0o755 }),
      F('d/zero', '', { mode: 0, mtime: 2 ** 33 }),
    ]),
  )
  const at = (path: string) => join(target, 'diff', path)
  const facts = (path: string) => {
    const { mode, uid, gid, mtimeNs, atimeNs } = lstatSync(at(path), { bigint: true })
    assert.equal(atimeNs >= mtimeNs, true)
    return [(mode & 0o7777n).toString(8), uid, gid, mtimeNs].map(String).join(' ')
  }
  assert.equal(facts('d'), '3755 1 2 1700000000123456789')
  assert.equal(facts('d/ping'), '6755 2000000 4294967294 -1500000000')
  assert.equal(facts('d/l'), '777 3 4 5000000001')
  assert.equal(facts('d/c'), '6604 5 0 6000000000')
  assert.equal(facts('d/p'), '1200 0 7 8000000000')
  assert.equal(facts('d/w').split(' ').slice(0, 3).join(' '), '0 9 10')
  assert.equal(facts('d/zero'), `0 0 0 ${2n ** 33n - 1n}000000000`)
  assert.equal(facts('.'), '755 0 0 0')
  assert.deepEqual(xattr(at('d/ping'), 'security.capability'), capability)
  assert.deepEqual(xattr(at('d/ping'), 'user.a'), Buffer.from([0, 10, 61, 255]))
  assert.deepEqual(xattr(at('d/ping'), 'trusted.t'), Buffer.alloc(0))
  assert.deepEqual(xattr(at('d'), 'user.d'), Buffer.from('1'))
  assert.deepEqual(xattr(at('d/l'), 'trusted.l'), Buffer.from('l'))
})

test('C2 to C5 no xattr of overlayfs and no label reaches the disk', async t => {
  const { unpack } = diskFixture(t)
  const hostile = ['trusted.overlay.opaque', 'trusted.overlay.redirect', 'user.overlay.opaque', 'security.selinux']
  const xattrs = Object.fromEntries(hostile.map(name => [name, 'y']))
  const { target, warnings } = await unpack(tar([D('d', { xattrs }), F('f', '1', { xattrs })]))
  for (const path of ['d', 'f']) assert.deepEqual(calls.llistxattr(join(target, 'diff', path)), [])
  assert.equal(warnings.length > 0, true)
})

test('A12 the mode of a hard link to a symlink does not reach what the symlink names', async t => {
  const fixture = diskFixture(t)
  const before = fixture.outside()
  const target = join(fixture.top, 'victim/hello')
  await fixture.unpack(tar([S('p', target), H('q', 'p', { mode: 0o4777, uid: 5, mtime: 9 })]))
  assert.deepEqual(fixture.outside(), before)
})

test('C7 an xattr larger than the file system takes is the fault of the layer', async t => {
  for (const below of ['/tmp', '/dev/shm']) {
    const { unpack } = diskFixture(t, { below })
    const limits = { ...defaultLimits, xattrBytes: 1 << 20 }
    const big = tar([F('f', '1', { xattrs: { 'user.big': 'x'.repeat(70_000) } })])
    const error = await refused(unpack(big, { limits }), 'METADATA_INVALID')
    assert.equal(error.entry, 'f')
    if (statfsSync(below).type !== 0xef53) continue
    const medium = tar([F('f', '1', { xattrs: { 'user.big': 'x'.repeat(5000) } })])
    assert.match((await refused(unpack(medium), 'METADATA_INVALID')).message, /ENOSPC/)
  }
  const invalid = tar([F('f', '1', { xattrs: { 'security.capability': 'no capability' } })])
  await refused(diskFixture(t).unpack(invalid), 'METADATA_INVALID')
})

test('C14 where the file system gives an inode no more names, that is a limit', async t => {
  const { unpack, dest } = diskFixture(t)
  if (statfsSync(dest).type !== 0xef53) return assert.equal(statfsSync(dest).type, 0x01021994)
  const archive = tar([F('f'), ...Array.from({ length: 65_000 }, (_, i) => H(`${i}`, 'f'))])
  const error = await refused(unpack(archive, { limits: { ...defaultLimits, hardLinks: 100_000 } }), 'LIMIT_EXCEEDED')
  assert.equal(error.limit, 'hardLinks')
})

test('C10 what is unpacked can be reached by nobody else while it is', async t => {
  const { unpack } = diskFixture(t)
  const { target } = await unpack(tar([F('su', 'x', { mode: 0o4755 })]))
  const asNobody = () =>
    execFileSync('setpriv', ['--reuid', '65534', '--clear-groups', 'cat', join(target, 'diff/su')], { stdio: 'pipe' })
  assert.throws(asNobody, /Permission denied/)
})

test('the umask, the group and the ACLs of where it stands change nothing', async t => {
  const fixture = diskFixture(t)
  const archive = tar([
    D('d', { mode: 0o777 }),
    F('d/f', '1', { mode: 0o666 }),
    D('i'),
    F('j/k', '', { mode: 0o777 }),
    C('c', 1, 3),
  ])
  const plain = await fixture.unpack(archive)
  chmodSync(fixture.dest, 0o2700)
  execFileSync('chgrp', ['daemon', fixture.dest])
  // user::rwx user:daemon:rwx group::rwx mask::rwx other::rwx, as the kernel keeps it.
  const acl = Buffer.from(
    '0200000001000700ffffffff020007000100000004000700ffffffff10000700ffffffff20000700ffffffff',
    'hex',
  )
  calls.lsetxattr(fixture.dest, fromText('system.posix_acl_default'), acl)
  const umask = process.umask(0o077)
  try {
    const other = await fixture.unpack(archive)
    const listed = (target: string) => listDirectory(join(target, 'diff'), new Set())
    assert.deepEqual(listed(other.target), listed(plain.target))
  } finally {
    process.umask(umask)
  }
})

test('A22 a path near PATH_MAX is made or refused, and never half', async t => {
  const fixture = diskFixture(t)
  const archive = tar([F(`${`${'n'.repeat(200)}/`.repeat(14)}${'d/'.repeat(90)}x`, '1')])
  const { target } = await fixture.unpack(archive)
  assert.equal(await sumOf(target), sum(archive))
  await refused(fixture.unpack(tar([F(`${'n'.repeat(200)}/`.repeat(20) + 'x'.repeat(60))])), 'LIMIT_EXCEEDED')
})

test('C15 a fifo holds nobody up', async t => {
  const { unpack } = diskFixture(t)
  const { target, diffId } = await unpack(tar([P('p'), H('q', 'p', { mode: 0o600, mtime: 3 }), F('f', '1')]))
  assert.equal(await sumOf(target), diffId)
})

test('an abort ends the job between two chunks, and nothing beside the target changed', async t => {
  const fixture = diskFixture(t)
  const before = fixture.outside()
  const growing = new SharedArrayBuffer(16)
  const path = join(fixture.dest, 'growing.tar')
  writeFileSync(path, F('a', 'x'.repeat(3000)))
  Atomics.store(new BigInt64Array(growing), 0, 1024n)
  const { Pool } = await import('../../src/pool/pool.js')
  const pool = new Pool({ workers: 1 })
  t.after(() => pool.close())
  const abort = new AbortController()
  const source = { path, offset: 0, sizeBytes: Number.POSITIVE_INFINITY, growing }
  const target = join(fixture.dest, 'aborted')
  const job = pool.run('unpack-layer', { source, label: 'x', target, limits: defaultLimits }, { signal: abort.signal })
  while (!existsFile(join(target, 'diff/a'))) await new Promise(resolve => setTimeout(resolve, 10))
  abort.abort(new Error('enough'))
  await assert.rejects(job, /enough/)
  assert.deepEqual(fixture.outside(), before)
})

function existsFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

/** Seeds of this run. */
const first = Number(process.env.PHYLLO_SEED ?? Date.now() % 1e9)

test('random archives: the tree of GNU tar, and the exact bytes again', async t => {
  t.diagnostic(`PHYLLO_SEED=${first}`)
  for (let seed = first; seed < first + 40; seed++) await compareWithTar(t, seed)
})

async function compareWithTar(t: TestContext, seed: number): Promise<void> {
  const fixture = diskFixture(t, { below: '/dev/shm' })
  const bodyBytes = new Random(seed).pick([10, 5000])
  const options = { entries: 30, binaryNames: true, xattrs: true, bodyBytes }
  const before = fixture.outside()
  const linked = await fixture.unpack(randomArchive(seed, options).bytes)
  assert.equal(await sumOf(linked.target), linked.diffId, `seed ${seed}`)
  // GNU tar does not look at the metadata in a hard link's header.
  const { bytes } = randomArchive(seed, {
    ...options,
    kinds: ['file', 'directory', 'symlink', 'char', 'block', 'fifo'],
  })
  const { target } = await fixture.unpack(bytes)
  assert.deepEqual(fixture.outside(), before)
  const expected = join(fixture.dest, 'gnu')
  mkdirSync(expected)
  const args = [
    '--xattrs',
    '--xattrs-include=*',
    '--delay-directory-restore',
    '-xpf',
    join(fixture.dest, '2.tar'),
    '-C',
    expected,
  ]
  execFileSync('tar', args, { stdio: 'pipe' })
  const listed = (path: string) => listDirectory(path, new Set(['/']))
  assert.deepEqual(listed(join(target, 'diff')), listed(expected), `seed ${seed}`)
}

test('tar-split.json.gz is what SplitWriter makes of it, in one gzip member', async t => {
  const { unpack } = diskFixture(t)
  const archive = tar([F('a', 'hello\n')])
  const { target } = await unpack(archive)
  const lines = execFileSync('gzip', ['-dc', join(target, 'tar-split.json.gz')], { encoding: 'utf8' })
    .trim()
    .split('\n')
  assert.deepEqual(JSON.parse(lines[1]!), { type: 1, name: 'a', size: 6, payload: 'YUw+7uLYEAA=', position: 1 })
  assert.equal(recordedTarBytes(join(target, 'tar-split.json.gz')), archive.length)
})
