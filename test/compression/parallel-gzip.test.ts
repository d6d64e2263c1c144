/** gzip that several threads can write, judged by node:zlib: what comes out, how large it is, and what becomes of helpers. */
import assert from 'node:assert/strict'
import { createCipheriv } from 'node:crypto'
import { test } from 'node:test'
import { gunzipSync, gzipSync, inflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { type BlockCodec, createRing, HelperEnd } from '../../src/compression/block-ring.js'
import { deflateCodec, windowBytes } from '../../src/compression/deflate-chunk.js'
import { compressGzip, GzipStream, gzipChunkBytes } from '../../src/compression/parallel-gzip.js'
import { KiB, MiB } from '../../src/limits.js'
import { chunked, collect, zeros } from '../build/compressed.js'
import { digestOf } from '../build/image.js'
import { file, tar } from '../build/tar.js'

/** The same for the same seed, and nothing that deflate could make less of. */
function noise(bytes: number, seed: number): Buffer {
  const iv = Buffer.alloc(16)
  iv.writeUInt32LE(seed)
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, 'key'), iv).update(zeros(bytes))
}

const text = (bytes: number, seed: number) => Buffer.alloc(bytes, `${seed}: to be or not to be, that is the question; `)

/** As layers are: names, texts that are alike, noise, zeros. */
const tarLike = tar([
  ...Array.from({ length: 120 }, (_, i) =>
    file(
      `usr/share/doc/package-${i}/copyright`,
      Buffer.from(Array.from({ length: 200 }, (_, line) => `${(line * i * 7919) % 10_007} of the licence\n`).join('')),
    ),
  ),
  file('noise', noise(700_000, 1)),
  file('zeros', zeros(300_000)),
])

/** One member, without anything behind it, that holds the content; by node:zlib, and by RFC 1952 for what surrounds it. */
function assertMember(bytes: Buffer, content: Buffer): void {
  assert.equal(bytes.subarray(0, 10).toString('hex'), '1f8b08000000000000ff', 'no time, no name, no flags, system 255')
  assert.ok(gunzipSync(bytes).equals(content))
  const { engine } = inflateRawSync(bytes.subarray(10), { info: true }) as unknown as {
    engine: { bytesWritten: number }
  }
  assert.equal(engine.bytesWritten, bytes.length - 18)
}

const sizes = fc.oneof(
  fc.integer({ min: 0, max: 2000 }),
  fc
    .tuple(
      fc.constantFrom(
        windowBytes,
        gzipChunkBytes,
        gzipChunkBytes + windowBytes,
        2 * gzipChunkBytes,
        3 * gzipChunkBytes,
      ),
      fc.integer({ min: -2, max: 2 }),
    )
    .map(([size, more]) => size + more),
)
const content = fc
  .tuple(sizes, fc.constantFrom(noise, text, zeros), fc.nat(1000), fc.nat(40_000))
  .map(([bytes, kind, seed, tail]) =>
    Buffer.concat([kind(bytes, seed), text(tail, seed)]).subarray(0, tail % 2 === 0 ? bytes : bytes + tail),
  )
const levels = fc.constantFrom(1, 1, 6, 9)

test('whatever comes, however it comes: one member that node:zlib reads, and always the same bytes', async () => {
  const steps = fc.array(fc.boolean(), { minLength: 1, maxLength: 40 })
  const property = fc.asyncProperty(content, levels, fc.integer({ min: 500, max: 300_000 }), steps, async (...made) => {
    const [bytes, level, size, helps] = made
    const once = await collect(compressGzip(chunked(bytes), { level }))
    assertMember(once, bytes)
    const ring = createRing()
    const helper = new HelperEnd(ring, deflateCodec)
    let step = 0
    async function* helped() {
      for await (const chunk of chunked(bytes, size)) {
        yield chunk
        const block = helps[step++ % helps.length] ? helper.claim() : undefined
        if (block !== undefined) helper.compress(block)
      }
    }
    assert.ok((await collect(compressGzip(helped(), { level, ring }))).equals(once))
  })
  await fc.assert(property, { numRuns: 40 })
})

test('a stream of it knows its digest and length at its end, and not before', async () => {
  const gzip = new GzipStream(chunked(tarLike), { level: 1 })
  const parts: Buffer[] = []
  for await (const chunk of gzip) {
    assert.equal(gzip.digest, undefined)
    parts.push(Buffer.from(chunk))
  }
  const bytes = Buffer.concat(parts)
  assert.ok(gunzipSync(bytes).equals(tarLike))
  assert.equal(gzip.digest, digestOf(bytes))
  assert.equal(gzip.sizeBytes, bytes.length)
  const left = new GzipStream(chunked(tarLike), { level: 1 })
  for await (const chunk of left) if (chunk.length > 10) break
  assert.equal(left.digest, undefined)
})

test('no more than a hundredth larger than what node:zlib makes of it at the same level', async () => {
  for (const level of [1, 6]) {
    const { length } = await collect(compressGzip(chunked(tarLike), { level }))
    const bound = 1.01 * gzipSync(tarLike, { level }).length
    assert.ok(length <= bound, `level ${level}: ${length} of ${bound}`)
  }
})

test('a chunk refers to all of the 32 KiB before it', async () => {
  // Each repetition is as far behind the other as deflate can see.
  const repeated = Buffer.concat(Array(40).fill(noise(windowBytes - 300, 2)))
  const { length } = await collect(compressGzip(chunked(repeated), { level: 6 }))
  assert.ok(length < 1.1 * gzipSync(repeated).length, `${length}`)
})

/** More than a ring holds. */
const large = Buffer.concat([tarLike, noise(MiB, 3), tarLike, text(3 * MiB, 4), noise(3 * MiB, 5)])

test('a helper that dies with a chunk in its hands is done without: the same bytes', async () => {
  const ring = createRing()
  const helper = new HelperEnd(ring, deflateCodec)
  helper.join()
  let claimed: number | undefined
  async function* source() {
    for await (const chunk of chunked(large, 300_000)) {
      yield chunk
      claimed ??= helper.claim()
    }
  }
  const written = await collect(compressGzip(source(), { level: 1, ring }))
  assert.notEqual(claimed, undefined)
  assertMember(written, large)
  assert.ok(written.equals(await collect(compressGzip(chunked(large), { level: 1 }))))
  assert.equal(helper.closed, true)
})

test('a helper whose answer cannot be is done without: the same bytes', async () => {
  for (const bytes of [5 * MiB, 2 ** 31]) {
    const ring = createRing()
    const nonsense = { length: bytes } as Uint8Array
    const rogue: BlockCodec = { bound: deflateCodec.bound, compress: () => nonsense }
    const helper = new HelperEnd(ring, rogue)
    async function* source() {
      for await (const chunk of chunked(large, 300_000)) {
        yield chunk
        const block = helper.claim()
        if (block !== undefined) helper.compress(block)
      }
    }
    const written = await collect(compressGzip(source(), { level: 1, ring }))
    assertMember(written, large)
    assert.equal(helper.closed, true)
  }
})

test('what waits is bounded: no more of the source is read than a ring holds, whatever a helper does not do', async () => {
  const ring = createRing()
  const helper = new HelperEnd(ring, deflateCodec)
  helper.join()
  let [given, written, most] = [0, 0, 0]
  async function* source() {
    for (let i = 0; i < 24; i++) {
      const chunk = noise(MiB / 2, i % 2)
      given += chunk.length
      most = Math.max(most, given - written)
      yield chunk
      helper.claim()
    }
  }
  for await (const chunk of compressGzip(source(), { level: 1, ring })) written += chunk.length
  assert.ok(written > 12 * MiB)
  assert.ok(most <= 5 * MiB, `${most}`)
})

test('a failure of the source comes out as it is; leaving the loop closes the source; helpers go either way', async () => {
  const failure = new Error('the layer file is damaged')
  let open = 0
  async function* source() {
    open++
    try {
      yield noise(6 * MiB, 6)
      throw failure
    } finally {
      open--
    }
  }
  for (const ring of [undefined, createRing(), createRing()]) {
    const options = { level: 1, ...(ring && { ring }) }
    const closed = () => ring === undefined || new HelperEnd(ring, deflateCodec).closed
    await assert.rejects(collect(compressGzip(source(), options)), (error: unknown) => error === failure)
    assert.ok(closed())
    let seen = 0
    const again = ring && createRing()
    for await (const chunk of compressGzip(source(), { level: 1, ...(again && { ring: again }) })) {
      assert.ok(chunk.length > 0)
      if (++seen > 2) break
    }
    assert.ok(again === undefined || new HelperEnd(again, deflateCodec).closed)
    assert.equal(open, 0)
  }
})

test('without helpers the event loop has its turns while chunks are deflated', async () => {
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  try {
    await collect(compressGzip(chunked(noise(4 * MiB, 7)), { level: 6 }))
  } finally {
    clearInterval(timer)
  }
  assert.ok(turns >= (4 * MiB) / gzipChunkBytes / 4, `${turns}`)
})

test('the room that a chunk may need is there, whatever it is made of', () => {
  for (const level of [1, 6, 9])
    for (const bytes of [1, 100, 16 * KiB - 1, 64 * KiB, gzipChunkBytes])
      for (const made of [noise(bytes, 8), zeros(bytes)])
        for (const way of [level, level | 16]) {
          const room = new Uint8Array(deflateCodec.bound(bytes))
          assert.ok(inflateRawSync(deflateCodec.compress(made, way, room), { finishFlush: 2 }).equals(made))
        }
})
