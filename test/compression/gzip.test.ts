/** Rows E1 to E11 of the threat catalogue for gzip. Members are made by hand from RFC 1952. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { decompress } from '../../src/compression/compression.js'
import { defaultLimits, type Limits, MiB } from '../../src/limits.js'
import { chunked, collect, concat, member, zeros } from '../build/compressed.js'

const run = (bytes: Uint8Array, size?: number, limits: Limits = defaultLimits) =>
  collect(decompress(chunked(bytes, size), { limits, label: 'app.tar: layer' }))

const refused = (bytes: Uint8Array, size?: number) =>
  assert.rejects(run(bytes, size), {
    name: 'PhylloError',
    code: 'COMPRESSION_INVALID',
    message: /^app\.tar: layer: gzip: /,
  })

const text = Buffer.from('a text that is in no way special\n'.repeat(20))
const A = await member(Buffer.from('AAAA'))
const B = await member(Buffer.from('BBBB'))

test('E1, T13: two members, cut at every byte, are one content', async () => {
  const both = concat(A, B)
  for (let cut = 0; cut <= both.length; cut++) {
    async function* source() {
      yield both.subarray(0, cut)
      yield both.subarray(cut)
    }
    const output = await collect(decompress(source(), { limits: defaultLimits, label: 'x' }))
    assert.equal(output.toString(), 'AAAABBBB', `cut at ${cut}`)
  }
})

test('E1: 100,000 empty members are read in one go', async () => {
  const empty = await member(zeros(0))
  const many = Buffer.concat(Array.from({ length: 100_000 }, () => empty))
  assert.equal((await run(concat(many, A))).toString(), 'AAAA')
})

test('E1: any content, any split into members, any chunks', async () => {
  const property = fc.asyncProperty(
    fc.array(fc.uint8Array({ maxLength: 3000 }), { minLength: 1, maxLength: 6 }),
    fc.integer({ min: 1, max: 700 }),
    async (contents, size) => {
      const members = await Promise.all(contents.map(content => member(content)))
      assert.deepEqual(await run(concat(...members), size), concat(...contents))
    },
  )
  await fc.assert(property, { numRuns: 50 })
})

test('E2: member, zeros, member', async () => {
  for (const size of [1, 5, A.length, A.length + 8, 1000]) {
    await refused(concat(A, zeros(8), B), size)
    await refused(concat(A, zeros(2000), B), size)
  }
})

test('E3: zeros behind the last member', async () => {
  for (const bytes of [1, 2, 7, 18, 64, 512, 10_240]) {
    for (const size of [1, 7, A.length, 1000])
      assert.equal((await run(concat(A, zeros(bytes)), size)).toString(), 'AAAA')
  }
})

test('E4: member and junk', async () => {
  for (const junk of ['junk', '\x1f', '\x1f\x8b', '\x1f\x8bjunk', '\x1f\x8b\x08', '\0\0\0x', '\0\x1f\x8b\x08']) {
    for (const size of [1, A.length, 1000]) await refused(concat(A, Buffer.from(junk, 'latin1')), size)
  }
})

test('E5: truncated at every byte', async () => {
  const whole = await member(text)
  for (let bytes = 3; bytes < whole.length; bytes++) await refused(whole.subarray(0, bytes), 1000)
})

test('E5: CRC, ISIZE, reserved flags, FEXTRA, FNAME without NUL', async () => {
  const whole = await member(text)
  for (let from = 8; from >= 1; from--) {
    const flipped = Buffer.from(whole)
    flipped[whole.length - from]! ^= 1
    await refused(flipped)
  }
  for (const flags of [0x20, 0x40, 0x80]) await refused(await member(text, { flags }))
  await refused(concat(Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 255]), Buffer.alloc(70_000, 'n')))
  const extra = concat(Buffer.from([0xff, 0xff]), Buffer.alloc(65_535, 'e'))
  assert.deepEqual(await run(await member(text, { flags: 4, extra }), 1000), text)
  assert.deepEqual(await run(await member(text, { flags: 8, extra: Buffer.from('name\0') })), text)
  assert.deepEqual(await run(await member(text, { flags: 16, extra: Buffer.from('comment\0') })), text)
})

test('E6: a bomb stops at layerBytes, within a chunk, and reads no further', async () => {
  const bomb = gzipSync(zeros(64 * MiB))
  const limits = { ...defaultLimits, layerBytes: 5 * MiB }
  let seen = 0
  let asked = 0
  async function* source() {
    for await (const chunk of chunked(bomb, 4096)) {
      asked += chunk.length
      yield chunk
    }
  }
  await assert.rejects(
    async () => {
      for await (const chunk of decompress(source(), { limits, label: 'bomb' })) seen += chunk.length
    },
    { code: 'LIMIT_EXCEEDED', limit: 'layerBytes', max: 5 * MiB },
  )
  assert.ok(seen <= 5 * MiB, `${seen} bytes came out`)
  assert.ok(asked < bomb.length / 2, `${asked} of ${bomb.length} bytes were read`)
})

test('E6: the ratio counts only once the output is over ratioFreeBytes', async () => {
  const bomb = gzipSync(zeros(8 * MiB))
  const limits = (ratioFreeBytes: number) => ({ ...defaultLimits, compressionRatio: 100, ratioFreeBytes })
  await assert.rejects(run(bomb, 4096, limits(4 * MiB)), {
    code: 'LIMIT_EXCEEDED',
    limit: 'compressionRatio',
    max: 100,
  })
  assert.equal((await run(bomb, 4096, limits(8 * MiB))).length, 8 * MiB)
})

test('E6: gzip in gzip is opened once', async () => {
  assert.deepEqual(await run(await member(A)), A)
})

test('E7: what the source says about its size is passed on, whether there is output or not', async () => {
  const mismatch = new Error('SIZE_MISMATCH')
  async function* source() {
    yield* chunked(A)
    throw mismatch
  }
  await assert.rejects(collect(decompress(source(), { limits: defaultLimits, label: 'x' })), mismatch)
})

test('E10: all content has come out, then the trailer is bad', async () => {
  const damaged = Buffer.from(await member(concat(text, zeros(1024))))
  damaged[damaged.length - 5]! ^= 0x10
  let bytes = 0
  const read = async () => {
    for await (const chunk of decompress(chunked(damaged, 64), { limits: defaultLimits, label: 'x' }))
      bytes += chunk.length
  }
  await assert.rejects(read(), { code: 'COMPRESSION_INVALID' })
  assert.equal(bytes, text.length + 1024)
})

test('E11: leaving the loop closes the source, at any point, also with damaged bytes', async () => {
  const content = randomBytes(6 * MiB)
  const whole = gzipSync(content, { level: 0 })
  const damaged = concat(whole.subarray(0, whole.length / 2), randomBytes(1000))
  for (const bytes of [whole, damaged]) {
    for (const leaveAfter of [1, 2, 3]) {
      let open = 0
      async function* source() {
        open++
        try {
          yield* chunked(bytes, 100_000)
        } finally {
          open--
        }
      }
      let chunks = 0
      for await (const chunk of decompress(source(), { limits: defaultLimits, label: 'x' })) {
        assert.ok(chunk.length > 0)
        if (++chunks === leaveAfter) break
      }
      assert.equal(open, 0)
    }
  }
})

test('E11: a consumer that takes its time is not run over', async () => {
  let asked = 0
  async function* source() {
    for await (const chunk of chunked(gzipSync(randomBytes(32 * MiB), { level: 0 }), MiB)) {
      asked += chunk.length
      yield chunk
    }
  }
  const chunks = decompress(source(), { limits: defaultLimits, label: 'x' })
  await chunks.next()
  await delay(100)
  assert.ok(asked <= 8 * MiB, `${asked} bytes were read ahead`)
  await chunks.return(undefined)
})
