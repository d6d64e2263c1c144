/**
 * Containers of real directories and the kernel's overlayfs: the same operations on both, and a mount of our upper, while it is
 * open, shows what the union shows (P-65, P-67 of real uppers). Needs root.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { DirectoryContainer } from '../../build/directory-container.js'
import { Kernel } from '../../build/overlay-kernel.js'
import { Random } from '../../build/random-tar.js'
import { systemCalls } from '../../build/real-tree.js'
import { equalOutcomes, equalTrees } from '../../build/union-against-kernel.js'
import { canonical, comparable, dumpRoot, dumpUpper } from '../../build/union-dump.js'
import { Differences } from '../../build/union-profile.js'
import { outcomeOf } from '../../build/union-run.js'
import { freshSeed, sequence, type TreeNode } from '../../build/union-sequence.js'

const calls = await systemCalls()
const sequences = 60
const operations = 60
const every = 6

/** Names of one inode are names of their own here: which of them are links depends on the way that a directory went. */
function withoutLinks({ nlink: _, group: __, children, ...node }: TreeNode): TreeNode {
  if (children === undefined) return node
  return {
    ...node,
    children: Object.fromEntries(Object.entries(children).map(([name, child]) => [name, withoutLinks(child)])),
  }
}

for (const directoryRename of ['exdev', 'copy'] as const)
  test(`${sequences} sequences do what the kernel does (${directoryRename}), and it shows our upper as we do, at any moment`, async () => {
    const seed = freshSeed()
    await using kernel = new Kernel()
    const copies = directoryRename === 'copy'
    for (let at = seed; at < seed + sequences; at++) {
      const one = sequence(at, operations)
      const looks = Array.from({ length: operations / every }, (_, index) => (index + 1) * every)
      const mount = copies ? ',redirect_dir=on' : ''
      const alone = await kernel.run({ layers: one.layers, ops: one.ops, looks, mount })
      await using box = await DirectoryContainer.make(join(kernel.scratch, 'box'), calls, one.layers, {
        directoryRename,
      })
      for (const [index, op] of one.ops.entries()) {
        equalOutcomes(one, index, outcomeOf(box.union, op), alone.results[index], { differences: new Differences() })
        const look = looks.indexOf(index + 1)
        if (look < 0) continue
        const shown = dumpRoot(box.union)
        const reference = alone.trees[look]!
        const what = `the tree after ${index + 1} operations`
        if (copies) equalTrees(one, what, withoutLinks(shown), withoutLinks(reference))
        else equalTrees(one, what, shown, reference)
        const { trees } = await box.mounted(kernel)
        equalTrees(one, `our upper, mounted after ${index + 1} operations`, trees[0]!, shown)
      }
      await box.reopen()
      equalTrees(one, 'opened again', dumpRoot(box.union), (await box.mounted(kernel)).trees[0]!)
      if (!copies)
        assert.deepEqual(canonical(box.union, dumpUpper(box.union)), canonical(box.union, alone.upper), `seed ${at}`)
    }
  })

test(`${sequences} sequences, by turns in a container and on a mount of it, end as in the kernel alone`, async () => {
  const seed = freshSeed()
  await using kernel = new Kernel()
  let turns = 0
  for (let at = seed; at < seed + sequences; at++) {
    const one = sequence(at, operations)
    const random = new Random(at)
    const alone = await kernel.run({ layers: one.layers, ops: one.ops, looks: [operations] })
    await using box = await DirectoryContainer.make(join(kernel.scratch, 'box'), calls, one.layers)
    for (let from = 0; from < operations; ) {
      const piece = one.ops.slice(from, from + 1 + random.int(12))
      const ours = random.int(2) === 0
      if (ours) await box.reopen()
      const answer = ours ? undefined : await box.mounted(kernel, piece)
      for (const [index, op] of piece.entries()) {
        const result = answer === undefined ? outcomeOf(box.union, op) : answer.results[index]
        equalOutcomes(one, from + index, result, alone.results[from + index], { differences: new Differences() })
      }
      if (answer !== undefined) {
        await box.reopen()
        assert.deepEqual(comparable(dumpRoot(box.union)), comparable(answer.trees[0]!), `seed ${at}, after ${from}`)
      }
      from += piece.length
      turns++
    }
    equalTrees(one, 'the end', dumpRoot(box.union), alone.trees[0]!)
  }
  assert.ok(turns > 2 * sequences)
})
