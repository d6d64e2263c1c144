/**
 * Random sequences of operations on a container and on a real overlay mount: the errno of every operation, the merged tree after
 * every ten, the canonical upper at the end, and the mount of an upper made from ours. Needs root.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareWithKernel, Differences } from '../build/union-against-kernel.js'
import { deliberateDifferences, unmet } from '../build/union-profile.js'

const sequences = 200
const operations = 60

function seedOf(): number {
  const seed = Number(process.env.PHYLLO_TEST_SEED ?? Date.now() % 1_000_000)
  console.log(`seed ${seed}`)
  return seed
}

test(`${sequences} sequences of ${operations} operations do what the kernel's overlayfs does`, async () => {
  const [outcomes, differences] = [new Map<string, number>(), new Differences()]
  await compareWithKernel({ seed: seedOf(), sequences, operations, differences, outcomes })
  assert.deepEqual(unmet(outcomes, sequences * operations), [])
  assert.deepEqual([...differences.counts.keys()], Object.keys(deliberateDifferences))
})

test('with every directory renamed, they do what a mount with redirect_dir=on does', async () => {
  const directoryRename = 'copy'
  await compareWithKernel({ seed: seedOf(), sequences, operations, directoryRename, differences: new Differences() })
})
