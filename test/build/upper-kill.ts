/** Kills a process that changes an upper, and compares what is there with what the process had said. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryUpper, plainRoot } from './memory-upper.js'
import { packedUpper } from './packed-upper.js'
import { compiledRoot } from './repo.js'
import { isSame, nextStep, randomOf, stateOf, take, type UpperState } from './upper-sequence.js'

/** What a kill may cost. */
const lossMs = 50

export interface Killed {
  /** Steps that were acknowledged, and that were found. */
  readonly acknowledged: number
  readonly found: number
}

/** Runs the process for about so long, kills it, and throws AssertionError if what is there is not what must be. */
export async function killOne(seed: number, ms: number): Promise<Killed> {
  const directory = mkdtempSync(join(tmpdir(), 'phyllo-kill-'))
  try {
    const { acknowledged, safe } = await runAndKill(join(directory, 'upper'), seed, ms)
    if (acknowledged === 0) return { acknowledged, found: 0 }
    const upper = await packedUpper(join(directory, 'upper'), { root: plainRoot })
    const found = prefixOf(stateOf(upper), seed, safe, acknowledged + 1)
    await upper.close()
    assert.ok(found !== undefined, `seed ${seed}: what is there is no state from ${safe} to ${acknowledged + 1}`)
    return { acknowledged, found }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

async function runAndKill(directory: string, seed: number, ms: number) {
  const program = join(compiledRoot, 'test/build/upper-process.js')
  const child = spawn(process.execPath, [program, directory, String(seed)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    // From the first step on: starting takes how long it takes.
    if (output === '') setTimeout(() => child.kill('SIGKILL'), ms)
    output += text
  })
  await once(child, 'close')
  assert.equal(child.signalCode, 'SIGKILL')
  const lines = output
    .split('\n')
    .slice(0, -1)
    .map(line => line.split(' '))
  const last = Math.max(...lines.filter(([what]) => what !== 'sync').map(([, ms]) => Number(ms)))
  let [acknowledged, safe] = [0, 0]
  for (const [what, number] of lines) {
    if (what === 'sync') safe = Math.max(safe, Number(number))
    else if (what !== 'tick') {
      acknowledged = Number(what)
      if (Number(number) < last - lossMs) safe = Math.max(safe, acknowledged)
    }
  }
  return { acknowledged, safe }
}

/** The same steps again, in memory: which of the states it is. */
function prefixOf(found: UpperState, seed: number, least: number, most: number): number | undefined {
  const random = randomOf(seed)
  const model = memoryUpper()
  const open: number[] = []
  let state = stateOf(model)
  for (let at = 0; at <= most; at++) {
    const step = nextStep(random, model, open, at)
    const before = state
    take(model, step, open)
    if (at < least - 1) continue
    state = stateOf(model)
    if (at >= least && isSame(found, before, state)) return at
  }
  return undefined
}
