/** A container against the naive model: outcomes, the merged tree, and what the upper holds. */
import assert from 'node:assert/strict'
import type { Union } from '../../src/overlay/union/union.js'
import { linkGroups } from './commit-run.js'
import type { NaiveContainer } from './naive-container.js'
import { Fault, type NaiveTrees } from './naive-trees.js'
import type { NaiveUnion } from './naive-union.js'
import { canonical, dumpUnion, dumpUpper } from './union-dump.js'
import type { Op, TreeNode, TreeNodes } from './union-sequence.js'

export function modelOutcome(model: NaiveUnion, op: Op): unknown {
  try {
    return model.run(op)
  } catch (error) {
    if (error instanceof Fault) return { errno: error.code }
    throw error
  }
}

/** Without link counts and groups. */
export function withoutLinks(tree: TreeNodes): unknown {
  return Object.fromEntries(
    Object.entries(tree).map(([name, { nlink: _, group: __, children, ...node }]: [string, TreeNode]) => [
      name,
      { ...node, ...(children !== undefined && { children: withoutLinks(children) }) },
    ]),
  )
}

export function assertSameView(union: Union, model: NaiveTrees, message?: string): void {
  assert.deepEqual(withoutLinks(dumpUnion(union)), model.dump(), message)
}

/** Where no directory of the layers was renamed: that has a form of its own in the upper. */
export function assertSameUpper(union: Union, model: NaiveContainer, message?: string): void {
  assert.deepEqual(linkGroups(dumpUnion(union)).sort(), model.linkGroups().sort(), message)
  assert.deepEqual(canonical(union, dumpUpper(union)), canonical(union, { t: 'd', children: model.tree(0) }), message)
}
