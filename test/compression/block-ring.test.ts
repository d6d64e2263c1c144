/** The ring against a queue: whoever does which step when, what comes out is what went in, in the same order. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createRing, HelperEnd, resetRing, WriterEnd } from '../../src/compression/block-ring.js'
import { lz4Codec, ways } from '../../src/layerfile/block-codec.js'
import { KiB } from '../../src/limits.js'
import { standIn } from '../build/block-helpers.js'

/** Of its own for every number: begins with c or s, then the number, then the same all over. */
function contentOf(number: number, bytes: number): Buffer {
  const content = Buffer.alloc(bytes, number)
  content[0] = number % 3 === 0 ? 0x73 : 0x63
  if (bytes >= 5) content.writeUInt32LE(number, 1)
  return content
}

interface Expected {
  readonly number: number
  readonly content: Buffer
  readonly tried: boolean
}

/** What must come out for a block, by what the stand-in does. */
const readyOf = ({ content, tried }: Expected): Buffer =>
  tried && content[0] === 0x63 && content.length >= 2 ? content.subarray(0, Math.max(1, content.length >> 2)) : content

test('every interleaving of a writer and three helpers, step by step, is a queue', () => {
  const sizes = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constantFrom(16 * KiB, 100_000, 256 * KiB))
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('put' as const), bytes: sizes, tried: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('claim' as const), who: fc.integer({ min: 0, max: 3 }) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('finish' as const), who: fc.integer({ min: 0, max: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('take out' as const) }) },
  )
  const memory = createRing()
  const property = fc.property(fc.array(step, { minLength: 1, maxLength: 400, size: 'max' }), steps => {
    resetRing(memory)
    const writer = new WriterEnd(memory, lz4Codec(standIn()))
    const ends = [writer, ...Array.from({ length: 3 }, () => new HelperEnd(memory, lz4Codec(standIn())))]
    const held: (number | undefined)[] = ends.map(() => undefined)
    const queue: Expected[] = []
    const unclaimed: number[] = []
    const done = new Set<number>()
    let number = 0
    const takeOut = () => {
      while (queue[0] !== undefined && done.has(queue[0].number)) {
        const expected = queue.shift()!
        assert.equal(writer.oldest, expected.number)
        assert.ok(writer.isDone(expected.number))
        const { contentBytes, ready, checksum } = writer.result(expected.number)
        const wanted = readyOf(expected)
        assert.equal(contentBytes, expected.content.length)
        assert.ok(wanted.equals(ready))
        assert.deepEqual(checksum, [wanted.length, wanted[0]])
        writer.release(1)
      }
    }
    for (const now of steps) {
      if (now.kind === 'put') {
        const content = contentOf(number, now.bytes)
        if (writer.put(content, now.tried ? ways.try : ways.store) === undefined) continue
        queue.push({ number, content, tried: now.tried })
        unclaimed.push(number++)
      } else if (now.kind === 'claim') {
        if (held[now.who] !== undefined) continue
        held[now.who] = ends[now.who]!.claim()
        assert.equal(held[now.who], unclaimed.shift())
      } else if (now.kind === 'finish') {
        const block = held[now.who]
        if (block === undefined) continue
        assert.equal(writer.isDone(block), false)
        ends[now.who]!.compress(block)
        held[now.who] = undefined
        done.add(block)
      } else takeOut()
      assert.equal(writer.count, queue.length)
    }
    for (const [who, block] of held.entries())
      if (block !== undefined) {
        ends[who]!.compress(block)
        done.add(block)
      }
    for (let block = writer.claim(); block !== undefined; block = writer.claim()) {
      writer.compress(block)
      done.add(block)
    }
    takeOut()
    assert.equal(queue.length, 0)
  })
  fc.assert(property, { numRuns: 100 })
})

test('its room is bounded, and all of it comes back', () => {
  const writer = new WriterEnd(createRing(), lz4Codec(standIn()))
  const content = Buffer.alloc(256 * KiB, 'c')
  let most = 0
  for (let round = 0; round < 50; round++) {
    while (writer.put(content, ways.try) !== undefined);
    most = Math.max(most, writer.count)
    assert.ok(writer.count >= 6 && writer.count <= 8, `${writer.count}`)
    for (let block = writer.claim(); block !== undefined; block = writer.claim()) writer.compress(block)
    writer.release(1 + (round % writer.count))
  }
  for (const small = Buffer.alloc(1, 'c'); writer.put(small, ways.try) !== undefined; );
  assert.ok(writer.count <= 1024)
})

test('nobody takes a block of a closed ring, and helpers see that it is closed', () => {
  const memory = createRing()
  const writer = new WriterEnd(memory, lz4Codec(standIn()))
  const helper = new HelperEnd(memory, lz4Codec(standIn()))
  assert.equal(writer.helped, false)
  helper.join()
  assert.equal(writer.helped, true)
  writer.put(Buffer.alloc(100, 'c'), ways.try)
  const { bell } = helper
  writer.close()
  assert.equal(helper.closed, true)
  assert.equal(helper.claim(), undefined)
  assert.notEqual(helper.bell, bell, 'who sleeps is woken')
  helper.leave()
  assert.equal(writer.helped, false)
})
