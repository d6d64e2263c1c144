/**
 * Scripts of changes, with directories moved by `mv`, in a container of a real dockerd and in ours: what succeeds, the trees, `docker
 * diff`, the layers that both commit, and either image on either side. `mv` copies a directory of the image there, and here it is
 * renamed with all that is below it: nobody can tell.
 */
import assert from 'node:assert/strict'
import { after, before, type TestContext, test } from 'node:test'
import { type Met, randomScripts } from '../build/random-script.js'
import { assertSame, type Batch, comparisons, openSides, runBatch, type Sides } from '../build/script-run.js'
import { linksOfTheImage, scripts, thereAndBack } from '../build/scripts.js'
import { freshSeed } from '../build/union-sequence.js'

const count = 24
let sides: Sides

before(async () => {
  sides = await openSides()
})
after(() => sides[Symbol.asyncDispose]())

async function assertAllSame(t: TestContext, batch: Batch): Promise<void> {
  for (const comparison of comparisons(batch)) await t.test(comparison.what, () => assertSame(batch, comparison))
}

test(`${scripts.length} scripts about moved directories`, async t => {
  await assertAllSame(t, await runBatch(sides, 'fixed', scripts))
})

test(`${count} random scripts`, async t => {
  const met: Met = { done: 0, moved: 0 }
  await assertAllSame(t, await runBatch(sides, 'random', randomScripts(freshSeed(), count, met)))
  assert.ok(met.done > count * 8 && met.moved > count / 4, JSON.stringify(met))
})

test('what is meant to differ: a directory moved there and back is no change, and its hard links stay links', async () => {
  const { ours, theirs } = await runBatch(sides, 'differs', [thereAndBack, linksOfTheImage])
  const below = (lines: readonly string[], top: string) => lines.filter(line => line.includes(top))
  assert.deepEqual(below(ours.tree, '/w/back/'), below(theirs.tree, '/w/back/'))
  assert.deepEqual(below(ours.layer, '/w/back/'), [])
  assert.ok(theirs.layer.includes('opaque /w/back/d'))
  const joined = (lines: readonly string[]) => below(lines, 'same as "/w/links/').length
  assert.deepEqual([joined(ours.tree), joined(theirs.tree)], [2, 0])
  // A layer cannot link to a name of a layer below.
  assert.deepEqual([joined(ours.images[0]!), joined(theirs.images[0]!)], [1, 0])
})
