/**
 * Random operations on a container against a model that makes every look-up from nothing, with and without renamed directories:
 * outcomes in the order of the kernel's checks (P-37, P-43), the merged tree with the times of directories after every operation
 * (P-09, P-27, P-28), and at the end what the upper holds.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryUpper } from '../build/memory-upper.js'
import { NaiveContainer } from '../build/naive-container.js'
import { modelled } from '../build/naive-union.js'
import { assertSameUpper, assertSameView, modelOutcome } from '../build/union-compare.js'
import { layerOf, outcomeOf, rootOf, unionOf } from '../build/union-run.js'
import { sequence } from '../build/union-sequence.js'

const sequences = 120
const operations = 60
const seed = Number(process.env.PHYLLO_TEST_SEED ?? Date.now() % 1_000_000)

for (const directoryRename of ['exdev', 'copy'] as const) {
  test(`P-16: ${sequences} sequences do what the model does, ${directoryRename}`, () => {
    for (let at = seed; at < seed + sequences; at++) {
      const { layers, ops } = sequence(at, operations)
      const union = unionOf(layers.map(layerOf), memoryUpper(rootOf()), { directoryRename })
      const model = new NaiveContainer(layers, directoryRename === 'copy')
      for (const op of ops.filter(([call]) => modelled.has(call))) {
        const message = `seed ${at}: ${JSON.stringify(op)}`
        assert.deepEqual(outcomeOf(union, op), modelOutcome(model, op), message)
        assertSameView(union, model, message)
      }
      if (directoryRename === 'exdev') assertSameUpper(union, model, `seed ${at}`)
    }
  })
}
