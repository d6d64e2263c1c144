/** The same work at once and off the thread: what it gives, in which order, and where failures are thrown. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { doLater, doNow, type Work, wait } from '../src/either-way.js'

/** Waits for each number in turn; failures are numbers below zero, and the work goes on after one. */
function* work(numbers: readonly number[], seen: (string | number)[]): Work<string> {
  try {
    for (const number of numbers) {
      const one = (way: string) => {
        seen.push(way)
        if (number < 0) throw new RangeError(`${number}`)
        return number
      }
      try {
        seen.push(
          yield* wait(
            () => one('now'),
            async () => one('later'),
          ),
        )
      } catch (error) {
        if (number < -1) throw error
        seen.push('caught')
      }
    }
    return 'done'
  } finally {
    seen.push('end')
  }
}

const ways = { now: async (one: Work<string>) => doNow(one), later: (one: Work<string>) => doLater(one) }

for (const [way, run] of Object.entries(ways)) {
  test(`${way}: results come back where they were waited for, failures are thrown there`, async () => {
    const seen: (string | number)[] = []
    assert.equal(await run(work([1, -1, 2], seen)), 'done')
    assert.deepEqual(seen, [way, 1, way, 'caught', way, 2, 'end'])
  })

  test(`${way}: what the work does not catch is its own failure, after its end`, async () => {
    const seen: (string | number)[] = []
    await assert.rejects(run(work([1, -2, 3], seen)), RangeError)
    assert.deepEqual(seen, [way, 1, way, 'end'])
  })
}

test('at once means before it returns', () => {
  const seen: (string | number)[] = []
  doNow(work([1], seen))
  assert.deepEqual(seen, ['now', 1, 'end'])
})
