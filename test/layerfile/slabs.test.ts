/** Slabs against a list of pieces: none that is held is handed out again, and all come back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { roomBytes, type Slab, Slabs } from '../../src/layerfile/slabs.js'
import { MiB } from '../../src/limits.js'

test('a piece keeps its bytes until it is let go of, in any order', () => {
  const step = fc.oneof(
    fc.record({ keep: fc.integer({ min: 100_000, max: roomBytes }) }),
    fc.record({ release: fc.nat(50) }),
  )
  const property = fc.property(fc.array(step, { maxLength: 150, size: 'max' }), steps => {
    const slabs = new Slabs(5 * MiB)
    const held: { slab: Slab; at: number; bytes: number; mark: number }[] = []
    const intact = ({ slab, at, bytes, mark }: (typeof held)[number]) =>
      slab.bytes[at] === mark && slab.bytes[at + bytes - 1] === mark
    for (const [i, now] of steps.entries()) {
      if ('keep' in now) {
        if (slabs.available === 0) continue
        const { slab, at } = slabs
        const mark = i + 1
        slab.bytes.fill(mark, at, at + now.keep)
        assert.equal(slabs.keep(now.keep), slab)
        held.push({ slab, at, bytes: now.keep, mark })
      } else if (held.length > 0) held.splice(now.release % held.length, 1)[0]!.slab.release()
      assert.ok(held.every(intact))
    }
    for (const { slab } of held) slab.release()
    assert.ok(slabs.available >= 2)
  })
  fc.assert(property, { numRuns: 200 })
})
