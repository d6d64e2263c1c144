import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Compression, decompress, sniff } from '../../src/compression/compression.js'
import { defaultLimits } from '../../src/limits.js'
import { chunked, collect, frame, member, skippable, zeros } from '../build/compressed.js'

const heads: readonly [string, Compression][] = [
  ['425a68', 'bzip2'],
  ['1f8b08', 'gzip'],
  ['fd377a585a00', 'xz'],
  ['28b52ffd', 'zstd'],
  ['502a4d18', 'zstd'],
  ['5f2a4d18', 'zstd'],
  ['602a4d18', 'none'],
  ['', 'none'],
  ['1f', 'none'],
  ['1f8b', 'none'],
  ['1f8b07', 'none'],
  ['fd377a585a01', 'none'],
  ['62696e2f00000000', 'none'],
]

for (const [hex, name] of heads) {
  test(`sniff: ${hex || 'nothing'} is ${name}`, () => {
    assert.equal(sniff(Buffer.from(hex, 'hex')), name)
  })
}

const run = async (bytes: Uint8Array, size?: number) => {
  const sniffed: Compression[] = []
  const options = { limits: defaultLimits, label: 'layer', onSniffed: (name: Compression) => sniffed.push(name) }
  const output = await collect(decompress(chunked(bytes, size), options))
  return { output, sniffed }
}

test('E8: the bytes say what they are, whatever was declared: empty, plain, gzip, zstd', async () => {
  const content = Buffer.from('content')
  assert.deepEqual(await run(zeros(0)), { output: zeros(0), sniffed: ['none'] })
  assert.deepEqual(await run(content), { output: content, sniffed: ['none'] })
  assert.deepEqual(await run(await member(content)), { output: content, sniffed: ['gzip'] })
  assert.deepEqual(await run(frame([{ raw: content }])), { output: content, sniffed: ['zstd'] })
  assert.deepEqual(await run(skippable(content)), { output: zeros(0), sniffed: ['zstd'] })
})

test('the first bytes are put together from chunks of one byte', async () => {
  const content = Buffer.from('content')
  assert.deepEqual(await run(content, 1), { output: content, sniffed: ['none'] })
  assert.deepEqual(await run(await member(content), 1), { output: content, sniffed: ['gzip'] })
  assert.deepEqual(await run(frame([{ raw: content }]), 1), { output: content, sniffed: ['zstd'] })
})

test('plain chunks are passed through without a copy', async () => {
  const chunk = Buffer.from('a plain chunk')
  async function* source() {
    yield chunk
  }
  for await (const out of decompress(source(), { limits: defaultLimits, label: 'layer' })) assert.equal(out, chunk)
})

test('T13: an empty layer, 1,024 zeros, plain and compressed', async () => {
  const layer = zeros(1024)
  assert.deepEqual((await run(layer)).output, layer)
  assert.deepEqual((await run(await member(layer))).output, layer)
  assert.deepEqual((await run(frame([{ rle: 0, bytes: 1024 }]))).output, layer)
})

test('T12: padding behind a plain tar is content, of any size', async () => {
  for (const bytes of [1, 511, 10_240]) assert.equal((await run(zeros(bytes))).output.length, bytes)
})

test('LIMIT_EXCEEDED: plain bytes are bounded, too, but have no ratio', async () => {
  const limits = { ...defaultLimits, layerBytes: 1000, ratioFreeBytes: 0, compressionRatio: 0.5 }
  const plain = (bytes: number) => collect(decompress(chunked(zeros(bytes)), { limits, label: 'layer' }))
  assert.equal((await plain(1000)).length, 1000)
  await assert.rejects(plain(1001), { code: 'LIMIT_EXCEEDED', limit: 'layerBytes', max: 1000, seen: 1001 })
})

test('a failure of the source comes out as it is, and the source is closed', async () => {
  const failure = new Error('the disk is gone')
  let closed = 0
  async function* source(first: Uint8Array) {
    try {
      yield first
      throw failure
    } finally {
      closed++
    }
  }
  const gz = await member(Buffer.alloc(4096, 7))
  for (const first of [zeros(100), gz, gz.subarray(0, 20), frame([{ raw: zeros(9) }]), frame([]).subarray(0, 5)]) {
    const chunks = decompress(source(first), { limits: defaultLimits, label: 'layer' })
    await assert.rejects(collect(chunks), (error: unknown) => error === failure)
  }
  assert.equal(closed, 5)
})

test('leaving the loop closes the source of plain bytes', async () => {
  let open = 0
  async function* source() {
    open++
    try {
      yield* chunked(zeros(100), 10)
    } finally {
      open--
    }
  }
  for await (const chunk of decompress(source(), { limits: defaultLimits, label: 'layer' })) {
    assert.equal(chunk.length, 10)
    break
  }
  assert.equal(open, 0)
})
