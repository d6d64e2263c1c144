/** The sort that pauses: against Array's own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Pace } from '../../src/overlay/union/pace.js'
import { pacedSort } from '../../src/overlay/walk/paced-sort.js'

const byKey = (a: { key: number }, b: { key: number }) => a.key - b.key

test('gives what Array.sort gives, equal items in their order', async () => {
  const lengths = fc.constantFrom(0, 1, 2, 4095, 4096, 4097, 8192, 20_000)
  const keys = fc.constantFrom(1, 10, 1e9)
  await fc.assert(
    fc.asyncProperty(lengths, keys, fc.integer(), async (length, most, seed) => {
      let state = seed >>> 0
      const next = () => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
        return state % most
      }
      const items = Array.from({ length }, (_, at) => ({ key: next(), at }))
      assert.deepEqual(await pacedSort(items, byKey, new Pace()), [...items].sort(byKey))
    }),
    { numRuns: 30 },
  )
})

test('what is in order already is compared once', async () => {
  const items = Array.from({ length: 50_000 }, (_, key) => ({ key }))
  let compared = 0
  const count = (a: { key: number }, b: { key: number }) => {
    compared++
    return a.key - b.key
  }
  assert.deepEqual(await pacedSort(items, count, new Pace()), items)
  assert.ok(compared < items.length + 100, `${compared} comparisons`)
})
