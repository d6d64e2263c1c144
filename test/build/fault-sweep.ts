/**
 * Calls of an operation fail, one after the other: it ends with an error that says which, and the store goes on as if nothing had been.
 *
 * Held after each: nothing is open that was not open before; what was told as done is there, and nothing is half there; the same
 * operation works with the same store; a full check finds nothing; a closed store leaves nothing of its own behind.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Store } from '../../src/index.js'
import type { CrashDriver } from './crash-operations.js'
import { damageLayers } from './damaged-layers.js'
import { type Fault, failingFs } from './failing-fs.js'
import type { FaultErrno } from './fault-errnos.js'
import { any, type FaultOperation, type FaultState, type FaultWork } from './fault-operations.js'

/** What fails: the work, or the opening or closing of the store around it. */
export type FaultPhase = 'open' | 'run' | 'close'

const timeoutMs = 20_000
const own = ['stages', 'owners', 'limbo']
/** What only a sweep or a collection frees. */
const swept = ['trash', 'intents']

export class FaultSweep {
  readonly #operation: FaultOperation
  readonly #driver: CrashDriver
  readonly #dir: string
  readonly #template: string
  readonly #unhandled: unknown[] = []

  private constructor(operation: FaultOperation, driver: CrashDriver, dir: string) {
    this.#operation = operation
    this.#driver = driver
    this.#dir = dir
    this.#template = join(dir, 'template')
  }

  static async prepare(operation: FaultOperation, driver: CrashDriver, dir: string): Promise<FaultSweep> {
    const sweep = new FaultSweep(operation, driver, dir)
    const at = sweep.#template
    mkdirSync(at)
    const store = await sweep.#open(at)
    await operation.prepare({ store, dir: at, driver })
    await store.close()
    if (operation.damaged) damageLayers(join(at, 'store'))
    return sweep
  }

  /** How many calls could fail so. */
  async count(errno: FaultErrno, phase: FaultPhase): Promise<number> {
    const none = { errno, at: Number.POSITIVE_INFINITY, times: 1 }
    return this.#inCopy(async dir => {
      if (phase === 'open') failingFs.arm(dir, none)
      const store = await this.#open(dir)
      if (phase === 'run') {
        failingFs.arm(dir, none)
        await this.#operation.run({ ...this.#work(dir, store), told: () => undefined, opened: new Set() })
      } else if (phase === 'close') failingFs.arm(dir, none)
      const calls = failingFs.calls
      await store.close()
      return phase === 'close' ? failingFs.calls : calls
    })
  }

  /** Whether any call failed. Throws what is not as it has to be. */
  async fail(fault: Fault, phase: FaultPhase): Promise<boolean> {
    const where = `${this.#operation.name}, ${this.#driver}, ${phase}: ${fault.errno} at call ${fault.at}, ${fault.times} times`
    try {
      return await this.#trial(fault, phase)
    } catch (error) {
      const calls = failingFs.failed.slice(0, 3).map(({ call, path }) => `${call} ${path}`)
      throw new Error(`${where} (${calls.join(', ')}): ${(error as Error).message}`, { cause: error })
    }
  }

  async #trial(fault: Fault, phase: FaultPhase): Promise<boolean> {
    const unhandled = (error: unknown) => void this.#unhandled.push(error)
    process.on('unhandledRejection', unhandled)
    try {
      const failed = await this.#inCopy(dir => this.#faulty(dir, fault, phase))
      await new Promise(setImmediate)
      assert.deepEqual(this.#unhandled.splice(0), [], 'a rejection was not handled')
      return failed
    } finally {
      process.off('unhandledRejection', unhandled)
    }
  }

  async #inCopy<T>(work: (dir: string) => Promise<T>): Promise<T> {
    const dir = mkdtempSync(join(this.#dir, 'trial-'))
    try {
      copyTree(this.#template, dir, this.#driver)
      return await work(dir)
    } finally {
      failingFs.disarm()
      rmSync(dir, { recursive: true, force: true })
    }
  }

  #work(dir: string, store: Store) {
    return { store, dir, driver: this.#driver }
  }

  /** Whether a call failed. */
  async #faulty(dir: string, fault: Fault, phase: FaultPhase): Promise<boolean> {
    let told = 0
    const opened: FaultWork['opened'] = new Set()
    const work = (store: Store) => this.#operation.run({ ...this.#work(dir, store), told: () => told++, opened })
    const armed = async <T>(begin: () => Promise<T>, held: readonly string[]): Promise<T | undefined> => {
      failingFs.arm(dir, fault)
      const result = await settles(begin(), fault)
      failingFs.disarm()
      for (const thing of opened) await thing.close()
      opened.clear()
      await closed(dir, held)
      assert.deepEqual(failingFs.open(dir), held, 'descriptors stay open')
      return result
    }
    let failed = false
    if (phase === 'open') {
      failingFs.arm(dir, fault)
      const opened = await settles(this.#open(dir), fault)
      if (opened === undefined) assert.deepEqual(failingFs.open(dir), [], 'descriptors stay open')
      failingFs.disarm()
      await opened?.close()
      failed = failingFs.failed.length > 0
    }
    const store = await this.#open(dir)
    await settledSweep(store)
    const held = failingFs.open(dir)
    if (phase === 'run') {
      await armed(() => work(store), held)
      failed = failingFs.failed.length > 0
      await this.#verify(store, told)
    }
    await work(store)
    await this.#verify(store, Number.POSITIVE_INFINITY)
    await assertSound(store)
    assert.deepEqual(failingFs.open(dir), held, 'descriptors stay open after the work was done again')
    if (phase === 'close') {
      await armed(() => store.close(), [])
      failed = failingFs.failed.length > 0
    } else {
      await store.close()
      assert.deepEqual(failingFs.open(dir), [], 'descriptors stay open after close')
      assert.deepEqual(leftovers(dir, own), [], 'a closed store leaves something behind')
    }
    await this.#recover(dir)
    return failed
  }

  /** Whoever opens the store next finds it whole, and frees what could not be freed. */
  async #recover(dir: string): Promise<void> {
    const store = await this.#open(dir)
    await store.gc()
    await this.#verify(store, Number.POSITIVE_INFINITY)
    await assertSound(store)
    await store.close()
    if (existsSync(join(dir, 'other/phyllo'))) {
      const other = await Store.open(join(dir, 'other'), { workers: 0 })
      await other.gc()
      await other.close()
    }
    assert.deepEqual(leftovers(dir, [...own, ...swept]), [], 'the next gc leaves something behind')
  }

  /** Throws unless names say what they can after so many steps, and every image and container opens. */
  async #verify(store: Store, told: number): Promise<void> {
    const { states } = this.#operation
    const found = await stateOf(store)
    const possible = [told, told + 1].map(step => states[Math.min(step, states.length - 1)]!)
    for (const name of new Set([...Object.keys(found.tags), ...possible.flatMap(({ tags }) => Object.keys(tags))])) {
      const allowed = possible.map(({ tags }) => tags[name])
      const actual = found.tags[name]
      assert.ok(
        allowed.includes(actual) || (actual !== undefined && allowed.includes(any)),
        `after step ${told}, ${name} is ${actual}, not ${allowed.join(' or ')}`,
      )
    }
    for (const name of new Set([...found.containers, ...possible.flatMap(({ containers }) => containers)])) {
      const allowed = possible.map(({ containers }) => containers.includes(name))
      const there = found.containers.includes(name)
      assert.ok(allowed.includes(there), `after step ${told}, container ${name} is ${there ? '' : 'not '}there`)
    }
  }

  #open(dir: string): Promise<Store> {
    return Store.open(join(dir, 'store'), { driver: this.#driver, workers: 0 })
  }
}

async function stateOf(store: Store): Promise<FaultState> {
  const tags = Object.fromEntries((await store.images()).flatMap(({ id, tags }) => tags.map(tag => [tag, id])))
  return { tags, containers: (await store.containers()).map(({ name }) => name) }
}

/** A stream that is destroyed closes its file a moment later. */
async function closed(dir: string, held: readonly string[]): Promise<void> {
  await new Promise(setImmediate)
  for (let turn = 0; turn < 100 && failingFs.open(dir).length > held.length; turn++) await sleep(1)
}

/** Opening begins a sweep of the trash, whose calls are not the operation's. */
async function settledSweep(store: Store): Promise<void> {
  await store.gc({ dryRun: true })
}

async function assertSound(store: Store): Promise<void> {
  const { findings } = await store.check({ depth: 'full' })
  assert.deepEqual(
    findings.map(({ kind, path, reason }) => `${kind} ${path}: ${reason}`),
    [],
  )
}

/** The result, or undefined when it failed as it may. */
async function settles<T>(work: Promise<T>, { errno }: Fault): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new assert.AssertionError({ message: `not settled after ${timeoutMs} ms` })),
      timeoutMs,
    )
  })
  try {
    return await Promise.race([work, late])
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
    assertTold(error, errno)
    return undefined
  } finally {
    clearTimeout(timer)
  }
}

/** Which call it was, where, and why; of node:fs's shape from views and containers. */
function assertTold(error: unknown, errno: FaultErrno): void {
  const { name, code, path, operation, errno: reason, syscall, stack } = error as Record<string, unknown>
  const told =
    name === 'PhylloError'
      ? reason === errno && typeof operation === 'string' && typeof path === 'string'
      : reason === -constants.errno[errno] && code !== undefined && typeof syscall === 'string'
  assert.ok(told, `not told: ${JSON.stringify({ name, code, path, operation, errno: reason, syscall })} ${stack}`)
}

/** Below `phyllo/`, of the store and of one that was copied to. */
function leftovers(dir: string, places: readonly string[]): string[] {
  return ['store', 'other'].flatMap(store =>
    places.flatMap(place => namesIn(join(dir, store, 'phyllo', place)).map(name => `${store}/${place}/${name}`)),
  )
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

/** Devices and xattrs are cp's business. */
function copyTree(from: string, to: string, driver: CrashDriver): void {
  if (driver === 'overlay2') execFileSync('cp', ['-a', `${from}/.`, to])
  else cpSync(from, to, { recursive: true })
}
