/**
 * Random sequences of operations on a container and on a real overlay mount: the errno of every operation, the merged tree after
 * every ten, the canonical upper at the end, and the mount of an upper made from ours (P-65). Needs root.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareWithKernel } from '../build/union-against-kernel.js'
import { Differences, unmet } from '../build/union-profile.js'
import { freshSeed } from '../build/union-sequence.js'

const sequences = 200
const operations = 60

test(`${sequences} sequences of ${operations} operations do what the kernel's overlayfs does`, async () => {
  const tally = { outcomes: new Map<string, number>(), differences: new Differences() }
  await compareWithKernel({ seed: freshSeed(), sequences, operations, ...tally })
  assert.deepEqual(unmet(tally, sequences * operations), [])
})

test('with every directory renamed, they do what a mount with redirect_dir=on does', async () => {
  const directoryRename = 'copy'
  await compareWithKernel({ seed: freshSeed(), sequences, operations, directoryRename, differences: new Differences() })
})
