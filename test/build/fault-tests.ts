/**
 * The sweep of fault-sweep.ts as tests: a sample that the seed says, or every call.
 *
 * PHYLLO_TEST_SEED: another sample. PHYLLO_FAULT_STEP: 1 lets every call fail in turn, with every errno; N every N-th.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { CrashDriver } from './crash-operations.js'
import type { Fault } from './failing-fs.js'
import { faultErrnos } from './fault-errnos.js'
import { type FaultOperation, faultOperations } from './fault-operations.js'
import { type FaultPhase, FaultSweep } from './fault-sweep.js'
import { type Random, randomOf } from './upper-sequence.js'

const seed = Number(process.env.PHYLLO_TEST_SEED ?? Date.now() % 1_000_000)
const step = Number(process.env.PHYLLO_FAULT_STEP ?? 0)

interface Scope {
  readonly operation: FaultOperation
  readonly phase: FaultPhase
}

function scopes(): Scope[] {
  const around = faultOperations.filter(({ name }) => name === 'commit')
  return [
    ...faultOperations.map(operation => ({ operation, phase: 'run' as const })),
    ...around.flatMap(operation => [
      { operation, phase: 'open' as const },
      { operation, phase: 'close' as const },
    ]),
  ]
}

/** `each`: faults of each operation. */
export function faultTests(driver: CrashDriver, each: number): void {
  const dir = mkdtempSync(join(tmpdir(), 'phyllo-faults-'))
  after(() => rmSync(dir, { recursive: true, force: true }))
  const random = randomOf(seed)
  for (const { operation, phase } of scopes()) {
    const what = phase === 'run' ? operation.name : `${phase} a store`
    test(`${driver}: ${what}: a call that fails is told, and the store is as good as before (seed ${seed})`, async () => {
      const home = mkdtempSync(join(dir, 'sweep-'))
      const sweep = await FaultSweep.prepare(operation, driver, home)
      let failed = 0
      for (const fault of await faultsOf(sweep, phase, random, each)) if (await sweep.fail(fault, phase)) failed++
      assert.ok(failed > 0, 'no call failed')
      rmSync(home, { recursive: true, force: true })
    })
  }
}

async function faultsOf(sweep: FaultSweep, phase: FaultPhase, random: Random, each: number): Promise<Fault[]> {
  const once = (list: readonly Fault['times'][]) => list[random(list.length)]!
  if (step > 0) {
    const faults: Fault[] = []
    for (const errno of faultErrnos) {
      const calls = await sweep.count(errno, phase)
      for (let at = 1 + random(step); at <= calls; at += step)
        for (const times of [1, Number.POSITIVE_INFINITY]) faults.push({ errno, at, times })
    }
    return faults
  }
  const errno = faultErrnos[random(faultErrnos.length)]!
  const calls = await sweep.count(errno, phase)
  // Some work makes no call that could fail so
  if (calls === 0) return faultsOf(sweep, phase, random, each)
  return Array.from({ length: each }, () => ({
    errno,
    at: 1 + random(calls),
    times: once([1, Number.POSITIVE_INFINITY]),
  }))
}
