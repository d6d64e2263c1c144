import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { defaultLimits, type Limits } from '../../src/limits.js'
import { checkGlobalPax, eachRecord, parsePax } from '../../src/tar/pax.js'
import { refusal } from '../build/scan.js'
import { type Bytes, join, paxRecord } from '../build/tar.js'

const parse = (body: Bytes, limits: Partial<Limits> = {}): ReturnType<typeof parsePax> =>
  parsePax(join([body]), { ...defaultLimits, ...limits })
const code = (body: Bytes): string => refusal(() => parse(body)).code
const record = (key: Bytes, value: Bytes): Buffer => paxRecord(key, value)

test('D7 records whose length, blank, equals sign or newline is not where it belongs', () => {
  const table = [
    '0 path=x\n',
    '00 path=x\n',
    '11 path=x\n',
    '8 path=x\n',
    '010 path=x\n',
    '+9 path=x\n',
    '-9 path=x\n',
    ' 9 path=x\n',
    '10  path=x\n',
    '10 \tpath=x\n',
    '9\tpath=x\n',
    '9 path=zz',
    '9 path=zz\n',
    'x path=x\n',
    '0x9 path=x\n',
    '9.0 path=x\n',
    '9path=x\n',
    '8 pathx\n',
    '5 =x\n',
    '4 =\n',
    '3 \n',
    '9 path=x\0',
    '9 path=x\n\0',
    '9 path=x\n\n',
    '9 path=x\n9',
    '9',
    '9 ',
    '\0',
    '99999999999999999999 path=x\n',
    '9 pa\0h=x\n',
  ]
  assert.equal(parse('9 path=x\n').path, 'x')
  for (const body of table) assert.equal(code(body), 'TAR_INVALID', JSON.stringify(body))
})

test('D8 D9 a path with a NUL, or empty', () => {
  for (const key of ['path', 'linkpath']) {
    assert.equal(code(record(key, 'x\0y')), 'TAR_INVALID')
    assert.equal(code(record(key, '')), 'TAR_INVALID')
  }
  assert.equal(code(record('uname', 'x\0y')), 'TAR_INVALID')
})

test('D10 a path of digits is text', () => {
  assert.equal(parse(record('path', '12345')).path, '12345')
})

test('D11 keys that are names of properties, and very many keys', () => {
  const keys = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'xattrs']
  const attributes = parse(join(keys.map(key => record(key, '{"polluted":1}'))))
  assert.deepEqual(attributes, { xattrs: [] })
  assert.equal(Object.getPrototypeOf(attributes), Object.prototype)
  assert.equal('polluted' in {}, false)
  const many = join(Array.from({ length: 60_000 }, (_, i) => record(`k${i}`, '')))
  assert.deepEqual(parse(many), { xattrs: [] })
  const [xattr] = parse(record('SCHILY.xattr.__proto__', 'v')).xattrs
  assert.deepEqual(xattr, { name: '__proto__', value: Buffer.from('v') })
})

test('D12 sizes and owners are digits', () => {
  assert.equal(parse(record('size', '9663676416')).size, 9_663_676_416)
  for (const key of ['size', 'uid', 'gid'])
    for (const value of ['', '-1', '+1', '1e3', '0x10', '1.0', ' 1', '1 ', 'NaN'])
      assert.equal(code(record(key, value)), 'TAR_INVALID', `${key}=${value}`)
})

test('C13 times that are no times', () => {
  assert.deepEqual(parse(record('mtime', '-1.5')).mtime, { sec: -2, nsec: 500_000_000 })
  for (const key of ['mtime', 'atime', 'ctime'])
    for (const value of ['', 'NaN', '1e300', '9223372036854775808'])
      assert.equal(code(record(key, value)), 'METADATA_INVALID', `${key}=${value}`)
})

test('C7 xattr values are bytes, exactly', () => {
  const capability = Buffer.from('0100000200200000000000000a3d0000000000ff', 'hex')
  const body = join([
    record('SCHILY.xattr.security.capability', capability),
    record('SCHILY.xattr.user.empty', ''),
    record('SCHILY.xattr.user.text', 'a=b\nc\0d'),
  ])
  assert.deepEqual(parse(body).xattrs, [
    { name: 'security.capability', value: capability },
    { name: 'user.empty', value: Buffer.alloc(0) },
    { name: 'user.text', value: Buffer.from('a=b\nc\0d') },
  ])
  assert.equal(code(record('SCHILY.xattr.', 'v')), 'METADATA_INVALID')
  assert.equal(code(record(`SCHILY.xattr.${'n'.repeat(256)}`, 'v')), 'METADATA_INVALID')
  assert.equal(code(record('SCHILY.xattr.a\0b', 'v')), 'TAR_INVALID')
  const twice = join([record('SCHILY.xattr.user.a', '1'), record('SCHILY.xattr.user.a', '2')])
  assert.equal(code(twice), 'METADATA_INVALID')
})

test('C7 an xattr value is a copy of the body', () => {
  const body = record('SCHILY.xattr.user.a', 'value')
  const { xattrs } = parsePax(body, defaultLimits)
  body.fill(0)
  assert.equal(xattrs[0]!.value.toString(), 'value')
})

test('H5 xattrs have bounds of number and bytes', () => {
  const many = (n: number): Buffer => join(Array.from({ length: n }, (_, i) => record(`SCHILY.xattr.user.${i}`, '')))
  assert.equal(parse(many(64)).xattrs.length, 64)
  assert.equal(refusal(() => parse(many(65))).limit, 'xattrs')
  const large = (bytes: number): Buffer => record('SCHILY.xattr.user.x', Buffer.alloc(bytes - 'user.x'.length))
  assert.equal(parse(large(65_536)).xattrs.length, 1)
  assert.equal(refusal(() => parse(large(65_537))).limit, 'xattrBytes')
})

test('D3 a key that comes twice', () => {
  for (const key of ['path', 'linkpath', 'size', 'uid', 'gid', 'mtime', 'uname'])
    assert.equal(code(join([record(key, '1'), record(key, '1')])), 'TAR_INVALID', key)
})

test('D25 sparse, multi-volume and incremental records', () => {
  for (const key of ['GNU.sparse.major', 'GNU.sparse.map', 'GNU.sparse.name', 'GNU.volume.offset', 'GNU.dumpdir'])
    assert.equal(code(record(key, '1')), 'ENTRY_UNSUPPORTED', key)
  assert.equal(code(record('SCHILY.realsize', '1')), 'ENTRY_UNSUPPORTED')
  assert.equal(code(record('SUN.holesdata', ' 0 1')), 'ENTRY_UNSUPPORTED')
})

test('D5 T9 a global header may hold a comment and nothing else', () => {
  checkGlobalPax(record('comment', 'c0ffee'))
  for (const key of ['path', 'linkpath', 'size', 'uid', 'gid', 'mtime', 'SCHILY.xattr.user.a', 'GNU.sparse.major'])
    assert.equal(refusal(() => checkGlobalPax(record(key, '1'))).code, 'TAR_INVALID', key)
  assert.equal(refusal(() => checkGlobalPax(Buffer.from('9 path=x'))).code, 'TAR_INVALID')
})

test('whatever records are written are read back', () => {
  const key = fc
    .uint8Array({ minLength: 1, maxLength: 12 })
    .filter(bytes => !bytes.includes(0) && !bytes.includes(61) && bytes[0] !== 0x20 && bytes[0] !== 0x09)
  const records = fc.array(fc.tuple(key, fc.uint8Array({ maxLength: 120 })), { maxLength: 8 })
  fc.assert(
    fc.property(records, list => {
      const body = join(list.map(([name, value]) => record(name, value)))
      const read: [Buffer, Buffer][] = []
      eachRecord(body, (name, start, end) => read.push([Buffer.from(name, 'latin1'), body.subarray(start, end)]))
      assert.deepEqual(
        read.map(pair => pair.map(bytes => bytes.toString('hex'))),
        list.map(pair => pair.map(bytes => Buffer.from(bytes).toString('hex'))),
      )
    }),
  )
})
