/** Lines of tar-split as dockerds write them, and as damage leaves them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MiB } from '../../src/limits.js'
import { type SplitPart, SplitReader } from '../../src/tar/split-reader.js'
import * as build from '../build/tar.js'

type Copied = SplitPart | { readonly type: 'segment'; readonly bytes: string }

function read(lines: string | Buffer, chunkBytes = Number.POSITIVE_INFINITY): Copied[] {
  const bytes = Buffer.from(lines)
  const reader = new SplitReader('/store/tar-split.json.gz')
  const parts: Copied[] = []
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const chunk = Buffer.from(bytes.subarray(at, at + chunkBytes))
    for (const part of reader.push(chunk))
      parts.push(part.type === 'segment' ? { type: 'segment', bytes: part.bytes.toString('latin1') } : part)
    chunk.fill(0xaa)
  }
  reader.end()
  return parts
}

const base64 = (bytes: string | Buffer) => Buffer.from(bytes).toString('base64')
const segment = (bytes: string | Buffer) => `{"type":2,"payload":"${base64(bytes)}","position":0}\n`
const file = (name: string, size: number, crc: string) => ({ type: 'file', name, sizeBytes: size, crc })

test('segments, files, names in base64, keys that nobody knows, and the empty segment of 20.10', () => {
  const lines = [
    segment('abc'),
    '{"type":1,"name":"d/","payload":null,"position":1}\n',
    '{"type":1,"name":"a\\u003cb ü","size":6,"payload":"YUw+7uLYEAA=","position":2,"new":{"key":1}}\n',
    '{"type":1,"name_raw":"Zv8=","payload":null,"position":3}\n',
    '{"payload":null,"type":1,"position":77}\n',
    '{"type":2,"payload":"","position":5}\n',
  ].join('')
  const expected = [
    { type: 'segment', bytes: 'abc' },
    file('d/', 0, ''),
    file(Buffer.from('a<b ü').toString('latin1'), 6, 'YUw+7uLYEAA='),
    file('f\xff', 0, ''),
    file('', 0, ''),
    { type: 'segment', bytes: '' },
  ]
  for (const chunkBytes of [1, 2, 7, 100, 100_000]) assert.deepEqual(read(lines, chunkBytes), expected)
})

test('lines that are written otherwise mean the same: escapes, spaces, another order', () => {
  const crc = 'YUw+7uLYEAA='
  const same = [
    [segment('abc?'), '{"type":2,"payload":"YWJj\\u0050w==","position":0}\n', '{"type": 2, "payload": "YWJjPw=="}\n'],
    [
      `{"type":1,"name":"a/b","size":6,"payload":"${crc}","position":2}\n`,
      `{"type":1,"name":"a\\/b","size":6,"payload":"${crc}","position":2}\n`,
      `{"position":2,"payload":"${crc}","size":6,"name":"a/b","type":1}\n`,
    ],
    [segment('??>'), '{"type":2,"payload":"Pz8\\u002b","position":0}\n'],
  ]
  for (const [plain, ...others] of same) for (const other of others) assert.deepEqual(read(other), read(plain!))
  const count = (lines: string) => [...new SplitReader('x').push(Buffer.from(lines))].map(part => part.sizeBytes)
  for (const [plain, ...others] of same) for (const other of others) assert.deepEqual(count(other), count(plain!))
})

test('large lines in small chunks', () => {
  const bytes = Buffer.alloc(3 * MiB, 'large ')
  assert.deepEqual(read(segment(bytes), 5000), [{ type: 'segment', bytes: bytes.toString('latin1') }])
})

test('damaged lines are STORE_CORRUPT, naming the file', () => {
  const damaged = [
    '{"type":2,"payload":"YWJj","position":0}',
    'nonsense\n',
    '\n',
    'null\n',
    '[]\n',
    '{"payload":"YWJj","position":0}\n',
    '{"type":3,"payload":"YWJj","position":0}\n',
    '{"type":"2","payload":"YWJj","position":0}\n',
    '{"type":2,"position":0}\n',
    '{"type":2,"payload":null,"position":0}\n',
    '{"type":2,"payload":"YWJ","position":0}\n',
    '{"type":2,"payload":"Y!Jj","position":0}\n',
    '{"type":1,"name":"f","size":1,"position":0}\n',
    '{"type":1,"name":"f","size":1,"payload":null,"position":0}\n',
    '{"type":1,"name":"f","size":1,"payload":"YUw+7uLYEA==","position":0}\n',
    '{"type":1,"name":"f","size":-1,"payload":"YUw+7uLYEAA=","position":0}\n',
    '{"type":1,"name":"f","size":1.5,"payload":"YUw+7uLYEAA=","position":0}\n',
    '{"type":1,"name":"f","size":9007199254740992,"payload":"YUw+7uLYEAA=","position":0}\n',
    '{"type":1,"name":"f","size":"6","payload":"YUw+7uLYEAA=","position":0}\n',
    '{"type":1,"name":7,"payload":null,"position":0}\n',
    '{"type":1,"name_raw":"Zv","payload":null,"position":0}\n',
    '{"type":1,"name_raw":1,"payload":null,"position":0}\n',
  ]
  for (const line of damaged)
    assert.throws(() => read(line), { code: 'STORE_CORRUPT', path: '/store/tar-split.json.gz' }, line)
})

test('a line that never ends is refused before it fills the memory', () => {
  const reader = new SplitReader('x')
  const chunk = Buffer.alloc(MiB, 'a')
  assert.throws(
    () => {
      for (let pushed = 0; pushed < 40; pushed++) for (const _ of reader.push(chunk)) assert.fail('a part')
    },
    { code: 'STORE_CORRUPT', message: /more than/ },
  )
})

test('a size that an old writer gave to a link or a directory is no content (facts: docker-store 6.8)', () => {
  const nothing = '"size":6,"payload":"AAAAAAAAAAA=","position":1}\n'
  const header = (type: string) => segment(build.header(type, 'x', { size: 6 }))
  for (const type of ['1', '2', '3', '4', '5', '6'])
    assert.deepEqual(read(`${header(type)}{"type":1,"name":"x",${nothing}`)[1], file('x', 0, ''))
  assert.deepEqual(read(`${header('0')}{"type":1,"name":"x",${nothing}`)[1], file('x', 6, 'AAAAAAAAAAA='))
  // With a checksum of something it is damaged, and whoever looks for the content will say so.
  const something = '"size":6,"payload":"YUw+7uLYEAA=","position":1}\n'
  assert.deepEqual(read(`${header('5')}{"type":1,"name":"x",${something}`)[1], file('x', 6, 'YUw+7uLYEAA='))
})
