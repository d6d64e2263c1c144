/** A sample of mutants: some of each room, the seed's own choice, and everything in the end. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sampleOf } from '../build/sample.js'

const all = ['tar', 'disk', 'cli'].flatMap(kind => Array.from({ length: 20 }, (_, n) => ({ kind, name: `${n}` })))
const sample = (count: number, seed: string) =>
  sampleOf(all, { count, seed, kindOf: one => one.kind, nameOf: one => one.name })

test('a sample has as many as it is asked for, two of each room at least, and none twice', () => {
  for (const [count, size] of [
    [1, 6],
    [6, 6],
    [30, 30],
    [100, 60],
  ] as const)
    for (let seed = 0; seed < 20; seed++) {
      const chosen = sample(count, `${seed}`)
      assert.equal(new Set(chosen).size, size)
      assert.equal(chosen.length, size)
      for (const kind of ['tar', 'disk', 'cli']) assert.ok(chosen.filter(one => one.kind === kind).length >= 2, kind)
    }
})

test('the seed decides, and seeds come to everything', () => {
  assert.deepEqual(sample(10, 'a'), sample(10, 'a'))
  assert.notDeepEqual(sample(10, 'a'), sample(10, 'b'))
  assert.equal(new Set(Array.from({ length: 100 }, (_, n) => sample(10, `${n}`)).flat()).size, all.length)
})
