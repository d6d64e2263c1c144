/** tar-split as Docker writes it: facts docker-store 6, and what a dockerd 20.10 wrote for a known archive (6.7b). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { byteString, fromText } from '../../src/byte-string.js'
import { MiB } from '../../src/limits.js'
import { loadCrc64 } from '../../src/tar/crc64.js'
import { SplitWriter } from '../../src/tar/split-writer.js'
import { sha256 } from '../build/image.js'
import { randomArchive } from '../build/random-tar.js'
import { splitLines } from '../build/split-layer.js'
import * as build from '../build/tar.js'

async function written(work: (writer: SplitWriter) => void): Promise<string> {
  const parts: Buffer[] = []
  const writer = await SplitWriter.create(bytes => parts.push(Buffer.from(bytes)))
  work(writer)
  writer.end()
  return Buffer.concat(parts).toString()
}

/** A line each: `name size crc` of a file, the number of bytes of a segment. */
function outline(lines: string): (string | number)[] {
  return lines
    .trimEnd()
    .split('\n')
    .map((line, position) => {
      const entry = JSON.parse(line)
      assert.equal(entry.position, position)
      if (entry.type === 2) return Buffer.from(entry.payload, 'base64').length
      return [entry.name ?? `raw:${entry.name_raw}`, entry.size ?? 0, entry.payload].join(' ')
    })
}

/** Everything but contents. */
function segments(lines: string): Buffer {
  const entries = lines
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  return Buffer.concat(entries.filter(({ type }) => type === 2).map(({ payload }) => Buffer.from(payload, 'base64')))
}

/** facts docker-store 6.7b */
const vector = Buffer.concat([
  build.tar([
    build.dir('d/'),
    build.file('d/f', 'hello\n'),
    build.symlink('d/s', 'f'),
    build.hardlink('d/h', 'd/f'),
    build.file('d/.wh.x'),
  ]),
  Buffer.alloc(6144),
])

test('the checksums of known texts (facts: docker-store 6.3)', async () => {
  const crc = await loadCrc64()
  const known = [
    ['123456789', 'uQlWx3WkEAE='],
    ['', 'AAAAAAAAAAA='],
    ['hello\n', 'YUw+7uLYEAA='],
    ['1', 'QyAAAAAAAAA='],
    ['hello world', 'uc8/VyrZrD4='],
  ] as const
  for (const [text, expected] of known) {
    crc.init()
    crc.update(Buffer.from(text))
    assert.equal(crc.digest(), expected)
  }
})

test('the lines that docker writes for a known archive (facts: docker-store 6.7b)', async () => {
  assert.equal(sha256(vector), 'eccfc856624291bef3aa7edc92eace0708bf44c54115bc815b879bf9a4833726')
  const lines = await splitLines(vector)
  assert.deepEqual(outline(lines), [
    512,
    'd/ 0 ',
    512,
    'd/f 6 YUw+7uLYEAA=',
    1018,
    'd/s 0 ',
    512,
    'd/h 0 ',
    512,
    'd/.wh.x 0 ',
    1024,
    6144,
  ])
  assert.equal(sha256(Buffer.from(lines)), '9a4d48665625e7cb36c4739ac1fb6238f7c4883d63c0799e7b380f531c314b80')
})

test('a segment is the padding of one content and all headers of the next entry', async () => {
  const long = 'n'.repeat(150)
  const tar = build.tar([
    build.file('a', 'x'.repeat(700)),
    build.file(long, 'y', { magic: 'gnu' }),
    build.file('b', 'z'.repeat(512), { xattrs: { 'user.zeros': Buffer.alloc(2000) } }),
    build.file('c', ''),
  ])
  assert.deepEqual(
    outline(await splitLines(tar)).map(part => (typeof part === 'number' ? part : part.split(' ')[0])),
    [512, 'a', 324 + 512 + 512 + 512, long, 511 + 512 + 2048 + 512, 'b', 512, 'c', 1024],
  )
})

test('names as Go writes them: escapes, text as UTF-8, what is no text in base64, none left out', async () => {
  const names = [
    [fromText('a<b'), '"name":"a\\u003cb",'],
    [fromText('a>b'), '"name":"a\\u003eb",'],
    [fromText('a&b'), '"name":"a\\u0026b",'],
    [fromText("~ !#$%'()*+,-./09:;=?@AZ[]^_`az{|}"), '"name":"~ !#$%\'()*+,-./09:;=?@AZ[]^_`az{|}",'],
    [fromText('a<b>&"\\c'), '"name":"a\\u003cb\\u003e\\u0026\\"\\\\c",'],
    [fromText('Grüße \u{1F600}'), '"name":"Grüße \u{1F600}",'],
    [fromText('x\u2028y\u2029'), '"name":"x\\u2028y\\u2029",'],
    [fromText('tab\tend\u007f'), '"name":"tab\\tend\u007f",'],
    [byteString(Buffer.from([0x66, 0xff])), '"name_raw":"Zv8=",'],
    // A surrogate in UTF-8 is no text.
    [byteString(Buffer.from([0xed, 0xa0, 0x80])), '"name_raw":"7aCA",'],
    [fromText(''), ''],
  ] as const
  for (const [name, field] of names) {
    const empty = await written(writer => writer.entry(name, 0))
    assert.equal(empty, `{"type":1,${field}"payload":null,"position":0}\n`)
    const full = await written(writer => {
      writer.entry(name, 1)
      writer.payload(Buffer.from('1'))
    })
    assert.equal(full, `{"type":1,${field}"size":1,"payload":"QyAAAAAAAAA=","position":0}\n`)
  }
})

test('a PAX global header is an entry of its own, and the padding of its body leads the next segment', async () => {
  const body = build.padded('19 comment=some id\n')
  const global = Buffer.concat([build.header('g', 'pax_global_header', { size: 19 }), body])
  assert.deepEqual(outline(await splitLines(build.tar([global, build.file('f')]))), [
    512 + 19,
    'pax_global_header 0 ',
    493 + 512,
    'f 0 ',
    1024,
  ])
})

test('archives that end after one block of zeros, or without any, or are empty', async () => {
  const entry = build.file('a', 'abc')
  assert.deepEqual(outline(await splitLines(entry)).slice(2), [509])
  assert.deepEqual(outline(await splitLines(Buffer.concat([entry, build.zeroBlock()]))).slice(2), [509 + 512])
  assert.deepEqual(outline(await splitLines(build.tar([]))), [1024])
  assert.equal(await splitLines(Buffer.alloc(0)), '')
})

test('what follows the end of the archive is cut at 1 MiB', async () => {
  const tar = Buffer.concat([build.tar([build.file('a', 'abc')]), Buffer.alloc(2 * MiB + 5 * 512)])
  for (const callBytes of [4096, 999_999, 2 ** 30]) {
    const lines = await splitLines(tar, { callBytes })
    assert.deepEqual(outline(lines).slice(2), [509 + 1024, MiB, MiB, 5 * 512])
  }
  const lines = await splitLines(Buffer.concat([build.tar([]), Buffer.alloc(MiB)]))
  assert.deepEqual(outline(lines), [1024, MiB])
})

test('PAX headers of megabytes are one segment with their entry; contents told as raw bytes are cut', async () => {
  const large = build.pax({ 'SCHILY.xattr.user.large': Buffer.alloc(3 * MiB) })
  const lines = await splitLines(build.tar([large, build.file('f', 'x')]))
  assert.deepEqual(outline(lines), [large.length + 512, `f 1 ${JSON.parse(lines.split('\n')[1]!).payload}`, 511 + 1024])
  const raw = build.tar([build.file('../r', Buffer.alloc(3 * MiB, 'raw')), build.file('f')])
  const cut = await splitLines(raw, { asRaw: ({ name }) => name === '../r' })
  assert.ok(segments(cut).equals(raw))
  assert.deepEqual(outline(cut), [512, '../r 0 ', MiB, MiB, MiB, 512, 'f 0 ', 1024])
})

test('a content told as raw bytes is kept, zeros and all', async () => {
  for (const content of [Buffer.alloc(5000), Buffer.alloc(3 * MiB), Buffer.alloc(2 * MiB, 'xgLK')]) {
    const tar = build.tar([build.file('a', 'abc'), build.file('../r', content), build.file('f', 'abc')])
    const lines = await splitLines(tar, { asRaw: ({ name }) => name === '../r', callBytes: 100_000 })
    const at = tar.indexOf('abc')
    const last = tar.lastIndexOf('abc')
    const kept = [tar.subarray(0, at), tar.subarray(at + 3, last), tar.subarray(last + 3)]
    assert.ok(segments(lines).equals(Buffer.concat(kept)))
  }
})

test('how the bytes are cut into calls changes nothing', async () => {
  const property = fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 3000 }), async (seed, callBytes) => {
    const { bytes } = randomArchive(seed, { binaryNames: true, xattrs: true })
    assert.equal(await splitLines(bytes, { callBytes }), await splitLines(bytes))
  })
  await fc.assert(property, { numRuns: 50 })
})

test('a content of which bytes are missing, or that is longer than said, is a RangeError', async () => {
  const name = fromText('f')
  await assert.rejects(
    written(writer => writer.entry(name, 3)),
    RangeError,
  )
  await assert.rejects(
    written(writer => {
      writer.entry(name, 3)
      writer.payload(Buffer.from('ab'))
      writer.raw(Buffer.alloc(1))
    }),
    RangeError,
  )
  await assert.rejects(
    written(writer => {
      writer.entry(name, 3)
      writer.payload(Buffer.from('abcd'))
    }),
    RangeError,
  )
})
