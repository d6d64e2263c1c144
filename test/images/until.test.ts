import assert from 'node:assert/strict'
import { test } from 'node:test'
import { untilSeconds } from '../../src/images/until.js'

const now = Date.parse('2024-05-01T12:00:00Z') / 1000

test('durations count back from now, times and seconds are absolute', () => {
  assert.equal(untilSeconds('24h', now), now - 86_400)
  assert.equal(untilSeconds('1h30m', now), now - 5400)
  assert.equal(untilSeconds('1.5h', now), now - 5400)
  assert.equal(untilSeconds('2024-05-01T10:00:00Z', now), now - 7200)
  assert.equal(untilSeconds('2024-05-01T12:00:00+02:00', now), now - 7200)
  assert.equal(untilSeconds('1714557600', now), 1_714_557_600)
  assert.equal(untilSeconds('1714557600.5', now), 1_714_557_600.5)
  assert.equal(untilSeconds('2024-05-01', now), new Date(2024, 4, 1).getTime() / 1000)
})

test('what is no moment is refused', () => {
  for (const text of ['', 'yesterday', '5 days', '24', '2024-13-01', '1d'].filter(text => !/^\d+$/.test(text)))
    assert.throws(() => untilSeconds(text, now), TypeError, text)
})

test('a day or an hour that no calendar has is not taken for the next one, as in Docker', () => {
  for (const text of [
    '2024-02-30',
    '2023-02-29',
    '2024-04-31T10:00:00Z',
    '2024-00-01',
    '2024-05-01T24:00',
    '2024-05-01T24',
  ])
    assert.throws(() => untilSeconds(text, now), TypeError, text)
  assert.equal(untilSeconds('2024-02-29T23:59:00Z', now), Date.UTC(2024, 1, 29, 23, 59) / 1000)
})

test('a duration may begin with its point, as in Go', () => {
  assert.equal(untilSeconds('.5h', now), now - 1800)
  assert.equal(untilSeconds('1h.5m', now), now - 3630)
  for (const text of ['.h', '.', 'h']) assert.throws(() => untilSeconds(text, now), TypeError, text)
})
