/** A proof against the kernel that has met too little fails: what it must meet is a list, and the list is looked at. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Differences, deliberateDifferences, outcomesToMeet, unmet } from '../build/union-profile.js'

test('an outcome that came too seldom, and a rule that nobody needed, are named', () => {
  const pairs = Object.entries(outcomesToMeet).flatMap(([call, codes]) => codes.map(code => `${call} ${code}`))
  const rules = Object.keys(deliberateDifferences)
  assert.deepEqual(unmet({ outcomes: new Map(), differences: new Differences() }, 60), [...pairs, ...rules])
  const outcomes = new Map(pairs.map(pair => [pair, 3]))
  const differences = new Differences()
  for (const rule of rules) differences.count(rule)
  assert.deepEqual(unmet({ outcomes, differences }, 39_999), [])
  outcomes.set('rename EXDEV', 2)
  assert.deepEqual(unmet({ outcomes, differences }, 39_999), ['rename EXDEV'])
  assert.throws(() => differences.count('a new one'), TypeError)
})
