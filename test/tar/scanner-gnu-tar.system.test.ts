/** A third opinion on valid and on damaged archives: we refuse, or GNU tar sees the same. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random, randomArchive } from '../build/random-tar.js'
import { hasSizeWithoutContent } from '../build/tar-exemptions.js'
import { damage, gnuTar, ours } from '../build/tar-readers.js'

const seed = Number(process.env.PHYLLO_TEST_SEED ?? 20_240_607)

test(`valid archives: GNU tar agrees (seed ${seed})`, () => {
  for (let i = 0; i < 60; i++) {
    const { bytes } = randomArchive(seed + i, { binaryNames: true, ...(i % 3 === 0 ? { magic: 'v7' } : {}) })
    assert.deepEqual(ours(bytes, true), gnuTar(bytes), `seed ${seed + i}`)
  }
})

test(`damaged archives: we refuse, or GNU tar agrees (seed ${seed})`, () => {
  let accepted = 0
  for (let i = 0; i < 600; i++) {
    const random = new Random(seed + i)
    const bytes = damage(random, randomArchive(seed + i, { entries: 4, bodyBytes: 600 }).bytes)
    const listing = ours(bytes, true)
    if (listing === undefined || hasSizeWithoutContent(bytes)) continue
    accepted++
    assert.deepEqual(listing, gnuTar(bytes), `seed ${seed + i}`)
  }
  assert.ok(accepted > 30, `${accepted} accepted: the damage is too great to say anything`)
})
