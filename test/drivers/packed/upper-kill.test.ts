/** Killed by SIGKILL at random moments: what is there is a prefix, and lacks nothing that was done 50 ms before, or synced. */
import { test } from 'node:test'
import { killOne } from '../../build/upper-kill.js'
import { randomOf } from '../../build/upper-sequence.js'

const kills = 20
const firstSeed = Number(process.env.PHYLLO_TEST_SEED ?? Date.now() % 1_000_000)

test(`${kills} kills (seed ${firstSeed})`, async t => {
  const random = randomOf(firstSeed)
  let [acknowledged, found] = [0, 0]
  for (let i = 0; i < kills; i += 2) {
    const both = [i, i + 1].map(each => killOne(firstSeed + each, random(250)))
    for (const killed of await Promise.all(both)) {
      acknowledged += killed.acknowledged
      found += killed.found
    }
  }
  t.diagnostic(`${acknowledged} steps acknowledged, ${found} found`)
})
