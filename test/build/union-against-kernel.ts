/** The same sequences on a real overlay mount and on ours, compared. */
import assert from 'node:assert/strict'
import type { Union } from '../../src/overlay/union/union.js'
import { memoryUpper } from './memory-upper.js'
import { Kernel, type KernelAnswer } from './overlay-kernel.js'
import { canonical, comparable, dumpRoot, dumpUpper } from './union-dump.js'
import type { Tally } from './union-profile.js'
import { layerOf, outcomeOf, rootOf, unionOf } from './union-run.js'
import { type Op, type Sequence, sequence, type TreeNode } from './union-sequence.js'

/** Between two looks at the whole tree. */
const every = 10

export interface Comparison extends Tally {
  readonly seed: number
  readonly sequences: number
  readonly operations: number
  /** `copy` is compared with a mount that can rename every directory (redirect_dir=on). Default `exdev`, as the kernel's. */
  readonly directoryRename?: 'copy' | 'exdev'
}

export async function compareWithKernel(comparison: Comparison): Promise<void> {
  const { seed, sequences, operations, directoryRename = 'exdev' } = comparison
  const looks = Array.from({ length: Math.floor(operations / every) }, (_, at) => (at + 1) * every)
  await using kernel = new Kernel()
  for (let at = 0; at < sequences; at++) {
    const one = sequence(seed + at, operations)
    const mount = directoryRename === 'copy' ? ',redirect_dir=on' : ''
    const answer = await kernel.run({ layers: one.layers, ops: one.ops, looks, mount, remount: true })
    const ours = runOurs(one, directoryRename, looks)
    for (const at of one.ops.keys()) equalOutcomes(one, at, ours.results[at], answer.results[at], comparison)
    for (const [at, look] of looks.entries())
      equalTrees(one, `the tree after ${look} operations`, ours.trees[at]!, answer.trees[at]!)
    // What was renamed with all that is below it has a form of its own in either upper.
    if (directoryRename === 'exdev') await compareUppers(one, ours.union, answer, kernel)
  }
}

async function compareUppers(one: Sequence, union: Union, answer: KernelAnswer, kernel: Kernel): Promise<void> {
  const upper = dumpUpper(union)
  equal(one, 'the upper', canonical(union, upper), canonical(union, answer.upper))
  const { trees } = await kernel.run({ layers: one.layers, ops: [], looks: [0], upper })
  equalTrees(one, 'our upper, mounted', trees[0]!, answer.remounted!)
}

function runOurs({ layers, ops }: Sequence, directoryRename: 'copy' | 'exdev', looks: readonly number[]) {
  const union = unionOf(layers.map(layerOf), memoryUpper(rootOf()), { directoryRename })
  const trees: TreeNode[] = []
  const results = ops.map((op, at) => {
    const outcome = outcomeOf(union, op)
    if (looks.includes(at + 1)) trees.push(dumpRoot(union))
    return outcome
  })
  return { union, results, trees }
}

/** The rule by which an outcome is not the kernel's. */
function deliberate(op: Op, ours: unknown, kernels: unknown): string | undefined {
  // There is no driver behind a device and nobody at the other end of a fifo.
  if (op[0] === 'open' && kernels === null && (ours as { errno?: string } | null)?.errno === 'ENXIO') return 'no-wait'
  return undefined
}

/** What came of an operation, here and there. */
export function equalOutcomes(one: Sequence, at: number, ours: unknown, kernels: unknown, tally: Tally): void {
  const op = one.ops[at]!
  const rule = deliberate(op, ours, kernels)
  if (rule !== undefined) tally.differences.count(rule)
  else equal(one, `operation ${at}: ${JSON.stringify(op)}`, ours, kernels)
  const outcome = `${op[0]} ${(kernels as { errno?: string } | null)?.errno ?? 'ok'}`
  tally.outcomes?.set(outcome, (tally.outcomes.get(outcome) ?? 0) + 1)
}

export function equalTrees(one: Sequence, what: string, ours: TreeNode, kernels: TreeNode): void {
  equal(one, what, comparable(ours), comparable(kernels))
}

export function equal(one: Sequence, what: string, ours: unknown, kernels: unknown): void {
  assert.deepEqual(
    ours,
    kernels,
    `seed ${one.seed}, ${what}\nlayers ${JSON.stringify(one.layers)}\nops ${JSON.stringify(one.ops)}`,
  )
}
