/** The count of cores in use. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { acquire, coresInUse, createCores, joinCores, reclaimCores, release, tryAcquire } from '../../src/pool/cores.js'

test('no more are lent than there are', () => {
  const cores = createCores(2)
  assert.deepEqual([tryAcquire(cores), tryAcquire(cores), tryAcquire(cores)], [true, true, false])
  release(cores)
  assert.equal(tryAcquire(cores), true)
  assert.equal(coresInUse(cores), 2)
})

test('a job always has its core, and borrows only what is free', () => {
  const cores = createCores(2)
  const [one, other] = [joinCores(cores), joinCores(cores)]
  assert.equal(one.tryBorrow(), false)
  other.leave()
  other.leave()
  assert.equal(one.tryBorrow(), true)
  assert.equal(one.tryBorrow(), false)
  const late = joinCores(cores)
  assert.equal(coresInUse(cores), 3)
  one.giveBack()
  assert.equal(late.tryBorrow(), false)
  assert.throws(() => one.giveBack(), TypeError)
  one.leave()
  late.leave()
  assert.equal(coresInUse(cores), 0)
})

test('leave gives back what was borrowed as well', () => {
  const cores = createCores(4)
  const share = joinCores(cores)
  assert.ok(share.tryBorrow() && share.tryBorrow())
  share.leave()
  assert.equal(coresInUse(cores), 0)
})

test('what a killed thread held is given back', async () => {
  const cores = createCores(4)
  acquire(cores)
  const module = new URL('../../src/pool/cores.js', import.meta.url).href
  const code = `import(${JSON.stringify(module)}).then(({ joinCores }) => {
    const share = joinCores(require('node:worker_threads').workerData)
    share.tryBorrow()
    setInterval(() => share, 1000)
    require('node:worker_threads').parentPort.postMessage('holding')
  })`
  const worker = new Worker(code, { eval: true, workerData: cores })
  const { threadId } = worker
  await new Promise(resolve => worker.once('message', resolve))
  assert.equal(coresInUse(cores), 3)
  await worker.terminate()
  reclaimCores(cores, threadId)
  reclaimCores(cores, threadId)
  assert.equal(coresInUse(cores), 1)
})

test('many threads never hold more than there are', async () => {
  const cores = createCores(3)
  const module = new URL('../../src/pool/cores.js', import.meta.url).href
  const code = `import(${JSON.stringify(module)}).then(({ tryAcquire, release, coresInUse }) => {
    const { workerData: cores, parentPort } = require('node:worker_threads')
    let most = 0
    for (let i = 0; i < 20000; i++) if (tryAcquire(cores)) { most = Math.max(most, coresInUse(cores)); release(cores) }
    parentPort.postMessage(most)
  })`
  const most = await Promise.all(
    Array.from(
      { length: 4 },
      () =>
        new Promise<number>(resolve => new Worker(code, { eval: true, workerData: cores }).once('message', resolve)),
    ),
  )
  assert.ok(Math.max(...most) <= 3)
  assert.equal(coresInUse(cores), 0)
})

test('a count of cores that is none is a misuse', () => {
  for (const count of [0, -1, 1.5, Number.NaN]) assert.throws(() => createCores(count), TypeError)
})
