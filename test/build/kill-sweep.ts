/**
 * A process dies at the k-th call of a kind that changes something, and others look at what it left.
 *
 * A kill counts if the injection ended the process before it had finished, in a call that changes the store or the output.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Pool } from '../../src/pool/pool.js'
import { type CrashDriver, type CrashOperation, openStore, runOperation, verifyNames } from './crash-operations.js'
import { assertClean, recover } from './crash-recovery.js'
import { damageLayers } from './damaged-layers.js'
import { judge } from './naive-store.js'
import { compiledRoot } from './repo.js'
import { listing } from './stores.js'
import { changes, type Injection, type TracedCall, trace } from './strace.js'

export type Thread = 'main' | 'pool' | 'worker'

/** Where to kill. With many threads in node's own pool each of them has few calls, and the k-th is a worker's. */
export interface KillPoint extends Injection {
  readonly poolThreads: number
  /** Whose call it was when nobody was killed. */
  readonly thread: Thread
}

export interface Kill {
  readonly thread: Thread
  readonly call: string
  /** Steps that were told before. */
  readonly told: number
}

export interface KillSweepParts {
  readonly operation: CrashOperation
  readonly driver: CrashDriver
  /** A directory of its own, on a file system for overlay2. */
  readonly dir: string
  /** For what others do afterwards. */
  readonly pool: Pool
}

export class KillSweep {
  readonly #parts: KillSweepParts
  readonly #template: string
  #damage: readonly string[] = []

  private constructor(parts: KillSweepParts) {
    this.#parts = parts
    this.#template = join(parts.dir, 'template')
  }

  static async prepare(parts: KillSweepParts): Promise<KillSweep> {
    const sweep = new KillSweep(parts)
    const { operation, driver, pool } = parts
    const dir = join(sweep.#template, 'real')
    mkdirSync(dir, { recursive: true })
    await using store = await openStore(dir, driver, { pool, durability: 'none' })
    await operation.prepare({ store, dir, driver })
    await store.close()
    if (operation.damaged) {
      damageLayers(join(dir, 'store'))
      sweep.#damage = judge(join(dir, 'store')).findings
    }
    execFileSync('cp', ['-a', dir, join(sweep.#template, 'warm')])
    return sweep
  }

  /** Every point at which the operation changes something, as it goes when nobody is killed. */
  async points(): Promise<KillPoint[]> {
    const found = await this.#pointsWith(1)
    const workers = found.some(({ thread }) => thread === 'worker') ? await this.#pointsWith(manyThreads) : []
    const all = [...found, ...workers.filter(({ thread }) => thread === 'worker')]
    return [...new Map(all.map(point => [`${point.call} ${point.nth} ${point.poolThreads}`, point])).values()]
  }

  /** Undefined: the process had finished, or died in a call that changes nothing of ours. What it left was looked at anyway. */
  async kill(point: KillPoint): Promise<Kill | undefined> {
    const run = await this.#run(point.poolThreads, point)
    try {
      const { told, done, signal, calls, directory } = run
      const hit = calls.find(({ call, nth }) => call === point.call && nth === point.nth)
      await this.#verify(directory, { told, done })
      const counts = !done && signal === 'SIGKILL' && hit !== undefined && changes(hit, directory)
      return counts ? { thread: run.threadOf(hit), call: hit.call, told } : undefined
    } catch (error) {
      const where = `${this.#parts.operation.name}, ${this.#parts.driver}, killed at ${point.call} ${point.nth} of a ${point.thread} thread`
      throw new Error(
        `${where}, ${point.poolThreads} in node's pool, after ${run.told} steps: ${(error as Error).message}`,
        {
          cause: error,
        },
      )
    } finally {
      rmSync(run.home, { recursive: true, force: true })
    }
  }

  async #pointsWith(poolThreads: number): Promise<KillPoint[]> {
    const run = await this.#run(poolThreads)
    try {
      assert.ok(run.done, `${this.#parts.operation.name} did not finish`)
      await this.#verify(run.directory, { told: run.told, done: true })
      return run.calls
        .filter(call => changes(call, run.directory))
        .map(traced => ({ call: traced.call, nth: traced.nth, poolThreads, thread: run.threadOf(traced) }))
    } finally {
      rmSync(run.home, { recursive: true, force: true })
    }
  }

  async #run(poolThreads: number, injection?: Injection) {
    const { operation, driver, dir } = this.#parts
    const home = mkdtempSync(join(dir, 'run-'))
    const directory = join(home, 'real')
    execFileSync('cp', ['-a', join(this.#template, 'real'), join(this.#template, 'warm'), home])
    const program = join(compiledRoot, 'test/build/crash-process.js')
    const env = { ...process.env, UV_THREADPOOL_SIZE: String(poolThreads), UV_USE_IO_URING: '0' }
    const child = spawn(process.execPath, [program, operation.name, driver, home], {
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const ended = once(child, 'close')
    const lines = linesOf(child)
    const timer = setTimeout(() => child.kill('SIGTERM'), timeoutMs)
    const ready = await lines.first
    const { calls } = await trace(child.pid!, join(home, 'trace'), injection)
    // It may be dead before it reads.
    child.stdin!.on('error', () => undefined)
    child.stdin!.end('go\n')
    await ended
    clearTimeout(timer)
    assert.notEqual(child.signalCode, 'SIGTERM', `${operation.name} took more than ${timeoutMs} ms`)
    const workers = new Set(ready.replace('ready ', '').split(',').map(Number))
    const threadOf = ({ tid }: TracedCall): Thread =>
      tid === child.pid ? 'main' : workers.has(tid) ? 'worker' : 'pool'
    const all = lines.all()
    const told = all.filter(line => line.startsWith('told')).length
    return { home, directory, told, done: all.includes('done'), signal: child.signalCode, calls: await calls, threadOf }
  }

  /** What is to be seen at once; then what another process makes of it, twice; then the same work by somebody else. */
  async #verify(dir: string, { told, done }: { readonly told: number; readonly done: boolean }): Promise<void> {
    const { operation, driver, pool } = this.#parts
    const steps = done ? Number.POSITIVE_INFINITY : told
    const root = join(dir, 'store')
    // What was damaged before may be so until it is repaired, and nothing else.
    const old = new Set(operation.damaged && steps === 0 ? this.#damage : [])
    const look = (named: number, atRest: boolean) => {
      const judgement = judge(root, { atRest })
      assert.deepEqual(
        judgement.findings.filter(finding => !old.has(finding) && !(old.size > 0 && onItsWay.test(finding))),
        [],
      )
      verifyNames(operation, named, judgement)
      return judgement
    }
    if (!operation.unsettled) look(steps, false)
    await recover(dir, driver, pool)
    const recovered = look(steps, true)
    if (old.size === 0) await assertClean(dir, driver, pool)
    const open = () => openStore(dir, driver, { pool })
    await operation.verify?.({ judgement: recovered, dir, driver, told, open })
    const before = listing(root)
    await recover(dir, driver, pool)
    assert.deepEqual(listing(root), before, 'a second recovery changes something')
    let again = 0
    await runOperation(operation, { driver, dir, pool, told: () => again++ })
    await recover(dir, driver, pool)
    old.clear()
    const judgement = look(Number.POSITIVE_INFINITY, true)
    await assertClean(dir, driver, pool)
    await operation.verify?.({ judgement, dir, driver, told: again, open })
  }
}

/** A layer of driver overlay2 that was mended has a new directory, and who stands on it is told next. */
const onItsWay = /cannot be read: it stands on/

const manyThreads = 24
const timeoutMs = 60_000

function linesOf(child: ChildProcess): { readonly first: Promise<string>; readonly all: () => string[] } {
  let text = ''
  const first = new Promise<string>((resolve, reject) => {
    child.stdout!.on('data', (bytes: Buffer) => {
      text += bytes
      if (text.includes('\n')) resolve(text.split('\n')[0]!)
    })
    child.once('close', () => reject(new Error('it ended before it was ready')))
  })
  return { first, all: () => text.split('\n').slice(0, -1) }
}
