/** gzip that is written synchronously, read back by node:zlib and by our own reader. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { decompressGzip } from '../../src/compression/gzip.js'
import { GzipWriter } from '../../src/compression/gzip-writer.js'
import { chunked, collect } from '../build/compressed.js'

async function gzipped(parts: readonly Buffer[], level: number): Promise<Buffer> {
  const written: Buffer[] = []
  const gzip = await GzipWriter.create({ level, write: bytes => written.push(Buffer.from(bytes)) })
  for (const part of parts) gzip.write(part)
  gzip.end()
  return Buffer.concat(written)
}

const contents = [
  [],
  [Buffer.from('x')],
  [Buffer.from('one '), Buffer.alloc(0), Buffer.alloc(300_000, 'many '), randomBytes(100_000)],
]

test('what is written is one member, read back at every level; its header is the one of Docker', async () => {
  for (const level of [1, 6, 9])
    for (const parts of contents) {
      const bytes = await gzipped(parts, level)
      assert.equal(bytes.subarray(0, 10).toString('hex'), '1f8b08000000000000ff')
      assert.ok(gunzipSync(bytes).equals(Buffer.concat(parts)))
      assert.ok((await collect(decompressGzip(chunked(bytes, 999), 'test'))).equals(Buffer.concat(parts)))
    }
})

test('a file that is cut off anywhere, or damaged, is refused', async () => {
  const bytes = await gzipped([Buffer.alloc(1000, 'one '), Buffer.alloc(1000, 'two ')], 1)
  for (let length = 1; length < bytes.length; length++)
    await assert.rejects(collect(decompressGzip(chunked(bytes.subarray(0, length)), 'test')), {
      code: 'COMPRESSION_INVALID',
    })
  for (const at of [bytes.length - 1, bytes.length - 8]) {
    const damaged = Buffer.from(bytes)
    damaged[at]! ^= 1
    await assert.rejects(collect(decompressGzip(chunked(damaged), 'test')), { code: 'COMPRESSION_INVALID' })
  }
})
