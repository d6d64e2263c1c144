import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Worker, WorkerOptions } from 'node:worker_threads'
import { PhylloError } from '../../src/errors.js'
import { defaultLimits } from '../../src/limits.js'
import type { DiffId } from '../../src/oci/digest.js'
import type { WriteLayerInput } from '../../src/pool/jobs.js'
import { Pool } from '../../src/pool/pool.js'
import { priorityOfThisThread } from '../build/thread-priority.js'

const dir = mkdtempSync(join(tmpdir(), 'phyllo-pool-'))
after(() => rmSync(dir, { recursive: true, force: true }))
const workersDir = new URL('./workers/', import.meta.url)

function input(label: string): WriteLayerInput {
  const source = { path: '/dev/null', offset: 0, sizeBytes: 0 }
  return { source, label, target: join(dir, 'out'), compression: 'none', limits: defaultLimits }
}

for (const workers of [0, 2]) {
  test(`workers: ${workers}: a job answers, and its progress is told`, async () => {
    await using pool = new Pool({ workers, workersDir })
    const seen: number[] = []
    const output = await pool.run('write-layer', input('fine'), { onProgress: bytes => seen.push(bytes) })
    assert.deepEqual(output.warnings, ['fine'])
    assert.equal(seen.at(-1), 7)
  })

  test(`workers: ${workers}: an engine error keeps its code, facts and cause across the thread`, async () => {
    await using pool = new Pool({ workers, workersDir })
    await assert.rejects(pool.run('write-layer', input('fail')), (error: PhylloError) => {
      assert.ok(error instanceof PhylloError)
      assert.equal(error.code, 'TAR_INVALID')
      assert.equal(error.offset, 512)
      assert.ok(error.cause instanceof TypeError)
      return true
    })
  })

  test(`workers: ${workers}: an errno error is told with operation and path, and keeps what it says`, async () => {
    await using pool = new Pool({ workers, workersDir })
    await assert.rejects(pool.run('write-layer', input('errno')), (error: PhylloError) => {
      const { code, errno, operation, path } = error
      assert.deepEqual(
        { code, errno, operation, path },
        { code: 'STORE_IO', errno: 'ENOENT', operation: 'open', path: '/nonexistent/file' },
      )
      const { code: said, errno: number, syscall } = error.cause as NodeJS.ErrnoException
      assert.deepEqual({ said, number, syscall }, { said: 'ENOENT', number: -2, syscall: 'open' })
      return true
    })
    assert.equal((await pool.run('write-layer', input('fine'))).tarBytes, 7)
  })

  test(`workers: ${workers}: a stop makes run reject with the signal's reason`, async () => {
    await using pool = new Pool({ workers, workersDir })
    const abort = new AbortController()
    const reason = new Error('no longer wanted')
    const run = pool.run('write-layer', input('step until stopped'), { signal: abort.signal })
    setTimeout(() => abort.abort(reason), 150)
    await assert.rejects(run, error => error === reason)
  })

  test(`workers: ${workers}: an aborted signal starts nothing`, async () => {
    await using pool = new Pool({ workers, workersDir })
    const reason = new Error('never mind')
    await assert.rejects(
      pool.run('write-layer', input('exit'), { signal: AbortSignal.abort(reason) }),
      error => error === reason,
    )
  })
}

test('a thread of the pool has a lower priority than the thread that waits for it, whose own stays', async () => {
  const own = priorityOfThisThread()
  const priority = async (workers: number) => {
    await using pool = new Pool({ workers, workersDir })
    const { warnings } = await pool.run('write-layer', input('which priority'))
    return Number(warnings[0])
  }
  assert.equal(await priority(1), Math.min(own + 5, 19))
  assert.equal(await priority(0), own)
  assert.equal(priorityOfThisThread(), own)
})

test('after an aborted run no thread writes any more, 20 times', async t => {
  await using pool = new Pool({ workers: 2, workersDir, killAfterMs: 0 })
  const target = join(dir, 'out')
  let threads = 0
  const onThread = (thread: Worker) => {
    threads++
    thread.once('exit', () => threads--)
  }
  process.on('worker', onThread)
  t.after(() => void process.off('worker', onThread))
  for (let i = 0; i < 20; i++) {
    const abort = new AbortController()
    writeFileSync(target, '')
    const run = pool.run('write-layer', input('write until killed'), { signal: abort.signal })
    while (statSync(target).size === 0) await sleep(2)
    abort.abort()
    await assert.rejects(run, { name: 'AbortError' })
    assert.equal(threads, 0)
    const size = statSync(target).size
    await sleep(10)
    assert.equal(statSync(target).size, size)
  }
})

test('a thread that has not begun its job is not killed: it may be importing', async () => {
  await using pool = new Pool({ workers: 1, workersDir, killAfterMs: 0 })
  const thread = async () => (await pool.run('write-layer', input('which thread'))).warnings
  const before = await thread()
  const slow = {
    source: { layerFile: '/dev/null' },
    diffId: `sha256:${'0'.repeat(64)}` as DiffId,
    target: join(dir, 'out'),
  }
  await assert.rejects(pool.run('gzip-layer', slow, { signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' })
  assert.deepEqual(await thread(), before)
})

test('a thread that dies is WORKER_DIED, and the pool goes on', async () => {
  await using pool = new Pool({ workers: 1, workersDir })
  await assert.rejects(pool.run('write-layer', input('exit')), { code: 'WORKER_DIED' })
  assert.deepEqual((await pool.run('write-layer', input('fine'))).warnings, ['fine'])
})

for (const broken of [1, 2])
  test(`${broken} of 2 threads cannot be started: the process lives, and the next job has a thread`, async t => {
    const threads = createRequire(import.meta.url)('node:worker_threads') as { Worker: typeof Worker }
    const { Worker: Real } = threads
    t.after(() => (threads.Worker = Real))
    let left = broken
    threads.Worker = class extends Real {
      constructor(file: string, options: WorkerOptions) {
        super(left-- > 0 ? join(dir, 'missing.js') : file, options)
      }
    }
    await using pool = new Pool({ workers: 2, workersDir })
    const jobs = await Promise.allSettled([1, 2, 3].map(() => pool.run('write-layer', input('fine'))))
    const ended = jobs.map(job => (job.status === 'fulfilled' ? 'fine' : (job.reason as PhylloError).code))
    // Where another thread has started by then, that one takes the job
    assert.ok(ended.filter(end => end === 'WORKER_DIED').length <= broken, String(ended))
    assert.equal(ended.at(-1), 'fine')
    for (const job of jobs)
      if (job.status === 'rejected') assert.match(String((job.reason as PhylloError).cause), /missing\.js/)
    assert.deepEqual((await pool.run('write-layer', input('fine'))).warnings, ['fine'])
  })

test('jobs begin in the order in which they were handed over', async () => {
  await using pool = new Pool({ workers: 1, workersDir })
  const { signal } = new AbortController()
  const ended: string[] = []
  const labels = Array.from({ length: 8 }, (_, i) => `job ${i}`)
  const runs = labels.map(async label => {
    await pool.run('write-layer', input(label), { signal })
    ended.push(label)
  })
  await Promise.all(runs)
  assert.deepEqual(ended, labels)
})

test('a job that waits for a thread leaves at once when it is aborted, and the others keep their order', async () => {
  await using pool = new Pool({ workers: 1, workersDir })
  const [first, second] = [new AbortController(), new AbortController()]
  const target = join(dir, 'waited for')
  writeFileSync(target, '')
  const run = (label: string, signal?: AbortSignal) =>
    pool.run('write-layer', { ...input(label), target }, signal && { signal })
  const running = run('step until stopped', first.signal)
  const aborted = run('fine', second.signal)
  const waiting = run('fine')
  while (statSync(target).size === 0) await sleep(5)
  second.abort(new Error('not that one'))
  const left = await Promise.race([aborted.catch((error: Error) => error.message), sleep(5000, 'it still waits')])
  assert.equal(left, 'not that one')
  first.abort(new Error('enough'))
  await assert.rejects(running, /enough/)
  assert.deepEqual((await waiting).warnings, ['fine'])
})

test('close ends jobs that run and jobs that wait', async () => {
  const pool = new Pool({ workers: 1, workersDir, killAfterMs: 0 })
  const target = join(dir, 'closed under it')
  writeFileSync(target, '')
  const runs = ['step until stopped', 'fine'].map(label => pool.run('write-layer', { ...input(label), target }))
  const outcomes = Promise.allSettled(runs)
  while (statSync(target).size === 0) await sleep(5)
  await pool.close()
  for (const outcome of await outcomes) assert.equal((outcome as PromiseRejectedResult).reason.code, 'STORE_CLOSED')
})

test('no thread before the first job, and a program that forgets close() still exits', async () => {
  const script = join(dir, 'forgets.mjs')
  writeFileSync(
    script,
    `import { readdirSync } from 'node:fs'
     import { Pool } from ${JSON.stringify(new URL('../../src/pool/pool.js', import.meta.url).href)}
     const threads = () => readdirSync('/proc/self/task').length
     const before = threads()
     const pool = new Pool({ workers: 1, workersDir: new URL(${JSON.stringify(workersDir.href)}) })
     console.log(threads() - before)
     const input = { source: { path: '/dev/null', offset: 0, sizeBytes: 0 }, label: 'fine', target: '', compression: 'none', limits: {} }
     await pool.run('write-layer', input)
     console.log('done')`,
  )
  const { stdout } = await promisify(execFile)(process.execPath, [script], { timeout: 20_000 })
  assert.equal(stdout, '0\ndone\n')
})

test('close is idempotent, and a closed pool refuses jobs', async () => {
  const pool = new Pool({ workers: 1, workersDir })
  await pool.run('write-layer', input('fine'))
  await pool.close()
  await pool.close()
  await assert.rejects(pool.run('write-layer', input('fine')), { code: 'STORE_CLOSED' })
})

test('a directory of workers without a trailing slash is taken, too', async () => {
  const pool = new Pool({ workers: 1, workersDir: new URL(workersDir).pathname.replace(/\/$/, '') })
  assert.deepEqual((await pool.run('write-layer', input('fine'))).warnings, ['fine'])
  await pool.close()
})

test('a job that stops by itself keeps its thread: nothing is killed inside of a native call', async () => {
  await using pool = new Pool({ workers: 1, workersDir, killAfterMs: 60_000 })
  const abort = new AbortController()
  const target = join(dir, 'steps')
  writeFileSync(target, '')
  const run = pool.run('write-layer', { ...input('step until stopped'), target }, { signal: abort.signal })
  while (statSync(target).size === 0) await sleep(2)
  const reason = new Error('enough')
  abort.abort(reason)
  await assert.rejects(run, error => error === reason)
  assert.deepEqual((await pool.run('write-layer', input('fine'))).warnings, ['fine'])
})
