import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Lz4, loadLz4 } from '../../src/native/lz4.js'
import { compressBound } from '../../src/native/lz4-block.js'
import { lz4Engines } from '../build/lz4-engines.js'

const engines = await lz4Engines()
const room = (block: Uint8Array) => Buffer.concat([Buffer.alloc(4), block]).subarray(4)

/** Compressed, with 4 bytes of room in front. */
function compressed(lz4: Lz4, block: Uint8Array): Buffer {
  const into = Buffer.alloc(4 + compressBound(block.length))
  return into.subarray(4, 4 + lz4.compressSync(block, into.subarray(4)))
}

/** From the description of the LZ4 block format: token, literals, offset, and 5 literals at the end. */
const vectors = [
  { block: Buffer.from('50' + '68656c6c6f', 'hex'), content: 'hello' },
  { block: Buffer.from('1a61' + '0100' + '50' + '6161616161', 'hex'), content: 'a'.repeat(20) },
  {
    block: Buffer.from('8f' + '6162636465666768' + '0800' + '05' + '50' + '6867666564', 'hex'),
    content: `${'abcdefgh'.repeat(4)}hgfed`,
  },
]

test('PHYLLO_NATIVE=0 leaves lz4-napi', async () => {
  const before = process.env.PHYLLO_NATIVE
  process.env.PHYLLO_NATIVE = '0'
  try {
    assert.equal((await loadLz4()).name, 'lz4-napi')
  } finally {
    if (before === undefined) delete process.env.PHYLLO_NATIVE
    else process.env.PHYLLO_NATIVE = before
  }
})

async function decompressed(lz4: Lz4, stored: Uint8Array, contentBytes: number): Promise<Buffer> {
  const into = Buffer.alloc(contentBytes)
  await lz4.decompress(stored, into)
  return into
}

for (const lz4 of engines) {
  test(`${lz4.name}: blocks from the format's description`, async () => {
    for (const { block, content } of vectors) {
      const into = Buffer.alloc(content.length)
      lz4.decompressSync(room(block), into)
      assert.equal(into.toString(), content)
      assert.equal((await decompressed(lz4, room(block), content.length)).toString(), content)
    }
  })

  test(`${lz4.name}: what one engine writes, every engine reads, sync and async`, async () => {
    const anyBlock = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 5000 }),
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 1000 }))
        .map(([part, times]) => Buffer.concat(Array.from({ length: times }, () => part))),
    )
    const property = fc.asyncProperty(anyBlock, async block => {
      const stored = compressed(lz4, block)
      for (const reader of engines) {
        const into = Buffer.alloc(block.length)
        reader.decompressSync(stored, into)
        assert.ok(into.equals(block))
        assert.ok((await decompressed(reader, stored, block.length)).equals(block))
      }
    })
    await fc.assert(property, { numRuns: 60 })
  })

  test(`${lz4.name}: random bytes come out longer, and are read back`, () => {
    for (const bytes of [1, 100, 16_384, 262_144]) {
      const block = randomBytes(bytes)
      const stored = compressed(lz4, block)
      assert.ok(stored.length > bytes)
      const into = Buffer.alloc(bytes)
      lz4.decompressSync(stored, into)
      assert.ok(into.equals(block))
    }
  })

  test(`${lz4.name}: compression writes nowhere but where it may, and refuses what could be too small`, async () => {
    const block = randomBytes(3000)
    const around = Buffer.alloc(compressBound(block.length) + 40, 0xbb)
    const into = around.subarray(20, -20)
    const bytes = lz4.compressSync(block, into)
    assert.ok(around.subarray(0, 20).equals(Buffer.alloc(20, 0xbb)))
    assert.ok(around.subarray(-20).equals(Buffer.alloc(20, 0xbb)))
    assert.ok((await decompressed(lz4, room(into.subarray(0, bytes)), block.length)).equals(block))
    assert.throws(() => lz4.compressSync(block, into.subarray(1)), TypeError)
  })

  test(`${lz4.name}: from and to memory that threads share`, () => {
    const shared = new Uint8Array(new SharedArrayBuffer(200_000), 100)
    const block = Buffer.alloc(64_000, 'to be or not to be, ')
    const [content, into] = [shared.subarray(0, block.length), shared.subarray(block.length)]
    content.set(block)
    const bytes = lz4.compressSync(content, into)
    assert.ok(bytes < block.length / 4)
    const back = Buffer.alloc(block.length)
    lz4.decompressSync(room(Buffer.from(into.subarray(0, bytes))), back)
    assert.ok(back.equals(block))
    assert.ok(into.subarray(compressBound(block.length)).every(byte => byte === 0))
  })

  test(`${lz4.name}: a block within a larger buffer: nothing but its 4 bytes of room is written to`, async () => {
    const block = Buffer.alloc(1000, 'content ')
    const stored = compressed(lz4, block)
    const around = Buffer.alloc(stored.length + 44, 0xaa)
    stored.copy(around, 24)
    const inner = around.subarray(24, 24 + stored.length)
    const into = Buffer.alloc(1020, 0xbb)
    lz4.decompressSync(inner, into.subarray(10, 1010))
    assert.ok(into.subarray(10, 1010).equals(block))
    assert.ok(into.subarray(0, 10).equals(Buffer.alloc(10, 0xbb)) && into.subarray(1010).equals(Buffer.alloc(10, 0xbb)))
    into.fill(0xbb)
    await lz4.decompress(inner, into.subarray(10, 1010))
    assert.ok(into.subarray(10, 1010).equals(block))
    assert.ok(into.subarray(0, 10).equals(Buffer.alloc(10, 0xbb)) && into.subarray(1010).equals(Buffer.alloc(10, 0xbb)))
    assert.ok(around.subarray(0, 20).equals(Buffer.alloc(20, 0xaa)))
    assert.ok(around.subarray(24 + stored.length).equals(Buffer.alloc(20, 0xaa)))
    assert.ok(inner.equals(stored))
  })

  test(`${lz4.name}: STORE_CORRUPT: another length, truncated, an offset in front of the block`, async () => {
    const block = Buffer.from('content '.repeat(100))
    const stored = compressed(lz4, block)
    const bad: [Uint8Array, number][] = [
      [stored, block.length - 1],
      [stored, block.length + 1],
      [stored, 0],
      [stored, 4 * block.length],
      [stored.subarray(0, -1), block.length],
      [Buffer.from('1a61' + '0900' + '50' + '6161616161', 'hex'), 20],
      [Buffer.from('ff', 'hex'), 20],
    ]
    for (const [damaged, bytes] of bad) {
      const expected = { name: 'PhylloError', code: 'STORE_CORRUPT', message: new RegExp(`to ${bytes} bytes`) }
      assert.throws(() => lz4.decompressSync(room(damaged), Buffer.alloc(bytes)), expected)
      await assert.rejects(lz4.decompress(room(damaged), Buffer.alloc(bytes)), expected)
    }
  })

  test(`${lz4.name}: damaged blocks never write outside, never crash`, async () => {
    const property = fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(2000), (damaged, bytes) => {
      const into = Buffer.alloc(bytes + 32, 0xbb)
      try {
        lz4.decompressSync(room(damaged), into.subarray(16, 16 + bytes))
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'STORE_CORRUPT')
      }
      assert.ok(into.subarray(0, 16).every(byte => byte === 0xbb) && into.subarray(-16).every(byte => byte === 0xbb))
    })
    fc.assert(property, { numRuns: 500 })
  })

  test(`${lz4.name}: misuse: no room, no bytes`, async () => {
    const bare = new Uint8Array([0x50, 1, 2, 3, 4, 5])
    for (const stored of [bare, room(Buffer.alloc(0))]) {
      assert.throws(() => lz4.decompressSync(stored, Buffer.alloc(5)), TypeError)
      await assert.rejects(lz4.decompress(stored, Buffer.alloc(5)), TypeError)
    }
  })

  test(`${lz4.name}: a thousand calls at once`, async () => {
    const blocks = Array.from({ length: 1000 }, (_, i) => Buffer.alloc(2000, `block ${i} `))
    const stored = blocks.map(block => compressed(lz4, block))
    const read = await Promise.all(stored.map(buffer => decompressed(lz4, buffer, 2000)))
    assert.ok(read.every((content, i) => content.equals(blocks[i]!)))
  })
}

for (const { name, decompressRun } of engines)
  if (decompressRun !== undefined) {
    const blocks = Array.from({ length: 40 }, (_, i) =>
      i % 3 === 0 ? randomBytes(700 * i) : Buffer.alloc(900 * i + 1, `b${i} `),
    )
    /** As they stand in a frame: the highest bit of a length word says that the block is stored. */
    const runOf = (contents: readonly Buffer[]): Buffer =>
      Buffer.concat(
        contents.flatMap((content, i) => {
          const block = i % 3 === 0 ? content : compressed(engines[i % engines.length]!, content)
          const word = Buffer.alloc(4)
          word.writeUInt32LE(i % 3 === 0 ? (0x8000_0000 | block.length) >>> 0 : block.length)
          return block.length === 0 ? [] : [word, block]
        }),
      )

    test(`${name}: a run of blocks, compressed and stored, comes out in one piece`, async () => {
      const content = Buffer.concat(blocks)
      const around = Buffer.alloc(content.length + 64, 0xbb)
      const outcomes = Array.from({ length: 12 }, async () => {
        const into = Buffer.alloc(content.length)
        await decompressRun(runOf(blocks), into)
        return into.equals(content)
      })
      assert.ok((await Promise.all(outcomes)).every(Boolean))
      await decompressRun(runOf(blocks), around.subarray(32, -32))
      assert.ok(
        around.subarray(0, 32).equals(Buffer.alloc(32, 0xbb)) && around.subarray(-32).equals(Buffer.alloc(32, 0xbb)),
      )
    })

    test(`${name}: a run that is damaged or of another length is STORE_CORRUPT, and the next one is not`, async () => {
      const run = runOf(blocks)
      const { length } = Buffer.concat(blocks)
      const damaged = Buffer.from(run)
      damaged.fill(0xff, 0, 4) // a block of 2 GiB
      for (const [bytes, size] of [
        [run, length - 1],
        [run, length + 1],
        [run.subarray(0, -1), length],
        [damaged, length],
        [Buffer.alloc(0), 1],
      ] as const) {
        await assert.rejects(decompressRun(bytes, Buffer.alloc(size)), { code: 'STORE_CORRUPT' })
        const into = Buffer.alloc(length)
        await decompressRun(run, into)
        assert.ok(into.equals(Buffer.concat(blocks)))
      }
    })
  }
