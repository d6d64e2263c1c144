/** What may happen to blocks, and to the memory that they lie in, while others help and when these fail. */
import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createRing, HelperEnd } from '../../src/compression/block-ring.js'
import { lz4Codec } from '../../src/layerfile/block-codec.js'
import type { Block } from '../../src/layerfile/block-cutter.js'
import { BlockWriter } from '../../src/layerfile/block-writer.js'
import { frameHeaderBytes } from '../../src/layerfile/frame.js'
import { KiB, MiB } from '../../src/limits.js'
import { standIn } from '../build/block-helpers.js'
import { scratch } from '../build/layerfile.js'

function blockWriter(t: TestContext) {
  const path = join(scratch(t), 'blocks')
  const fd = openSync(path, 'w')
  t.after(() => closeSync(fd))
  const ring = createRing()
  const writer = new BlockWriter({ fd, path: 'blocks', ...standIn(), ring })
  const helper = new HelperEnd(ring, lz4Codec(standIn()))
  /** The blocks as the file has them, without their length words, up to the end mark. */
  const written = (): string[] => {
    const file = readFileSync(path)
    const blocks: string[] = []
    for (let at = frameHeaderBytes; ; ) {
      const bytes = file.readUInt32LE(at) & 0x7fff_ffff
      at += 4 + bytes
      if (bytes === 0) break
      blocks.push(file.toString('latin1', at - bytes, at))
    }
    return blocks
  }
  return { path, writer, helper, written }
}

/** A block that lies in its chunk. */
const blockOf = (content: Uint8Array, runsOn = false): Block => ({ content, slab: undefined, runsOn })

test('without helpers blocks are written as they come, and nothing is left in the chunk', t => {
  const { writer, written } = blockWriter(t)
  const chunk = Buffer.concat([Buffer.alloc(64 * KiB, 'c'), Buffer.alloc(32 * KiB, 's')])
  assert.ok(writer.offer(blockOf(chunk.subarray(0, 64 * KiB))))
  assert.ok(writer.offer(blockOf(chunk.subarray(64 * KiB))))
  writer.letGoOfChunk()
  chunk.fill('x')
  writer.end()
  assert.deepEqual(written(), ['c'.repeat(16 * KiB), 's'.repeat(32 * KiB)])
})

test('what waits behind a block that a helper has outlives the chunk that it lay in', t => {
  const { writer, helper, written } = blockWriter(t)
  helper.join()
  const chunk = Buffer.concat([Buffer.alloc(64 * KiB, 'c'), Buffer.alloc(32 * KiB, 's'), Buffer.alloc(32 * KiB, 'c')])
  for (const [from, to] of [
    [0, 64],
    [64, 96],
    [96, 128],
  ] as const)
    assert.ok(writer.offer(blockOf(chunk.subarray(from * KiB, to * KiB))))
  const taken = helper.claim()!
  writer.letGoOfChunk()
  chunk.fill('x')
  helper.compress(taken)
  writer.end()
  assert.deepEqual(written(), ['c'.repeat(16 * KiB), 's'.repeat(32 * KiB), 'c'.repeat(8 * KiB)])
})

test('when the last helper leaves, what it left is written before what comes next', t => {
  const { writer, helper, written } = blockWriter(t)
  assert.ok(writer.offer(blockOf(Buffer.alloc(1000, 'c1'))))
  helper.join()
  assert.ok(writer.offer(blockOf(Buffer.alloc(2000, 'c2'))))
  assert.ok(writer.offer(blockOf(Buffer.alloc(3000, 's3'))))
  helper.leave()
  const last = blockOf(Buffer.alloc(4000, 'c4'))
  for (let tries = 0; !writer.offer(last); tries++) {
    assert.ok(tries < 10)
    writer.advance()
  }
  writer.end()
  const expected = ['c1'.repeat(125), 'c2'.repeat(250), 's3'.repeat(1500), 'c4'.repeat(500)]
  assert.deepEqual(written(), expected)
})

test('a helper that dies with a block is done without, and so is the ring', t => {
  const { writer, helper, written } = blockWriter(t)
  helper.join()
  const offered: string[] = []
  const offer = (fill: string) => {
    const content = Buffer.alloc(4000, fill)
    while (!writer.offer(blockOf(content))) writer.advance()
    offered.push(content.toString('latin1', 0, fill.startsWith('c') ? 1000 : 4000))
  }
  for (const fill of ['c1', 's2', 'c3', 'c4']) offer(fill)
  helper.compress(helper.claim()!)
  assert.notEqual(helper.claim(), undefined)
  helper.compress(helper.claim()!)
  for (let i = 0; i < 3; i++) writer.advance()
  for (const fill of ['c5', 's6']) offer(fill)
  assert.equal(helper.claim(), undefined)
  writer.end()
  assert.deepEqual(written(), offered)
})

test('memory is bounded: with helpers that do nothing the writer does all of it, and in order', t => {
  const { writer, helper, written } = blockWriter(t)
  helper.join()
  const fills = Array.from({ length: 120 }, (_, i) => `${i % 5 === 0 ? 's' : 'c'}${i};`)
  let refused = 0
  for (const fill of fills)
    for (const block = blockOf(Buffer.alloc(256 * KiB, fill)); !writer.offer(block); refused++) writer.advance()
  writer.end()
  assert.ok(refused >= 80, `${refused}`)
  const expected = fills.map(fill =>
    Buffer.alloc(256 * KiB, fill).toString('latin1', 0, fill.startsWith('s') ? undefined : 64 * KiB),
  )
  assert.deepEqual(written(), expected)
})

test('the same bytes whoever compresses: a content that does not shrink, one that does later, tries in between', t => {
  const full = (fill: string) => Buffer.alloc(256 * KiB, fill)
  const fills = ['s'.repeat(30), 'c'.repeat(30), 'sc'.repeat(12), 'ssssssccc'.repeat(4), 's'.repeat(14)].join('')
  const outcomes = [0, 1, 2, 3, 4].map(pace => {
    const { path, writer, helper } = blockWriter(t)
    let claimed: number | undefined
    for (const [i, fill] of [...fills].entries()) {
      // Pace 0: no helper; 1: one that comes and goes; 2: one that is slow; 3: one that is as fast as can be; 4: one that does nothing.
      if (pace > 0 && (i === 0 || (pace === 1 && i % 20 === 0))) helper.join()
      if (pace === 1 && i % 20 === 10) helper.leave()
      const block = blockOf(full(fill), i < 60 || i > 70)
      while (!writer.offer(block)) writer.advance()
      for (let left = [0, 1, 1, 100, 0][pace]!; left > 0; left--) {
        if (claimed !== undefined) helper.compress(claimed)
        claimed = helper.claim()
      }
    }
    if (claimed !== undefined) helper.compress(claimed)
    writer.end()
    return readFileSync(path)
  })
  for (const outcome of outcomes) assert.ok(outcome.equals(outcomes[0]!))
  assert.ok(outcomes[0]!.length < fills.length * 256 * KiB - 20 * 192 * KiB)
  assert.ok(outcomes[0]!.length > 8 * MiB)
})
