/** Uppers that go from a container to the kernel and back, again and again, and uppers that a kernel has written. Needs root. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changes } from '../../src/overlay/difference/changes.js'
import type { Union } from '../../src/overlay/union/union.js'
import { applyNaively, type Flat, flatten, withLayer } from '../build/commit-run.js'
import { dockerChanges } from '../build/docker-changes.js'
import { importUpper, rootNodeOf } from '../build/kernel-upper.js'
import { memoryUpper } from '../build/memory-upper.js'
import { Kernel } from '../build/overlay-kernel.js'
import { dir, file } from '../build/tree-literals.js'
import { compareByTurns } from '../build/union-alternating.js'
import { comparable, dumpRoot, dumpUpper } from '../build/union-dump.js'
import { Differences } from '../build/union-profile.js'
import { layerOf, unionOf } from '../build/union-run.js'
import { freshSeed, type Op, sequence, type TreeNode, type TreeNodes } from '../build/union-sequence.js'

const sequences = 60
const operations = 60

function imported(layers: readonly TreeNodes[], root: TreeNode): Union {
  const below = layers.map(layerOf)
  const upper = memoryUpper(rootNodeOf(root))
  importUpper(root, below, upper)
  return unionOf(below, upper)
}

const byPath = (flat: Flat) => Object.fromEntries([...flat].sort(([a], [b]) => (a < b ? -1 : 1)))

test(`P-67: ${sequences} sequences, by turns in a container and in the kernel, end as they do in the kernel alone`, async () => {
  const handovers = await compareByTurns({ seed: freshSeed(), sequences, operations, differences: new Differences() })
  for (const [what, count] of Object.entries(handovers)) assert.ok(count > sequences, `${count} ${what}`)
})

test(`P-66, P-69: ${sequences} uppers that the kernel has written show what it showed; their changes are those of two trees`, async () => {
  const seed = freshSeed()
  await using kernel = new Kernel()
  for (let at = seed; at < seed + sequences; at++) {
    const { layers, ops } = sequence(at, operations)
    const { trees, upper } = await kernel.run({ layers, ops, looks: [0, operations] })
    const [before, after] = trees.map(tree => tree.children!) as [TreeNodes, TreeNodes]
    const union = imported(layers, upper)
    assert.deepEqual(comparable(dumpRoot(union)), comparable(trees[1]!), `seed ${at}`)
    const listed = [...changes(union)].map(({ kind, path }) => `${kind} ${path}`)
    assert.deepEqual(listed, dockerChanges(before, after), `seed ${at}`)
    await withLayer(union, committed => {
      const applied = committed === undefined ? flatten(before) : applyNaively(flatten(before), committed.tar)
      assert.deepEqual(byPath(applied), byPath(flatten(after)), `seed ${at}`)
    })
  }
})

const layer: TreeNodes = { d: dir({ f: file('f'), g: file('g') }), f: file() }

/** An upper that the kernel leaves behind. */
async function written(ops: readonly Op[], mount: string, upper?: TreeNode) {
  await using kernel = new Kernel()
  return await kernel.run({ layers: [layer], ops, looks: [ops.length], mount, ...(upper && { upper }) })
}

const refusals: readonly (readonly [path: string, xattr: string, ops: readonly Op[], mount: string])[] = [
  ['/e', 'trusted.overlay.redirect', [['rename', '/d', '/e', '']], ',redirect_dir=on'],
  ['/f', 'trusted.overlay.metacopy', [['chmod', '/f', 0o600]], ',metacopy=on'],
]
for (const [path, xattr, ops, mount] of refusals)
  test(`P-70: an upper with ${xattr} is refused`, async () => {
    const { upper } = await written(ops, mount)
    assert.throws(() => imported([layer], upper), { name: 'UpperRefused', path, xattr })
  })

test('P-70: an upper with whiteouts that are xattrs is refused, of either kind of mount, before anything is made of it', async () => {
  for (const xattr of ['trusted.overlay.whiteout', 'user.overlay.whiteout']) {
    const hidden = dir({ d: dir({ a: file(), g: file('', { overlay: { [xattr]: '' } }) }) })
    const { upper } = await written([], '', hidden)
    const into = memoryUpper(rootNodeOf(upper))
    assert.throws(() => importUpper(upper, [layerOf(layer)], into), { name: 'UpperRefused', path: '/d/g', xattr })
    assert.equal(into.root.children.size, 0)
  }
})

test('P-70: opaque directories of a mount with userxattr are read', async () => {
  const ops: Op[] = [
    ['unlink', '/d/f'],
    ['unlink', '/d/g'],
    ['rmdir', '/d'],
    ['mkdir', '/d', 0o755],
  ]
  const { upper, trees } = await written(ops, ',userxattr')
  const union = imported([layer], upper)
  assert.deepEqual(comparable(dumpRoot(union)), comparable(trees[0]!))
  assert.deepEqual(dumpUpper(union).children!.d!.opaque, true)
})
