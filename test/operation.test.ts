/** Every sentence that design and docs say about Operation<T>, one test each. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { getEventListeners } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { Operation, type OperationContext, type OperationEvent } from '../src/operation.js'
import { compiledRoot } from './build/repo.js'

/** Work that is driven from outside, and what was asked of it. */
function driven<T>(signal?: AbortSignal) {
  let context!: OperationContext
  let resolve!: (value: T) => void
  let reject!: (reason: unknown) => void
  const done = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  let starts = 0
  const operation = new Operation<T>(given => {
    starts++
    context = given
    return done
  }, signal)
  return { operation, resolve, reject, context, starts: () => starts }
}

const progress = (subject: string, done: number): OperationEvent => ({ type: 'progress', subject, done, total: 100 })
const milestone = (subject: string): OperationEvent => ({ type: 'layer', subject, message: 'there' })

async function collect(events: AsyncIterable<OperationEvent>): Promise<OperationEvent[]> {
  const seen: OperationEvent[] = []
  for await (const event of events) seen.push(event)
  return seen
}

test('it starts at once: the work runs before the constructor returns, awaited or not', async () => {
  const { operation, resolve, starts } = driven<number>()
  assert.equal(starts(), 1)
  resolve(1)
  await operation
})

test('it starts once, however often it is awaited and iterated', async () => {
  const { operation, resolve, starts } = driven<number>()
  const readers = [collect(operation), collect(operation)]
  resolve(7)
  await Promise.all([operation, operation.then(), operation.finally(), ...readers])
  await collect(operation)
  assert.equal(starts(), 1)
})

test('awaiting it twice gives the same value', async () => {
  const value = { image: 1 }
  const operation = new Operation(async () => value)
  assert.equal(await operation, value)
  assert.equal(await operation, value)
})

test('awaiting it twice gives the same error', async () => {
  const failure = new Error('no')
  const operation = new Operation(async () => {
    throw failure
  })
  await assert.rejects(async () => operation, failure)
  assert.equal(await operation.catch(error => error), failure)
})

test('work that throws before it returns a promise rejects, too', async () => {
  const failure = new Error('at once')
  const operation = new Operation(() => {
    throw failure
  })
  await assert.rejects(async () => operation, failure)
})

test('then, catch and finally are those of a promise', async () => {
  const good = new Operation(async () => 2)
  assert.equal(await good.then(value => value + 1), 3)
  assert.equal(await good.catch(() => 9), 2)
  let ran = 0
  assert.equal(await good.finally(() => void ran++), 2)
  assert.equal(ran, 1)
  const bad = new Operation<number>(async () => Promise.reject(new Error('no')))
  assert.equal(
    await bad.then(
      () => 1,
      () => 4,
    ),
    4,
  )
  assert.equal(await bad.catch(() => 5), 5)
  assert.deepEqual(
    (await Promise.allSettled([good, bad])).map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )
})

test('events come in order, typed, and the loop ends with the work', async () => {
  const { operation, resolve, context } = driven<void>()
  const seen = collect(operation)
  await sleep(1)
  for (const subject of ['a', 'b', 'c']) {
    context.emit(milestone(subject))
    await sleep(1)
  }
  resolve()
  assert.deepEqual(await seen, ['a', 'b', 'c'].map(milestone))
})

test('progress merges: a slow reader sees the newest of each subject, once', async () => {
  const { operation, resolve, context } = driven<void>()
  const events = operation[Symbol.asyncIterator]()
  const first = events.next()
  context.emit(progress('x', 0))
  assert.deepEqual(await first, { value: progress('x', 0), done: false })
  for (let done = 1; done <= 50; done++) {
    context.emit(progress('x', done))
    context.emit(progress('y', done * 2))
  }
  resolve()
  await operation
  assert.deepEqual((await events.next()).value, progress('x', 50))
  assert.deepEqual((await events.next()).value, progress('y', 100))
  assert.equal((await events.next()).done, true)
})

test('milestones never drop, however slow the reader and however late it comes', async () => {
  const { operation, resolve, context } = driven<void>()
  const all = Array.from({ length: 500 }, (_, i) => milestone(`layer ${i}`))
  const early = (async () => {
    const seen: OperationEvent[] = []
    for await (const event of operation) {
      seen.push(event)
      if (seen.length === 1) await sleep(5)
    }
    return seen
  })()
  for (const event of all) {
    context.emit(event)
    context.emit(progress('x', 1))
  }
  resolve()
  await operation
  const late = collect(operation)
  assert.deepEqual(
    (await early).filter(({ type }) => type !== 'progress'),
    all,
  )
  assert.deepEqual(await late, all)
})

test('readers are independent of each other', async () => {
  const { operation, resolve, context } = driven<void>()
  const left = collect(operation)
  const right = collect(operation)
  await sleep(1)
  context.emit(progress('x', 3))
  context.emit(milestone('l'))
  resolve()
  assert.deepEqual(await left, await right)
  assert.equal((await left).length, 2)
})

test('leaving the loop does not cancel, and other readers go on', async () => {
  const { operation, resolve, context } = driven<string>()
  const other = collect(operation)
  context.emit(milestone('a'))
  for await (const _ of operation) break
  context.emit(milestone('b'))
  assert.equal(context.signal.aborted, false)
  resolve('done')
  assert.equal(await operation, 'done')
  assert.deepEqual(await other, [milestone('a'), milestone('b')])
})

test('the loop ends without an error when the work fails: the error belongs to the promise', async () => {
  const { operation, reject, context } = driven<void>()
  const seen = collect(operation)
  context.emit(milestone('a'))
  reject(new Error('broken'))
  assert.deepEqual(await seen, [milestone('a')])
  await assert.rejects(async () => operation, /broken/)
})

test('after an abort it rejects with signal.reason, once the work has cleaned up', async () => {
  const controller = new AbortController()
  const steps: string[] = []
  const operation = new Operation<void>(async ({ signal }) => {
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('torn down')))).finally(
      async () => {
        await sleep(5)
        steps.push('clean')
      },
    )
  }, controller.signal)
  const reason = { why: 'the user went away' }
  controller.abort(reason)
  const error = await operation.catch(error => {
    steps.push('rejected')
    return error
  })
  assert.equal(error, reason)
  assert.deepEqual(steps, ['clean', 'rejected'])
})

test('a signal that is aborted already: the work never starts', async () => {
  const reason = new Error('too late')
  const { operation, starts } = driven<void>(AbortSignal.abort(reason))
  await assert.rejects(async () => operation, reason)
  assert.equal(starts(), 0)
  assert.deepEqual(await collect(operation), [])
})

test('without a signal the work gets one that never aborts', async () => {
  const { operation, resolve, context } = driven<void>()
  assert.equal(context.signal.aborted, false)
  resolve()
  await operation
})

test('the report says what it cost: filled in while it runs, stages of one name add up, failed ones count', async () => {
  const { operation, resolve, context } = driven<void>()
  assert.deepEqual(operation.report, { bytesRead: 0, bytesReused: 0, bytesWritten: 0, ms: {} })
  context.report.bytesRead += 5
  assert.equal(operation.report.bytesRead, 5)
  assert.equal(await context.stage('scan', async () => 'value'), 'value')
  const once = operation.report.ms.scan!
  assert.ok(once >= 0)
  await context.stage('scan', () => sleep(5))
  assert.ok(operation.report.ms.scan! > once)
  const failed = context.stage('hash', async () => Promise.reject(new Error('in the stage')))
  await assert.rejects(failed, /in the stage/)
  assert.deepEqual(Object.keys(operation.report.ms), ['scan', 'hash'])
  resolve()
  await operation
})

test('`ended` resolves when the work has ended, whichever way', async () => {
  const good = driven<void>()
  let ended = false
  void good.operation.ended.then(() => (ended = true))
  await sleep(1)
  assert.equal(ended, false)
  good.resolve()
  await good.operation.ended
  const bad = new Operation<void>(async () => Promise.reject(new Error('no')))
  bad.catch(() => undefined)
  assert.equal(await bad.ended, undefined)
})

/** Runs a program in a process of its own and gives the number of its unhandledRejections. */
async function unhandled(body: string): Promise<{ unhandled: number; log: string }> {
  const operation = pathToFileURL(join(compiledRoot, 'src/operation.js')).href
  const program = `
    import { Operation } from ${JSON.stringify(operation)}
    import { setTimeout as sleep } from 'node:timers/promises'
    let unhandled = 0, log = ''
    process.on('unhandledRejection', () => { unhandled++ })
    const failing = ms => new Operation(async ({ emit }) => {
      emit({ type: 'layer', subject: 'a', message: '' })
      await sleep(ms)
      emit({ type: 'layer', subject: 'b', message: '' })
      throw new Error('failed')
    })
    process.on('exit', () => console.log(JSON.stringify({ unhandled, log })))
    ${body}`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
  return JSON.parse(stdout)
}

test('a failure that nobody awaits is exactly one unhandledRejection', async () => {
  assert.deepEqual(await unhandled('failing(1)'), { unhandled: 1, log: '' })
  assert.deepEqual(await unhandled('await failing(1).ended; log = "on"'), { unhandled: 1, log: 'on' })
})

test('so it is when its events were read to the end, by one or two, or left', async () => {
  const read = 'const op = failing(5); for await (const e of op) log += e.subject'
  assert.deepEqual(await unhandled(read), { unhandled: 1, log: 'ab' })
  const two = `const op = failing(5); const read = async () => { for await (const e of op) await sleep(10) }
    await Promise.all([read(), read()])`
  assert.deepEqual(await unhandled(two), { unhandled: 1, log: '' })
  assert.deepEqual(await unhandled('for await (const e of failing(5)) break'), { unhandled: 1, log: '' })
  const after = 'const op = failing(1); await sleep(20); for await (const e of op) log += e.subject'
  assert.deepEqual(await unhandled(after), { unhandled: 1, log: 'ab' })
})

test('a failure that is awaited is none, also when it came while a slow reader was busy', async () => {
  assert.deepEqual(await unhandled('await failing(1).catch(() => { log = "caught" })'), { unhandled: 0, log: 'caught' })
  const slow = `const op = failing(1)
    for await (const e of op) { log += e.subject; await sleep(20) }
    await op.catch(() => { log += ' caught' })`
  assert.deepEqual(await unhandled(slow), { unhandled: 0, log: 'ab caught' })
})

test('the caller’s signal gets one listener, and none is left when the work has ended', async () => {
  const abort = new AbortController()
  const counts: number[] = []
  const operation = new Operation(async ({ signal }) => {
    for (let i = 0; i < 20; i++) signal.addEventListener('abort', () => undefined)
    counts.push(getEventListeners(abort.signal, 'abort').length)
  }, abort.signal)
  await operation
  counts.push(getEventListeners(abort.signal, 'abort').length)
  assert.deepEqual(counts, [1, 0])
})
