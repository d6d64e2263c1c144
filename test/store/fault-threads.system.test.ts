/**
 * Calls that fail in worker threads, those with which a thread loads its modules included: strace lets the k-th call of a kind of every
 * thread fail. The process lives, the failure is told, the same work then succeeds, and nothing is left behind.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { writeArchive } from '../build/crash-images.js'
import { compiledRoot } from '../build/repo.js'
import { type Injection, trace } from '../build/strace.js'
import { randomOf } from '../build/upper-sequence.js'

const seed = Number(process.env.PHYLLO_TEST_SEED ?? Date.now() % 1_000_000)
const random = randomOf(seed)
const dir = mkdtempSync(join(tmpdir(), 'phyllo-threads-'))
after(() => rmSync(dir, { recursive: true, force: true }))
const timeoutMs = 30_000

interface Outcome {
  readonly ok?: boolean
  readonly code?: string
  readonly operation?: string
  readonly path?: string
  readonly errno?: string
  readonly untyped?: string
  readonly unhandled?: string
  readonly cause?: string
}

interface Run {
  readonly outcomes: readonly Outcome[]
  readonly done: boolean
  readonly ended: string
  /** Calls that were made to fail. */
  readonly injected: readonly string[]
}

async function runWith(injection: Injection): Promise<Run> {
  const home = mkdtempSync(join(dir, 'run-'))
  mkdirSync(join(home, 'warm'))
  writeArchive(home, 'in.tar', { a: ['new:1'], c: ['new:2'] })
  const env = { ...process.env, UV_USE_IO_URING: '0' }
  const program = join(compiledRoot, 'test/build/fault-process.js')
  const child = spawn(process.execPath, [program, home], { env, stdio: ['pipe', 'pipe', 'pipe'] })
  let [text, said] = ['', '']
  child.stderr.on('data', (bytes: Buffer) => (said += bytes))
  const ended = once(child, 'close')
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (bytes: Buffer) => {
      text += bytes
      if (text.startsWith('ready')) resolve()
    })
    child.once('close', () => reject(new Error(`it ended before it was ready: ${said}`)))
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  const { calls } = await trace(child.pid!, join(home, 'trace'), injection)
  child.stdin.end('go\n')
  const [status, signal] = (await ended) as [number | null, string | null]
  clearTimeout(timer)
  const lines = text.split('\n').filter(line => line.startsWith('{'))
  const injected = (await calls).map(({ line }) => line).filter(line => line.includes('(INJECTED)'))
  const left = ['stages', 'owners', 'limbo', 'trash'].flatMap(name => readdirSync(join(home, 'store/phyllo', name)))
  rmSync(home, { recursive: true })
  const run = { outcomes: lines.map(line => JSON.parse(line) as Outcome), done: text.endsWith('done\n'), injected }
  assert.ok(run.done, `it did not finish (${status}, ${signal}): ${text} ${said}`)
  assert.deepEqual(left, [], 'something is left behind')
  return { ...run, ended: said }
}

/** Answers whether anything failed. */
async function assertTold(injection: Injection): Promise<boolean> {
  const what = `${injection.call} ${injection.nth}: ${injection.errno} (seed ${seed})`
  const { outcomes, injected } = await runWith(injection)
  assert.ok(injected.length > 0, `${what}: no call failed`)
  const failures = outcomes.filter(({ ok }) => !ok)
  assert.equal(outcomes.length - failures.length, 3, `${what}: not done: ${JSON.stringify(outcomes)}`)
  for (const failure of failures) assertOne(failure, what, injection)
  return failures.length > 0
}

function assertOne(failure: Outcome, what: string, { errno }: Injection): void {
  assert.deepEqual([failure.untyped, failure.unhandled], [undefined, undefined], what)
  if (failure.code === 'WORKER_DIED') assert.notEqual(failure.cause, 'undefined', what)
  else assert.deepEqual([typeof failure.operation, failure.errno], ['string', errno], JSON.stringify({ what, failure }))
}

test(`a thread that cannot load its modules: the process lives, and so does the store (seed ${seed})`, async () => {
  for (const [errno, nth] of [
    ['EMFILE', 1],
    ['EIO', 2 + random(8)],
    ['ENFILE', 10 + random(20)],
  ] as const)
    await assertTold({ call: 'openat', nth, errno })
})

test(`a call of a job that fails is told with what, where and why (seed ${seed})`, async () => {
  const kinds = [
    ['pwritev', 'ENOSPC', 3],
    ['pwritev', 'EIO', 3],
    ['pread64', 'EIO', 6],
    ['pwrite64', 'EDQUOT', 2],
  ] as const
  let failed = 0
  for (const [call, errno, most] of kinds) if (await assertTold({ call, errno, nth: 1 + random(most) })) failed++
  assert.ok(failed > 0, 'no job failed')
})
