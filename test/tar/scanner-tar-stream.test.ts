/** A second opinion: tar-stream on valid archives of every kind. Damaged ones: scanner-gnu-tar.system.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random, randomArchive } from '../build/random-tar.js'
import { tarStreamErrs } from '../build/tar-exemptions.js'
import { damage, ours, tarStream } from '../build/tar-readers.js'

const seed = Number(process.env.PHYLLO_TEST_SEED ?? 20_240_607)

test(`valid archives: tar-stream agrees (seed ${seed})`, async () => {
  for (let i = 0; i < 150; i++) {
    const magic = (['ustar', 'gnu', 'v7'] as const)[i % 3]!
    const { bytes } = randomArchive(seed + i, { magic, binaryNames: magic !== 'ustar', xattrs: true })
    if (tarStreamErrs(bytes)) continue
    assert.deepEqual(ours(bytes), await tarStream(bytes), `seed ${seed + i}`)
  }
})

test(`damaged archives: we refuse, or tar-stream agrees (seed ${seed})`, async () => {
  let accepted = 0
  for (let i = 0; i < 600; i++) {
    const random = new Random(seed + i)
    const bytes = damage(random, randomArchive(seed + i, { entries: 4, bodyBytes: 600 }).bytes)
    const listing = ours(bytes)
    if (listing === undefined || tarStreamErrs(bytes)) continue
    accepted++
    assert.deepEqual(listing, await tarStream(bytes), `seed ${seed + i}`)
  }
  assert.ok(accepted > 30, `${accepted} accepted: the damage is too great to say anything`)
})
