/**
 * Commands over a container and over the naive model, made by fast-check, which shrinks what fails and prints its seed (facts: 6.4).
 * In memory; with the upper on disk, opened anew in between (P-24, P-60); and with a kill between any two frames of the journal,
 * behind which the state before or after the step that was under way must stand (P-73).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { NaiveContainer } from '../build/naive-container.js'
import { layers } from '../build/union-arbitraries.js'
import { assertSame, commands } from '../build/union-commands.js'
import { type Keeping, Session } from '../build/union-session.js'

async function check(keeping: Keeping, runs: number, most: number): Promise<number> {
  const ran = new Map<string, number>()
  let cuts = 0
  await fc.assert(
    fc.asyncProperty(
      layers(),
      fc.constantFrom('exdev' as const, 'copy' as const),
      fc.commands([...commands], { maxCommands: most, size: 'max' }),
      async (layers, directoryRename, list) => {
        await using session = await Session.open(layers, keeping, directoryRename)
        const expected = { model: new NaiveContainer(layers, directoryRename === 'copy'), ran, done: 0 }
        await fc.asyncModelRun(() => ({ model: expected, real: session }), list)
        assertSame(expected, session)
        cuts += session.cuts
      },
    ),
    { numRuns: Number(process.env.PHYLLO_RUNS ?? runs) },
  )
  // A generator that has gone blind would find nothing
  const seen = [...ran.keys()]
  const [kinds, done] = [seen.filter(key => !key.includes(' ')), seen.filter(key => key.endsWith(' done'))]
  assert.equal(kinds.length, 29, seen.join())
  if (keeping === 'memory') assert.equal(done.length, 25, seen.join())
  return cuts
}

test('29 commands do what the model does, in memory', async () => {
  await check('memory', 100, 40)
})

test('P-24, P-60: 29 commands do what the model does, the upper on disk and opened anew in between', async () => {
  await check('packed', 40, 40)
})

test('P-73: killed between any two frames of the journal, the state before or after the step is there', async () => {
  const cuts = await check('killed', 40, 40)
  assert.ok(cuts > 30, `${cuts} cuts`)
})
