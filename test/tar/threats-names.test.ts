/** Rows D23 to D31 and H3 of the threat catalogue: names, meta headers, sparse files. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { names, refused, scan } from '../build/scan.js'
import {
  type Bytes,
  dir,
  file,
  globalPax,
  hardlink,
  header,
  join,
  longName,
  longRaw,
  octal,
  pax,
  paxRaw,
  paxRecord,
  rawBytes,
  symlink,
  tar,
} from '../build/tar.js'

const long = 'n'.repeat(150)

test('D23 prefix bytes that are no prefix', () => {
  for (const magic of ['v7', 'gnu'] as const) {
    refused(tar([file('a', '', { magic, prefix: 'PFX' })]), 'TAR_INVALID')
    assert.deepEqual(names(scan(tar([file('a', '', { magic })]))), ['a'])
  }
  refused(tar([header('3', 'a', { magic: 'v7', raw: { major: octal(1, 8) } })]), 'TAR_INVALID')
})

test('D24 prefix and name are joined, then looked at', () => {
  const prefix = 'p'.repeat(155)
  const name = 'n'.repeat(100)
  assert.deepEqual(names(scan(tar([file(name, '', { prefix })]))), [`${prefix}/${name}`])
  assert.deepEqual(names(scan(tar([file('x', '', { prefix: '..' })]))), ['../x'])
  assert.deepEqual(names(scan(tar([file('x', '', { prefix: 'a/' })]))), ['a//x'])
  assert.equal(scan(tar([file('', '', { prefix: 'a' })]))[0]!.type, 'directory')
})

test('D25 sparse files in all their forms', () => {
  refused(tar([header('S', 'a', { magic: 'gnu' })]), 'ENTRY_UNSUPPORTED')
  const sparse = (records: Record<string, string>): Bytes => join([pax(records), file('a', 'x')])
  for (const records of [
    { 'GNU.sparse.offset': '0', 'GNU.sparse.numbytes': '1' },
    { 'GNU.sparse.map': '0,1' },
    { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 'a', 'GNU.sparse.realsize': `${2 ** 62}` },
  ])
    refused(tar([sparse(records)]), 'ENTRY_UNSUPPORTED')
})

test('D26 bounds of meta headers', () => {
  for (const size of [2 ** 20 + 1, 2 ** 30])
    for (const type of ['x', 'g', 'L', 'K'])
      assert.equal(refused(header(type, 'm', { size }), 'LIMIT_EXCEEDED').limit, 'tarMetaBytes')
  assert.equal(scan(tar([paxRaw(paxRecord('k', 'v'.repeat(2 ** 20 - 11))), file('a')])).length, 1)
  const many = (n: number): Buffer => tar([...Array.from({ length: n }, () => globalPax({ comment: 'x' })), file('a')])
  assert.equal(scan(many(8)).length, 1)
  assert.equal(refused(many(9), 'LIMIT_EXCEEDED').limit, 'tarMetaHeaders')
  refused(tar([...Array.from({ length: 9 }, () => longName('l')), file('a')]), 'TAR_INVALID')
})

test('H3 the bytes of all meta headers of a layer have a bound', () => {
  const bytes = tar(Array.from({ length: 5 }, (_, i) => join([paxRaw(paxRecord('k', 'v'.repeat(93))), file(`f${i}`)])))
  const total = (tarMetaTotalBytes: number): { limits: { tarMetaTotalBytes: number } } => ({
    limits: { tarMetaTotalBytes },
  })
  assert.equal(scan(bytes, total(495)).length, 5)
  assert.equal(refused(bytes, 'LIMIT_EXCEEDED', total(494)).limit, 'tarMetaTotalBytes')
})

test('D27 long names: NUL at the end, missing, in the middle; empty', () => {
  const name = (body: Bytes): string[] => names(scan(tar([longRaw('L', body), file('a')])))
  assert.deepEqual(name(`${long}\0`), [long])
  assert.deepEqual(name(long), [long])
  assert.deepEqual(name(`${long}\0\0\0`), [long])
  for (const body of ['x\0y', '', '\0', 'x\0\0y\0']) {
    refused(tar([longRaw('L', body), file('a')]), 'TAR_INVALID')
    refused(tar([longRaw('K', body), symlink('a', 'b')]), 'TAR_INVALID')
  }
})

test('D28 empty names are refused, names of the root are not, 100 bytes need no NUL', () => {
  refused(tar([file('')]), 'TAR_INVALID')
  refused(tar([dir('')]), 'TAR_INVALID')
  assert.deepEqual(names(scan(tar([dir('/'), dir('.'), dir('./'), file('n'.repeat(100))]))), [
    '/',
    '.',
    './',
    'n'.repeat(100),
  ])
  assert.deepEqual(names(scan(tar([pax({ path: 'é' }), file('')]))), ['Ã©'])
})

test('D29 bytes of names stay as they are, messages are escaped', () => {
  const raw = [[0xff], [0xfe], [0xc0, 0x80], [0x83, 0x65], [0x65, 0xcc, 0x81], [0xe2, 0x80, 0xae], [0x0a], [0x1b, 0x5b]]
  const parts = raw.map(bytes => file(Buffer.from(bytes)))
  assert.deepEqual(
    names(scan(tar(parts))),
    raw.map(bytes => Buffer.from(bytes).toString('latin1')),
  )
  assert.deepEqual(names(scan(tar(raw.map(bytes => pax({ path: Buffer.from(bytes) })).flatMap(x => [x, file('a')])))), [
    ...names(scan(tar(parts))),
  ])
  const error = refused(tar([header('A', Buffer.from('\x1b[2J\u202e\n'))]), 'ENTRY_UNSUPPORTED')
  assert.match(error.message, /^\\u001b\[2J\\u202e\\n /)
  assert.equal(error.entry, '\\u001b[2J\\u202e\\n')
})

test('D30 D31 duplicates and link targets pass the scanner as they are', () => {
  const parts = [file('a', '1'), file('./a', '2'), hardlink('h', 'later'), hardlink('s', 's'), dir('a/')]
  assert.deepEqual(names(scan(tar(parts))), ['a', './a', 'h', 's', 'a/'])
  refused(tar([rawBytes(header('1', 'h'))]), 'TAR_INVALID')
})
