/** The board of parts: each is taken once, in their order, by however many threads; who waits is told of the end. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { mostParts, PlanBoard } from '../../src/unpack/plan-board.js'

const parts = Array.from({ length: 1000 }, (_, i) => ({ from: 10 * i, to: 10 * i + 10 }))

test('parts come in their order, then none', () => {
  const board = PlanBoard.of(parts)
  const other = new PlanBoard(board.shared)
  const taken = parts.map((_, i) => (i % 3 === 0 ? other : board).take(() => assert.fail('nothing to wait for')))
  assert.deepEqual(taken, parts)
  assert.equal(board.take(assert.fail), undefined)
  assert.equal(other.take(assert.fail), undefined)
})

test('threads share them while they are still being told, each part once', async () => {
  const board = new PlanBoard()
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(workerData.module).then(({ PlanBoard }) => {
      const board = new PlanBoard(workerData.shared)
      const taken = []
      for (let part = board.take(() => {}); part; part = board.take(() => {})) taken.push(part.from)
      parentPort.postMessage(taken)
    })`
  const module = new URL('../../src/unpack/plan-board.js', import.meta.url).href
  const workerData = { module, shared: board.shared }
  const threads = [1, 2].map(() => new Worker(code, { eval: true, workerData }))
  const answers = threads.map(thread => once(thread, 'message') as Promise<[number[]]>)
  for (const [i, part] of parts.entries()) {
    board.add(part)
    if (i % 100 === 0) await new Promise(setImmediate)
  }
  board.end()
  const taken = (await Promise.all(answers)).map(([list]) => list)
  for (const list of taken)
    assert.deepEqual(
      list,
      [...list].sort((a, b) => a - b),
    )
  assert.deepEqual(
    taken.flat().sort((a, b) => a - b),
    parts.map(({ from }) => from),
  )
})

test('who waits looks whether it is to stop, and a board that is full says so', () => {
  const board = new PlanBoard()
  const stop = new Error('stop')
  assert.throws(
    () =>
      board.take(() => {
        throw stop
      }),
    stop,
  )
  for (let i = 0; i < mostParts; i++) board.add({ from: i, to: i + 1 })
  assert.throws(() => board.add({ from: 0, to: 1 }), RangeError)
})
