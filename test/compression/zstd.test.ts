/** Rows E1 to E11 of the threat catalogue for zstd, on every engine that is there: all must answer alike. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { xxhash64 } from 'hash-wasm'
import { decompress } from '../../src/compression/compression.js'
import { decompressZstd, type ZstdEngine, zstdEngines } from '../../src/compression/zstd.js'
import { defaultLimits, KiB, type Limits, MiB } from '../../src/limits.js'
import { type Block, chunked, collect, concat, frame, skippable, zeros } from '../build/compressed.js'

const engines: ZstdEngine[] = []
for (const load of Object.values(zstdEngines)) {
  const engine = await load()
  if (engine !== undefined) engines.push(engine)
}

/** By the zstd tool 1.5.4, -19 --check, and -3 --no-check --no-content-size, of 3,101 bytes of text. */
const vectors = [
  'KLUv/QRoPQgAxpApGJApLQZg/cLHAv7zMjMh2d3d3WGf4mUGAiwAHwAeAJZYeHQ4tmU0A0AYDsJxWYA4DgwOCCMxzEgORIEsTo5CctJAko8HicsIwnAIN7uZXbhT3UNzoZJv1Xp7Eo5T32yUV9o09NQzuoa6AVSP2sXwRV1nzqtx8FvdiC67SfVJutThq2u503YsO/oirmon1ajz4VZ7nU6bz+Xl3sr1zs3x9Kvd8NKZAnaoERAq3/83wJeGAxJIEEgQkCEL/l9/M2Ne7p7MgJgykgFO7hYKTusm+RQJnM/VWT+r9/dMlgBm/VSW+1lUCDriXjGCV/futo4IWfpDlHTlEEfj1ua45/C1WamAXQUcUWvS',
  'KLUv/QBYNQgAok0jGZAnaQNgERzUCqaPGra7k3b3ps0NMpCZYnCrvzz+v1tt6x/3WjM38Xrv+bTszHU3DnGNqq5K3+jCe/VsZt/NquW0YVxTHc9Dv+7OuOaXWQ0bubZ+E9E/S2eZq3QPdS/ReDvWrc+qqBSGIBSGCBAaFFAQAhiIUjiGCoeUgmJAhwwcOgflEKGBgAaVwhABdqhRfL7/d7AzknQSWEGgDrYE/x/+RXCapgR/GDVk/y+FvvdBT3+9ijep0XSLwOu5IxIhW9q7f7zrK48kE28yi5Oa0bZUcih/3Ljr1kCZ7GSsUsfr8cnpAWcRHPPaGkBKh6T91xH8K9PFxkKLwUz4Rrc7cI3ZKg==',
].map(base64 => Buffer.from(base64, 'base64'))
const vectorSha256 = 'f9168605cf748f49e4ec03f92cdffc62f4e5fcf66989661ceb312a7ee1a09391'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const A = frame([{ raw: Buffer.from('AAAA') }])
const B = frame([{ raw: Buffer.from('BB') }, { rle: 0x42, bytes: 2 }])

test('there is an engine that needs nothing of the machine', () => {
  assert.ok(engines.some(engine => engine.name === 'zstddec'))
})

for (const engine of engines) {
  const run = (bytes: Uint8Array, size?: number, limits: Limits = defaultLimits) =>
    collect(decompressZstd(chunked(bytes, size), 'app.tar: layer', limits, engine))
  const refused = (bytes: Uint8Array, size?: number) =>
    assert.rejects(run(bytes, size), {
      name: 'PhylloError',
      code: 'COMPRESSION_INVALID',
      message: /^app\.tar: layer: zstd: /,
    })

  test(`${engine.name}: vectors of the zstd tool`, async () => {
    for (const vector of vectors) {
      for (const size of [1, 7, 1000]) assert.equal(sha256(await run(vector, size)), vectorSha256)
    }
    assert.equal((await run(concat(...vectors))).length, 2 * 3101)
  })

  test(`${engine.name}: E1, E9, T13: frames are joined, skippable ones passed over, cut at every byte`, async () => {
    const all = concat(skippable(Buffer.from('TOC')), A, skippable(zeros(0), 7), B, skippable(zeros(40), 15))
    for (let cut = 0; cut <= all.length; cut++) {
      async function* source() {
        yield all.subarray(0, cut)
        yield all.subarray(cut)
      }
      const output = await collect(decompressZstd(source(), 'x', defaultLimits, engine))
      assert.equal(output.toString(), 'AAAABBBB', `cut at ${cut}`)
    }
  })

  test(`${engine.name}: E1: 10,000 empty frames`, async () => {
    const empty = frame([{ raw: zeros(0) }])
    assert.equal((await run(concat(...Array.from({ length: 10_000 }, () => empty), A))).toString(), 'AAAA')
  })

  test(`${engine.name}: any blocks, any frames, any chunks`, async () => {
    const anyBlock: fc.Arbitrary<Block> = fc.oneof(
      fc.record({ raw: fc.uint8Array({ maxLength: 2000 }) }),
      fc.record({ rle: fc.nat(255), bytes: fc.nat(100_000) }),
    )
    const anyFrames = fc.array(fc.array(anyBlock, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 5 })
    const property = fc.asyncProperty(anyFrames, fc.integer({ min: 1, max: 3000 }), async (frames, size) => {
      const expected = frames.flat().map(b => ('raw' in b ? Buffer.from(b.raw) : Buffer.alloc(b.bytes, b.rle)))
      assert.ok((await run(concat(...frames.map(blocks => frame(blocks))), size)).equals(concat(...expected)))
    })
    await fc.assert(property, { numRuns: 30 })
  })

  test(`${engine.name}: E2, E3, E4: zeros, junk, half a magic behind or between frames`, async () => {
    for (const size of [1, A.length, 1000]) {
      for (const junk of ['\0', '\0\0\0\0', 'junk', '\x28', '\x28\xb5\x2f', '\x1f\x8b\x08\0']) {
        await refused(concat(A, Buffer.from(junk, 'latin1')), size)
      }
      await refused(concat(A, zeros(8), B), size)
    }
  })

  test(`${engine.name}: E5, E9: truncated at every byte`, async () => {
    for (const whole of [concat(B, skippable(zeros(3))), vectors[0]!]) {
      for (let bytes = 4; bytes < whole.length; bytes++) {
        if (whole === vectors[0] || bytes !== B.length) await refused(whole.subarray(0, bytes))
      }
    }
  })

  test(`${engine.name}: E5: a flipped bit in a frame with a checksum`, async () => {
    const whole = vectors[0]!
    for (let at = 10; at < whole.length; at += 7) {
      const flipped = Buffer.from(whole)
      flipped[at]! ^= 0x20
      await assert.rejects(run(flipped), { code: 'COMPRESSION_INVALID' }, `byte ${at}`)
    }
  })

  test(`${engine.name}: E9: checksum right, wrong and missing`, async () => {
    const content = Buffer.from('checked')
    const checksum = Buffer.from(await xxhash64(content), 'hex')
      .reverse()
      .subarray(0, 4)
    assert.deepEqual(await run(frame([{ raw: content }], { checksum })), content)
    await refused(frame([{ raw: content }], { checksum: checksum.map(byte => byte ^ 1) }))
    await refused(frame([{ raw: content }], { descriptor: 4 }))
  })

  test(`${engine.name}: E9: a content size that lies`, async () => {
    const sized = (bytes: number) =>
      frame([{ raw: Buffer.alloc(300, 'x') }], { descriptor: 0x40, fields: Buffer.from([bytes - 256, 0]) })
    assert.equal((await run(sized(300))).length, 300)
    await refused(sized(299))
    await refused(sized(301))
  })

  test(`${engine.name}: E9: skippable frames: alone, of 4 GiB less one, in the middle of a magic`, async () => {
    assert.equal((await run(skippable(Buffer.from('only')))).length, 0)
    await refused(skippable(zeros(10), 0, 0xffffffff))
    await refused(concat(A, skippable(zeros(10), 3, 11)))
  })

  test(`${engine.name}: E9: windows: the largest allowed, and windowLog 31`, async () => {
    const limits = { ...defaultLimits, zstdWindowBytes: 8 * MiB }
    const windowed = (log: number, mantissa = 0) =>
      frame([{ raw: Buffer.from('w') }], { window: (log - 10) * 8 + mantissa })
    assert.equal((await run(windowed(23), undefined, limits)).toString(), 'w')
    assert.equal((await run(windowed(27))).toString(), 'w')
    for (const [bytes, rejected] of [
      [windowed(23, 1), limits],
      [windowed(31), defaultLimits],
      [windowed(41, 7), defaultLimits],
    ] as const) {
      await assert.rejects(run(bytes, undefined, rejected), { code: 'LIMIT_EXCEEDED', limit: 'zstdWindowBytes' })
    }
  })

  test(`${engine.name}: E9: dictionaries are refused, the number 0 is none`, async () => {
    const content = { raw: Buffer.from('d') }
    await assert.rejects(run(frame([content], { descriptor: 3, fields: Buffer.from([1, 2, 3, 4]) })), {
      code: 'COMPRESSION_UNSUPPORTED',
      message: /dictionary 67305985/,
    })
    assert.equal((await run(frame([content], { descriptor: 1, fields: zeros(1) }))).toString(), 'd')
  })

  test(`${engine.name}: E9: reserved bit, reserved block type, a block larger than its window`, async () => {
    await refused(frame([{ raw: zeros(1) }], { descriptor: 8 }))
    const reserved = Buffer.from(A)
    reserved[6]! |= 6
    await refused(reserved)
    await refused(frame([{ raw: zeros(1025) }], { window: 0 }))
    await refused(frame([{ rle: 0, bytes: 128 * KiB + 1 }], { window: 80 }))
  })

  test(`${engine.name}: E11: leaving the loop closes the source, also when what follows is damaged`, async () => {
    const blocks = Array.from({ length: 40 }, (_, i) => ({ rle: i, bytes: 128 * KiB }))
    for (const bytes of [frame(blocks), frame(blocks).subarray(0, 150)]) {
      let open = 0
      async function* source() {
        open++
        try {
          yield* chunked(bytes, 16)
        } finally {
          open--
        }
      }
      for await (const chunk of decompressZstd(source(), 'x', defaultLimits, engine)) {
        assert.equal(chunk[0], 0)
        break
      }
      assert.equal(open, 0)
    }
  })

  test(`${engine.name}: two at a time do not mix`, async () => {
    const outputs = await Promise.all([vectors[0]!, B, vectors[1]!, A].map(bytes => run(bytes, 3)))
    assert.deepEqual(outputs.map(sha256), [
      vectorSha256,
      sha256(Buffer.from('BBBB')),
      vectorSha256,
      sha256(Buffer.from('AAAA')),
    ])
  })
}

test('E6: a bomb of run-length blocks stops at layerBytes and at the ratio', async () => {
  const bomb = frame(Array.from({ length: 400 }, () => ({ rle: 0, bytes: 128 * KiB })))
  const run = (limits: Limits) => collect(decompress(chunked(bomb, 64), { limits, label: 'bomb' }))
  await assert.rejects(run({ ...defaultLimits, layerBytes: MiB }), { code: 'LIMIT_EXCEEDED', limit: 'layerBytes' })
  await assert.rejects(run({ ...defaultLimits, ratioFreeBytes: MiB }), {
    code: 'LIMIT_EXCEEDED',
    limit: 'compressionRatio',
  })
  assert.equal((await run(defaultLimits)).length, 400 * 128 * KiB)
})
