/** Rows A, C, H and J of the threat catalogue, as far as one header decides them. Rows B: whiteout.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ByteString, toBytes } from '../../src/byte-string.js'
import { defaultLimits } from '../../src/limits.js'
import type { TarEntry } from '../../src/tar/entry.js'
import { isRoot, normalizeName } from '../../src/tar/name.js'
import { names, refusal, refused, scan } from '../build/scan.js'
import {
  type Bytes,
  base256,
  block,
  char,
  dir,
  file,
  hardlink,
  header,
  join,
  octal,
  pax,
  symlink,
  tar,
} from '../build/tar.js'

const only = (...parts: Bytes[]): TarEntry => scan(tar(parts))[0]!
const components = (entry: TarEntry): string => normalizeName(entry.name, defaultLimits).join('|')

test('A1 A8 climbing names, in the header, in the prefix, in PAX, as link target', () => {
  for (const part of [file('../x'), file('x', '', { prefix: '..' }), join([pax({ path: 'a/../../x' }), file('a')])])
    assert.equal(refusal(() => components(only(part))).code, 'PATH_ESCAPE')
  const { linkName } = only(hardlink('h', '../victim/hello'))
  assert.equal(refusal(() => normalizeName(linkName, defaultLimits)).code, 'PATH_ESCAPE')
})

test('A2 A11 absolute names and link targets count from the root', () => {
  for (const name of ['/abs/x', '//abs/x', './abs/x']) assert.equal(components(only(file(name))), 'abs|x')
  const { linkName } = only(hardlink('g', '/usr/bin/x'))
  assert.equal(normalizeName(linkName, defaultLimits).join('|'), 'usr|bin|x')
})

test('A7 an entry for the root says so, whatever its type', () => {
  for (const part of [file('.'), symlink('.', '/etc'), symlink('/', '../victim'), dir('./')])
    assert.ok(isRoot(normalizeName(only(part).name, defaultLimits)))
})

test('C1 a device 0:0 is passed on as one', () => {
  const entry = only(char('x', 0, 0))
  assert.deepEqual([entry.type, entry.deviceMajor, entry.deviceMinor], ['char', 0, 0])
})

test('C2 overlay xattrs are passed on, not lost', () => {
  const { xattrs } = only(dir('d', { xattrs: { 'trusted.overlay.opaque': 'y', 'user.overlay.redirect': '/x' } }))
  assert.deepEqual(
    xattrs.map(xattr => `${xattr.name}=${xattr.value}`),
    ['trusted.overlay.opaque=y', 'user.overlay.redirect=/x'],
  )
})

test('C7 xattrs: binary values exact, names and repetitions refused', () => {
  const value = Buffer.from([0, 10, 61, 255, 0])
  assert.deepEqual(only(file('f', '', { xattrs: { 'security.capability': value } })).xattrs[0]!.value, value)
  refused(tar([file('f', '', { xattrs: { '': 'v' } })]), 'METADATA_INVALID')
  refused(tar([file('f', '', { xattrs: { ['n'.repeat(300)]: 'v' } })]), 'METADATA_INVALID')
  const twice = [
    ['SCHILY.xattr.user.a', '1'],
    ['SCHILY.xattr.user.a', '2'],
  ] as const
  refused(tar([pax(twice), file('f')]), 'METADATA_INVALID')
  const large = tar([file('f', '', { xattrs: { 'user.x': 'v'.repeat(65 * 1024) } })])
  assert.equal(refused(large, 'LIMIT_EXCEEDED').limit, 'xattrBytes')
})

test('C9 device numbers out of range', () => {
  const devices: readonly (readonly [number, number])[] = [
    [2 ** 32, 0],
    [0, 2 ** 32],
    [-1, 0],
    [0, -1],
    [0, 2 ** 20],
    [4096, 0],
  ]
  for (const [major, minor] of devices) {
    refused(tar([char('c', major, minor)]), 'METADATA_INVALID')
    refused(tar([block('b', major, minor)]), 'METADATA_INVALID')
  }
  const entry = only(block('b', 4095, 2 ** 20 - 1))
  assert.deepEqual([entry.deviceMajor, entry.deviceMinor], [4095, 1_048_575])
})

test('C9 device numbers that PAX contradicts', () => {
  const records = { 'SCHILY.devmajor': '1', 'SCHILY.devminor': '3' }
  assert.equal(only(char('c', 1, 3, { pax: records })).deviceMinor, 3)
  refused(tar([char('c', 0, 0, { pax: records })]), 'METADATA_INVALID')
})

test('C11 modes: type bits are masked, more is no mode', () => {
  const mode = (bytes: Bytes): Bytes => tar([file('f', '', { raw: { mode: bytes } })])
  assert.equal(scan(join([mode('0100644\0')]))[0]!.mode, 0o644)
  assert.equal(scan(join([mode(octal(0o177777, 8))]))[0]!.mode, 0o7777)
  assert.equal(scan(join([mode(base256(0o4755, 8))]))[0]!.mode, 0o4755)
  refused(join([mode('7777777\0')]), 'METADATA_INVALID')
  refused(join([mode(base256(-1, 8))]), 'METADATA_INVALID')
  refused(join([mode('-1\0')]), 'TAR_INVALID')
})

test('C12 owners out of range', () => {
  for (const id of [2 ** 32 - 1, 2 ** 32, 2 ** 53]) {
    refused(tar([file('f', '', { uid: id })]), 'METADATA_INVALID')
    refused(tar([file('f', '', { gid: id })]), 'METADATA_INVALID')
    refused(tar([file('f', '', { uid: id, magic: 'gnu' })]), 'METADATA_INVALID')
  }
  refused(tar([file('f', '', { raw: { uid: base256(-1, 8) } })]), 'METADATA_INVALID')
  refused(tar([file('f', '', { pax: { gid: '-1' } })]), 'TAR_INVALID')
  assert.equal(only(file('f', '', { uid: 2 ** 32 - 2 })).uid, 2 ** 32 - 2)
  refused(tar([pax({ uid: '7' }), header('0', 'f', { raw: { uid: base256(-1, 8) } })]), 'METADATA_INVALID')
})

test('C13 times: one rule for all of them', () => {
  const time = (options: Parameters<typeof file>[2]): string => {
    const entry = only(file('f', '', options))
    return `${entry.mtimeSec}+${entry.mtimeNsec}`
  }
  assert.equal(time({ pax: { mtime: '-1' } }), '-1+0')
  assert.equal(time({ pax: { mtime: '1.9999999999' } }), '1+999999999')
  assert.equal(time({ magic: 'gnu', mtime: -5 }), '-5+0')
  assert.equal(time({ magic: 'gnu', mtime: 2 ** 40 }), '8589934591+0')
  assert.equal(time({ magic: 'gnu', mtime: -(2 ** 40) }), '-8589934592+0')
  for (const mtime of ['NaN', '1e300', '9223372036854775808', ''])
    refused(tar([file('f', '', { pax: { mtime } })]), 'METADATA_INVALID')
  refused(tar([file('f', '', { raw: { mtime: base256(2n ** 63n, 12) } })]), 'METADATA_INVALID')
})

test('C16 symlink targets are bytes, verbatim or refused', () => {
  for (const target of ['C:..\\x', '\xff\xfe', '../../..', '/', 'a\nb', 't'.repeat(4095)])
    assert.equal(only(symlink('l', toBytes(target as ByteString))).linkName, target)
  refused(tar([header('2', 'l')]), 'TAR_INVALID')
  assert.equal(refused(tar([symlink('l', 't'.repeat(4096))]), 'LIMIT_EXCEEDED').limit, 'pathBytes')
  refused(tar([symlink('l', 'x', { pax: { linkpath: 'a\0b' } })]), 'TAR_INVALID')
})

test('H1 the number of entries', () => {
  const bytes = tar([file('a'), file('b'), file('c')])
  assert.equal(scan(bytes, { limits: { layerEntries: 3 } }).length, 3)
  assert.equal(refused(bytes, 'LIMIT_EXCEEDED', { limits: { layerEntries: 2 } }).limit, 'layerEntries')
})

test('H2 T11 names: depth, path and component', () => {
  const limit = (name: string): unknown => refused(tar([file(name)]), 'LIMIT_EXCEEDED').limit
  assert.equal(limit('d/'.repeat(4000)), 'pathDepth')
  assert.equal(limit(`${'w'.repeat(200)}/`.repeat(21)), 'pathBytes')
  assert.equal(limit('w'.repeat(256)), 'nameBytes')
  assert.equal(only(file('w'.repeat(255))).name.length, 255)
  assert.equal(only(file(`${'w'.repeat(254)}/`.repeat(12))).name.length, 3060)
})

test('H5 xattrs of one entry', () => {
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`user.${i}`, '']))
  assert.equal(refused(tar([file('f', '', { xattrs: many })]), 'LIMIT_EXCEEDED').limit, 'xattrs')
})

test('J3 J4 names that other systems dislike are bytes', () => {
  const list = ['con', 'nul.txt', 'a.', 'a ', 'a:b', 'a\\b', '\\\\?\\x', 'C:x', '\n', '\t', '\x1b', '-rf', '~']
  assert.deepEqual(names(scan(tar(list.map(name => file(name))))), list)
})
