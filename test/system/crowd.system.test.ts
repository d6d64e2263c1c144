/** Many processes on one store, with random deaths, for a minute: the campaign crowd does it for ten. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Pool } from '../../src/pool/pool.js'
import { crowd } from '../build/crowd.js'
import { ownTmpfs } from '../build/mounted.js'

const seed = Number(process.env.PHYLLO_SEED ?? Date.now() % 1_000_000)
const ms = Number(process.env.PHYLLO_CROWD_MS ?? 60_000)
const dir = ownTmpfs()
const pool = new Pool({ workers: 1 })
after(() => pool.close())

test('eight processes use one store, half of them without native code, and die now and then', async t => {
  t.diagnostic(`PHYLLO_SEED=${seed}`)
  const { kills, steps } = await crowd({ dir: join(dir, 'packed'), driver: 'packed', processes: 8, ms, seed, pool })
  t.diagnostic(`${kills} kills, ${JSON.stringify(steps)}`)
  assert.ok(kills > 0)
  for (const kind of ['load', 'tag', 'rmi', 'commit', 'read', 'save', 'gc', 'prune'])
    assert.ok((steps[kind] ?? 0) > 0, `no ${kind}: ${JSON.stringify(steps)}`)
})
