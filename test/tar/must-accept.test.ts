/** Section 5 of the threat catalogue, as far as one archive decides it: what strictness must not break. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ByteString, byteString } from '../../src/byte-string.js'
import { defaultLimits } from '../../src/limits.js'
import type { TarEntry } from '../../src/tar/entry.js'
import { normalizeName } from '../../src/tar/name.js'
import { TarScanner } from '../../src/tar/scanner.js'
import { classifyName } from '../../src/tar/whiteout.js'
import { names, scan } from '../build/scan.js'
import {
  type Bytes,
  char,
  dir,
  end,
  fifo,
  file,
  globalPax,
  hardlink,
  header,
  join,
  pax,
  symlink,
  tar,
} from '../build/tar.js'

const only = (...parts: Bytes[]): TarEntry => scan(tar(parts))[0]!

test('T1 T3 symlinks to anywhere', () => {
  const targets = ['../../../../../../../../etc/pki/java/cacerts', '/proc/mounts', '/run', 'missing']
  const entries = scan(tar(targets.map((target, i) => symlink(`l${i}`, target))))
  assert.deepEqual(
    entries.map(entry => entry.linkName),
    targets,
  )
})

test('T6 T7 hard links with absolute targets', () => {
  assert.equal(only(hardlink('a', '/usr/bin/perlbug')).linkName, '/usr/bin/perlbug')
  assert.equal(only(hardlink('a', 'var/run/source')).linkName, 'var/run/source')
})

test('T8 children before parents', () => {
  assert.deepEqual(names(scan(tar([file('a/b/c'), dir('a/b/', { mode: 0o555 }), dir('a/')]))), ['a/b/c', 'a/b/', 'a/'])
})

test('T9 a global header with a comment, as git archive writes it', () => {
  const bytes = tar([globalPax({ comment: '0'.repeat(40) }), file('a')])
  assert.deepEqual(names(scan(bytes)), ['a'])
  assert.equal(scan(bytes)[0]!.headerOffset, 1024)
  assert.deepEqual(scan(tar([globalPax({ comment: 'x' })])), [])
})

test('T10 large owners, sizes over 8 GiB, times before 1970, parts of seconds', () => {
  for (const magic of ['gnu', 'ustar'] as const) {
    assert.equal(only(file('f', '', { magic, uid: 2_000_000, gid: 3_000_000 })).gid, 3_000_000)
    assert.equal(only(file('f', '', { magic, mtime: -86_400 })).mtimeSec, -86_400)
  }
  const entry = only(file('f', '', { mtime: 1_350_244_992.5 }))
  assert.deepEqual([entry.mtimeSec, entry.mtimeNsec], [1_350_244_992, 500_000_000])
})

test('T10 9 GiB in base-256, in PAX, and as bsdtar writes it: in both, and without a terminator', () => {
  const size = 9 * 2 ** 30
  const bsdtar = join([pax({ size: `${size}` }), header('0', 'f', { raw: { size: '110000000000' } })])
  for (const bytes of [header('0', 'f', { size }), join([pax({ size: `${size}` }), header('0', 'f')]), bsdtar]) {
    const sizes: number[] = []
    const scanner = new TarScanner({ limits: defaultLimits, onEntry: entry => sizes.push(entry.sizeBytes) })
    scanner.push(bytes)
    assert.equal(scanner.skippable, size)
    scanner.skip(size)
    scanner.end()
    assert.deepEqual(sizes, [size])
  }
})

test('T11 names of bytes', () => {
  const list = ['\xff\xfe', 'caf\xe9', 'a\nb', '-x', '..data', '...', 'a..b', '.wh', '.whatever', 'w'.repeat(255)]
  const entries = scan(tar(list.map(name => file(Buffer.from(name, 'latin1')))))
  assert.deepEqual(names(entries), list)
  for (const entry of entries) {
    assert.deepEqual(normalizeName(entry.name, defaultLimits), [entry.name])
    assert.deepEqual(classifyName(entry.name), { kind: 'plain' })
  }
})

test('T12 T13 padding to a record of 10,240 bytes, and the empty layer', () => {
  const bytes = tar([file('a', 'x')])
  assert.equal(scan(join([bytes, Buffer.alloc(10_240 - bytes.length)])).length, 1)
  assert.deepEqual(scan(end()), [])
})

test('T14 devices, fifos, set-id bits, capabilities', () => {
  const entries = scan(
    tar([
      char('dev/null', 1, 3, { mode: 0o666 }),
      fifo('x'),
      file('su', 'x', { mode: 0o4755 }),
      file('ping', 'x', { xattrs: { 'security.capability': Buffer.from('0100000200200000', 'hex'), 'user.a': 'b' } }),
    ]),
  )
  assert.deepEqual(
    entries.map(entry => entry.type),
    ['char', 'fifo', 'file', 'file'],
  )
  assert.deepEqual([entries[0]!.deviceMajor, entries[0]!.deviceMinor], [1, 3])
  assert.equal(entries[2]!.mode, 0o4755)
  assert.deepEqual(
    entries[3]!.xattrs.map(xattr => xattr.name),
    ['security.capability', 'user.a'],
  )
})

test('T19 whiteouts below a whiteout name', () => {
  assert.deepEqual(names(scan(tar([file('.wh.foo'), file('foo/.wh.bar')]))), ['.wh.foo', 'foo/.wh.bar'])
})

test('headers that writers leave half empty', () => {
  const empty = { mode: '', uid: '', gid: '', mtime: '', major: '', minor: '' }
  const entry = only(header('0', 'f', { size: 0, raw: empty }))
  assert.deepEqual([entry.mode, entry.uid, entry.gid, entry.mtimeSec], [0, 0, 0, 0])
  assert.equal(only(header('5', 'd', { raw: { ...empty, size: '' } })).type, 'directory')
  assert.equal(only(header('0', 'f', { raw: { major: ' '.repeat(8), minor: ' '.repeat(8) } })).type, 'file')
})

test('the header of docker commit for a name that is not ASCII: all of it in PAX', () => {
  const name = byteString(Buffer.from('é'))
  assert.equal(only(pax({ path: 'é' }), header('0', '')).name, name)
})

test('PAX keys of other tools change nothing', () => {
  const records = {
    hdrcharset: 'BINARY',
    'LIBARCHIVE.creationtime': '1700000000.5',
    'LIBARCHIVE.xattr.user.a': 'dg==',
    'SCHILY.fflags': 'nodump',
    'SCHILY.acl.access': 'user::rw-',
    'RHT.security.selinux': 'system_u:object_r:bin_t:s0',
    atime: '1700000000.123456789',
    ctime: '1700000000',
    uname: 'root',
  }
  assert.deepEqual(only(file('f' as ByteString, 'x', { pax: records })), only(pax(records), file('f', 'x')))
})
