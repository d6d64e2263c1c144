/** What may happen to the memory of blocks, and when: LZ4 is a stand-in that ends its work when it is told to. */
import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { BlockWriter } from '../../src/layerfile/block-writer.js'
import { loadChecksums } from '../../src/layerfile/checksum.js'
import { frameHeaderBytes } from '../../src/layerfile/frame.js'
import { KiB, MiB } from '../../src/limits.js'
import type { Lz4 } from '../../src/native/lz4.js'
import { createCores, joinCores } from '../../src/pool/cores.js'
import { scratch } from '../build/layerfile.js'

/** "Compresses" to the first quarter of a block that begins with c, and leaves all others as they are. */
function standIn(): { readonly lz4: Lz4; readonly finish: () => void } {
  const work: (() => void)[] = []
  const compressed = (block: Uint8Array, into: Uint8Array): number => {
    const bytes = block[0] === 0x63 ? block.length / 4 : block.length
    into.set(block.subarray(0, bytes))
    return bytes
  }
  const never = () => assert.fail('nothing is read here')
  const lz4: Lz4 = {
    name: 'lz4-napi',
    compressSync: compressed,
    compress: (block, into) => new Promise(done => work.push(() => done(compressed(block, into)))),
    decompressSync: never,
    decompress: never,
  }
  return { lz4, finish: () => work.splice(0).forEach(end => void end()) }
}

async function blockWriter(t: TestContext, cores: number) {
  const path = join(scratch(t), 'blocks')
  const fd = openSync(path, 'w')
  t.after(() => closeSync(fd))
  const { lz4, finish } = standIn()
  const share = joinCores(createCores(cores))
  const writer = new BlockWriter({
    fd,
    label: 'blocks',
    checksums: await loadChecksums(),
    cores: share,
    lz4,
    memoryBytes: 5 * MiB,
  })
  /** The blocks as the file has them, without their length words. */
  const written = (...lengths: number[]): string[] => {
    const file = readFileSync(path)
    let at = frameHeaderBytes
    return lengths.map(bytes => {
      assert.equal(file.readUInt32LE(at) & 0x7fff_ffff, bytes)
      at += 4 + bytes
      return file.toString('latin1', at - bytes, at)
    })
  }
  return { writer, finish, written }
}

/** A block that lies in its chunk. */
function take(writer: BlockWriter, content: Uint8Array): void {
  const block = { content, slab: undefined, runsOn: false }
  if (!writer.offer(block)) writer.compress(block)
}

test('what waits behind a block on the thread pool outlives the chunk that it lay in', async t => {
  const { writer, finish, written } = await blockWriter(t, 2)
  const chunk = Buffer.concat([Buffer.alloc(64 * KiB, 'c'), Buffer.alloc(32 * KiB, 's'), Buffer.alloc(32 * KiB, 'c')])
  take(writer, chunk.subarray(0, 64 * KiB))
  take(writer, chunk.subarray(64 * KiB, 96 * KiB))
  take(writer, chunk.subarray(96 * KiB))
  assert.equal(writer.inFlight, 1)
  await writer.letGoOfChunk()
  chunk.fill('x')
  finish()
  await writer.end()
  const expected = ['c'.repeat(16 * KiB), 's'.repeat(32 * KiB), 'c'.repeat(8 * KiB)]
  assert.deepEqual(written(...expected.map(({ length }) => length)), expected)
})

test('a block that does not shrink on the thread pool is stored, from memory of its own', async t => {
  const { writer, finish, written } = await blockWriter(t, 2)
  const chunk = Buffer.alloc(64 * KiB, 's')
  take(writer, chunk)
  await writer.letGoOfChunk()
  chunk.fill('x')
  finish()
  await writer.end()
  assert.deepEqual(written(64 * KiB), ['s'.repeat(64 * KiB)])
})

test('memory is bounded: blocks that wait are written before more are taken', async t => {
  const { writer, finish, written } = await blockWriter(t, 2)
  const block = Buffer.alloc(256 * KiB, 's')
  take(writer, Buffer.alloc(64 * KiB, 'c'))
  let blocks = 0
  for (; writer.available > 1; blocks++) {
    take(writer, block)
    await writer.letGoOfChunk()
  }
  assert.ok(blocks >= 3 && blocks <= 16, `${blocks}`)
  const room = writer.makeRoom()
  finish()
  await room
  assert.ok(writer.available > 1)
  await writer.end()
  assert.equal(written(16 * KiB, ...Array.from({ length: blocks }, () => block.length)).length, blocks + 1)
})
