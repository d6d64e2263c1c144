/** Rows D1 to D22 of the threat catalogue: one archive, two readings. The others: threats-names.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { names, refused, scan } from '../build/scan.js'
import {
  end,
  type Field,
  file,
  globalPax,
  header,
  join,
  longLink,
  longName,
  padded,
  pax,
  paxRaw,
  paxRecord,
  symlink,
  tar,
  zeroBlock,
} from '../build/tar.js'

const long = 'n'.repeat(150)

test('D1 PAX size over a zero header size: the payload is no entry', () => {
  const payload = tar([file('SMUGGLED', 'x')])
  assert.equal(payload.length, 2048)
  const bytes = tar([pax({ size: '2048' }), header('0', 'in.tar', { size: 0 }), payload])
  const entries = scan(bytes)
  assert.deepEqual(names(entries), ['in.tar'])
  assert.equal(entries[0]!.sizeBytes, 2048)
})

test('D2 PAX size that contradicts the header, with a long name between them', () => {
  const body = '0123456789abcdef'
  refused(tar([pax({ size: '2048' }), longName(long), file('a', body), file('b', body)]), 'TAR_INVALID')
  refused(tar([pax({ size: '2048' }), file('a', body), file('b', body)]), 'TAR_INVALID')
  refused(tar([pax({ size: `${9 * 2 ** 30}` }), file('a', body)]), 'TAR_INVALID')
  const both = scan(tar([pax({ size: '16' }), longName(long), file('a', body), file('b', body)]))
  assert.deepEqual(names(both), [long, 'b'])
})

test('D3 two local headers before one entry', () => {
  refused(tar([pax({ path: 'p1' }), pax({ mtime: '1' }), file('a')]), 'TAR_INVALID')
  refused(tar([longName('p1'), longName('p1'), file('a')]), 'TAR_INVALID')
  refused(tar([longLink('p1'), longLink('p1'), symlink('a', 'b')]), 'TAR_INVALID')
  refused(tar([paxRaw(''), paxRaw(''), file('a')]), 'TAR_INVALID')
})

test('D4 PAX and GNU disagree about the name', () => {
  refused(tar([longName(long), pax({ path: 'p' }), file('a')]), 'TAR_INVALID')
  refused(tar([pax({ path: 'p' }), longName(long), file('a')]), 'TAR_INVALID')
  refused(tar([longLink(long), pax({ linkpath: 'p' }), symlink('a', 'b')]), 'TAR_INVALID')
  assert.deepEqual(names(scan(tar([longName(long), pax({ path: long }), file('a')]))), [long])
})

test('D5 global PAX header with path is refused', () => {
  for (const records of [
    { path: 'GLOBAL' },
    { size: '5' },
    { linkpath: 'x' },
    { uid: '0' },
    { 'SCHILY.xattr.user.a': '1' },
  ])
    refused(tar([globalPax(records), file('a'), file('b')]), 'TAR_INVALID')
  refused(tar([pax({ path: 'p' }), globalPax({ comment: 'x' }), file('a')]), 'TAR_INVALID')
})

test('D6 a meta header without an entry', () => {
  for (const meta of [pax({ path: 'p' }), longName(long), longLink(long), paxRaw('')]) {
    refused(tar([file('a'), meta]), 'TAR_INVALID')
    refused(join([file('a'), meta]), 'TAR_INVALID')
    refused(join([file('a'), meta, zeroBlock()]), 'TAR_INVALID')
  }
})

test('D7 PAX records that lie about their length', () => {
  for (const body of [
    '0 path=x\n',
    '99 path=x\n',
    '5 path=x\n',
    '9 path=zz',
    '09 path=x\n',
    '+9 path=x\n',
    'a path=x\n',
  ])
    refused(tar([paxRaw(body), file('a')]), 'TAR_INVALID')
})

test('D8 D9 PAX path with a NUL, or empty', () => {
  refused(tar([pax({ path: 'x\0y' }), file('a')]), 'TAR_INVALID')
  refused(tar([pax({ path: '' }), file('a')]), 'TAR_INVALID')
})

test('D10 PAX path=12345 is text', () => {
  assert.deepEqual(names(scan(tar([pax({ path: '12345' }), file('a')]))), ['12345'])
})

test('D11 keys named like properties, and a key of 1 MiB', () => {
  const records = { constructor: 'x', toString: 'x' }
  assert.deepEqual(names(scan(tar([pax(records), file('a')]))), ['a'])
  assert.deepEqual(names(scan(tar([paxRaw(paxRecord('__proto__', 'x')), file('a')]))), ['a'])
  assert.equal(refused(tar([pax([['k'.repeat(2 ** 20), 'v']]), file('a')]), 'LIMIT_EXCEEDED').limit, 'tarMetaBytes')
})

test('D12 PAX sizes that are no sizes', () => {
  for (const size of ['-1', '1e3', '0x10', ''])
    refused(tar([pax({ size }), file('a', 'x', { size: 0 })]), 'TAR_INVALID')
  refused(tar([pax({ size: '9007199254740993' }), file('a')]), 'LIMIT_EXCEEDED')
  refused(tar([pax({ size: `${64 * 2 ** 30 + 1}` }), file('a')]), 'LIMIT_EXCEEDED')
})

test('D13 octal fields that are no octal numbers', () => {
  const size = ['-0000000001', '0000000000g', '            ', '\0', '777777777777', '00000 00000\0', '00000000009\0']
  for (const bytes of size) refused(tar([file('a', '', { raw: { size: bytes } })]), 'TAR_INVALID')
  for (const field of ['mode', 'uid', 'gid', 'major', 'minor'] as const satisfies Field[])
    for (const bytes of ['-000001\0', '000000g\0', '00000000', '000 000\0', '0\x00000000'])
      refused(tar([file('a', '', { raw: { [field]: bytes } })]), 'TAR_INVALID')
  for (const field of ['mode', 'uid', 'gid', 'mtime'] as const satisfies Field[])
    refused(tar([file('a', '', { raw: { [field]: ' '.repeat(field === 'mtime' ? 12 : 8) } })]), 'TAR_INVALID')
  for (const meta of ['x', 'g', 'L', 'K'])
    refused(tar([header(meta, 'm', { raw: { uid: '0000008\0' } }), file('a')]), 'TAR_INVALID')
})

test('D13 a size without terminator counts where a PAX record says the same', () => {
  const parts = (records: Record<string, string>): Buffer =>
    tar([pax(records), header('0', 'a', { raw: { size: '000000000003' } }), padded('abc')])
  assert.equal(scan(parts({ size: '3' }))[0]!.sizeBytes, 3)
  refused(parts({ mtime: '3' }), 'TAR_INVALID')
})

test('D14 base-256 sizes out of range', () => {
  const bytes = (lead: number[], rest = 0): Buffer => Buffer.from([...lead, ...Array(12 - lead.length).fill(rest)])
  const table = [
    bytes([0x80, 0, 0, 0, 0x80]),
    bytes([0x80, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 1]),
    bytes([0xff], 0xff),
    bytes([0x81]),
    bytes([0xc0]),
    bytes([0x80], 0xff),
    bytes([0xff]),
  ]
  for (const size of table) refused(tar([file('a', '', { raw: { size } })]), 'TAR_INVALID')
  refused(tar([file('a', '', { raw: { size: bytes([0x80, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 1]) } })]), 'LIMIT_EXCEEDED')
  assert.equal(scan(tar([file('a', 'abc', { base256: ['size', 'uid', 'mode', 'mtime'] })]))[0]!.sizeBytes, 3)
})

test('D15 checksums: wrong, zero, signed, and how they are written', () => {
  const good = file('b')
  const bad = Buffer.from(good)
  bad[0] = 0x63
  assert.equal(refused(tar([file('a', 'x'), bad]), 'TAR_INVALID').offset, 1024)
  refused(tar([file('a', '', { raw: { checksum: '0000000\0' } })]), 'TAR_INVALID')
  refused(tar([file('a', '', { raw: { checksum: '\0' } })]), 'TAR_INVALID')
  refused(tar([file('a', '', { raw: { checksum: '        ' } })]), 'TAR_INVALID')
  const high = Buffer.from([0xff, 0xfe, 0x80])
  assert.deepEqual(names(scan(tar([file(high, '', { checksum: 'signed' })]))), ['\xff\xfe\x80'])
  assert.deepEqual(names(scan(tar([file(high)]))), ['\xff\xfe\x80'])
  const sum = good.toString('latin1', 148, 154)
  for (const checksum of [`${sum}\0 `, `${sum} \0`, `0${sum}\0`, `${sum.replace(/^0/, ' ')}\0 `, `${sum}  `])
    assert.deepEqual(names(scan(tar([file('b', '', { raw: { checksum } })]))), ['b'], JSON.stringify(checksum))
  refused(tar([file('b', '', { raw: { checksum: `00${sum}` } })]), 'TAR_INVALID')
})

test('D16 unknown types are refused, 7 is a file', () => {
  for (const type of ['A', '\x7f', 'M', 'N', 'V', 'D', 'S', 'X', '8', '9', 'I', ' '])
    refused(tar([header(type, 'a')]), 'ENTRY_UNSUPPORTED')
  assert.equal(scan(tar([header('7', 'a')]))[0]!.type, 'file')
})

test('D17 links and directories with a size have no content; a body is refused', () => {
  for (const type of ['1', '2', '3', '4', '5', '6']) {
    const head = header(type, 'a', { size: 512 }, 't')
    const entries = scan(tar([head, file('b', 'x')]))
    assert.deepEqual(names(entries), ['a', 'b'])
    assert.equal(entries[0]!.sizeBytes, 0)
    refused(tar([head, padded('LINKBODY'), file('b', 'x')]), 'TAR_INVALID')
    refused(tar([pax({ size: '512' }), header(type, 'a', {}, 't'), padded('x')]), 'TAR_INVALID')
  }
})

test('D18 a file whose name ends in a slash is a directory', () => {
  refused(tar([header('7', 'd/')]), 'TAR_INVALID')
  for (const type of ['0', '\0']) {
    assert.equal(scan(tar([header(type, 'd/')]))[0]!.type, 'directory')
    refused(tar([header(type, 'd/', { size: 1 }), padded('x')]), 'TAR_INVALID')
  }
  assert.equal(scan(tar([pax({ path: 'd/' }), file('d')]))[0]!.type, 'directory')
})

test('D19 an entry behind one zero block', () => {
  assert.equal(refused(tar([file('a'), zeroBlock(), file('b')]), 'TAR_INVALID').offset, 1024)
})

test('D20 an archive behind an archive', () => {
  assert.equal(refused(tar([file('a'), end(), file('b')]), 'TAR_INVALID').offset, 1536)
})

test('D21 T12 what may follow the last entry', () => {
  const a = file('a', 'x')
  for (const tail of ['', zeroBlock(), end(), join([end(), '\0']), join([end(), Buffer.alloc(10 * 2 ** 20)])])
    assert.deepEqual(names(scan(join([a, tail]), { chunkBytes: 65_536 })), ['a'])
  assert.deepEqual(scan(Buffer.alloc(0)), [])
  assert.deepEqual(scan(end()), [])
  refused(join([a, end(), 'junk']), 'TAR_INVALID')
  refused(join([a, end(), Buffer.alloc(700), '\x01']), 'TAR_INVALID')
  refused(join([a, '\0']), 'TAR_INVALID')
  refused(join([a, zeroBlock(), '\0']), 'TAR_INVALID')
})

test('D22 truncated anywhere but between entries', () => {
  const bytes = join([pax({ path: 'long' }), file('a', 'x'.repeat(600)), file('b', 'y')])
  const whole = [0, 1024 + 512 + 1024, bytes.length]
  for (let length = 0; length < bytes.length; length++) {
    // All near the edges of blocks, some of the rest.
    if ((length + 2) % 512 > 4 && length % 41 !== 0) continue
    if (whole.includes(length)) scan(bytes.subarray(0, length))
    else refused(bytes.subarray(0, length), 'TAR_INVALID', { chunkBytes: 4096 })
  }
})
