import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { compressGzip } from '../../src/compression/gzip.js'
import { MiB } from '../../src/limits.js'
import { chunked, collect, zeros } from '../build/compressed.js'

const levels = [1, 6, 9]
const contents = [zeros(0), Buffer.from('x'), zeros(3 * MiB), randomBytes(MiB + 1)]

test('what is written is read back, by node:zlib, at every level', async () => {
  for (const level of levels) {
    for (const content of contents) {
      assert.ok(gunzipSync(await collect(compressGzip(chunked(content, 65_536), { level }))).equals(content))
    }
  }
})

test('the header holds no time, no name, no flags, and the system 255 (RFC 1952, 2.3.1)', async () => {
  for (const level of levels) {
    for (const content of contents) {
      const head = (await collect(compressGzip(chunked(content), { level }))).subarray(0, 10)
      assert.equal(head.toString('hex'), '1f8b08000000000000ff')
    }
  }
})

test('the same bytes give the same bytes, however they come', async () => {
  const content = randomBytes(300_000).fill('compressible ', 1000, 200_000)
  const once = await collect(compressGzip(chunked(content), { level: 6 }))
  for (const size of [1000, 65_537]) {
    assert.ok((await collect(compressGzip(chunked(content, size), { level: 6 }))).equals(once))
  }
})

test('a failure of the source comes out as it is; leaving the loop closes the source', async () => {
  const failure = new Error('the layer file is damaged')
  let open = 0
  async function* source() {
    open++
    try {
      yield randomBytes(2 * MiB)
      throw failure
    } finally {
      open--
    }
  }
  await assert.rejects(collect(compressGzip(source(), { level: 1 })), (error: unknown) => error === failure)
  for await (const chunk of compressGzip(source(), { level: 1 })) {
    assert.ok(chunk.length > 0)
    break
  }
  assert.equal(open, 0)
})
