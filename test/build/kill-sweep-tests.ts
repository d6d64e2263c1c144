/** The tests of a kill sweep, for one driver: a sample of what the campaign kill-sweep does in full. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Pool } from '../../src/pool/pool.js'
import { type CrashDriver, crashOperations } from './crash-operations.js'
import { KillTally, sweepSome } from './kill-sweep-run.js'
import { ownTmpfs } from './mounted.js'

/** Of each kind of work; with both drivers 120 and more. */
const killsEach = 8
const killsInAll = 60

export function killSweepTests(driver: CrashDriver): void {
  const seed = Number(process.env.PHYLLO_SEED ?? Date.now() % 1_000_000)
  const dir = ownTmpfs()
  const pool = new Pool({ workers: 1 })
  const tally = new KillTally()
  after(() => pool.close())

  for (const operation of crashOperations)
    test(`${operation.name}, killed at ${killsEach} calls`, async t => {
      t.diagnostic(`PHYLLO_SEED=${seed}`)
      const kills = await sweepSome({ operation, driver, dir, pool }, { seed, kills: killsEach, tally })
      assert.equal(kills, killsEach)
    })

  test('enough of these kills ended the work, in the main thread, in the pool of node and in a worker', t => {
    for (const line of tally.lines()) t.diagnostic(line)
    assert.ok(tally.kills >= killsInAll, `${tally.kills} kills`)
    for (const thread of ['main', 'pool', 'worker'] as const)
      assert.ok(tally.of(thread) > 0, `no kill in a ${thread} thread`)
  })
}
