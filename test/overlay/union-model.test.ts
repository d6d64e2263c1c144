/** Random operations on a container against a model that makes every look-up from nothing, with and without renamed directories. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryUpper } from '../build/memory-upper.js'
import { Fault } from '../build/naive-trees.js'
import { modelled, NaiveUnion } from '../build/naive-union.js'
import { dumpUnion } from '../build/union-dump.js'
import { layerOf, outcomeOf, rootOf, unionOf } from '../build/union-run.js'
import { sequence, type TreeNode, type TreeNodes } from '../build/union-sequence.js'

const sequences = 120
const operations = 60
const seed = Number(process.env.PHYLLO_TEST_SEED ?? Date.now() % 1_000_000)

function modelOutcome(model: NaiveUnion, op: Parameters<NaiveUnion['run']>[0]): unknown {
  try {
    return model.run(op)
  } catch (error) {
    if (error instanceof Fault) return { errno: error.code }
    throw error
  }
}

/** Without what the model does not have: link counts and groups. */
function plain(tree: TreeNodes): unknown {
  return Object.fromEntries(
    Object.entries(tree).map(([name, { nlink: _, group: __, children, ...node }]: [string, TreeNode]) => [
      name,
      { ...node, ...(children !== undefined && { children: plain(children) }) },
    ]),
  )
}

for (const directoryRename of ['exdev', 'copy'] as const) {
  test(`${sequences} sequences do what the model does, ${directoryRename}`, () => {
    for (let at = seed; at < seed + sequences; at++) {
      const { layers, ops } = sequence(at, operations)
      const union = unionOf(layers.map(layerOf), memoryUpper(rootOf()), { directoryRename })
      const model = new NaiveUnion(layers, directoryRename === 'copy')
      for (const op of ops.filter(([call]) => modelled.has(call))) {
        const message = `seed ${at}: ${JSON.stringify(op)}`
        assert.deepEqual(outcomeOf(union, op), modelOutcome(model, op), message)
        assert.deepEqual(plain(dumpUnion(union)), model.dump(), message)
      }
    }
  })
}
