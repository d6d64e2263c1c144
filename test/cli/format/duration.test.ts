import assert from 'node:assert/strict'
import { test } from 'node:test'
import { humanAge, humanDuration } from '../../../src/cli/format/duration.js'

const minute = 60
const hour = 60 * minute
const day = 24 * hour

/** Boundaries of go-units' HumanDuration, which Docker's client prints. */
test('spans of time, on both sides of every boundary', () => {
  const spans: readonly (readonly [seconds: number, text: string])[] = [
    [-5, 'Less than a second'],
    [0, 'Less than a second'],
    [0.999, 'Less than a second'],
    [1, '1 second'],
    [1.9, '1 second'],
    [2, '2 seconds'],
    [59.9, '59 seconds'],
    [minute, 'About a minute'],
    [2 * minute - 1, 'About a minute'],
    [2 * minute, '2 minutes'],
    [hour - 1, '59 minutes'],
    [hour, 'About an hour'],
    [1.5 * hour - 1, 'About an hour'],
    [1.5 * hour, '2 hours'],
    [47.5 * hour - 1, '47 hours'],
    [47.5 * hour, '2 days'],
    [335.5 * hour - 1, '13 days'],
    [335.5 * hour, '2 weeks'],
    [60 * day - 0.5 * hour - 1, '8 weeks'],
    [60 * day - 0.5 * hour, '2 months'],
    [730 * day - 0.5 * hour - 1, '24 months'],
    [730 * day - 0.5 * hour, '1 years'],
    [730 * day, '2 years'],
    [3 * 365 * day, '3 years'],
    [63_000_000_000, '292 years'],
  ]
  for (const [seconds, text] of spans) assert.equal(humanDuration(seconds), text, String(seconds))
})

test('ages', () => {
  assert.equal(humanAge(1000, 1006.5), '6 seconds ago')
  assert.equal(humanAge(2000, 1000), 'Less than a second ago')
  assert.equal(humanAge(-62_135_596_800, 1_795_308_316), '292 years ago')
})
