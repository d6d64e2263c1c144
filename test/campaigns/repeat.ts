/**
 * The core suite again and again, each time with another seed: finds tests that pass by luck. Properties of fast-check
 * draw a seed of their own, which they print when they fail.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { compiledRoot } from '../build/repo.js'
import type { Campaign } from './campaign.js'

export const campaign: Campaign = {
  name: 'repeat',
  description: 'The core suite passes every time, with another seed each time.',
  async run({ minutes, seed, log }) {
    const until = performance.now() + minutes * 60_000
    const counts = { rounds: 0, tests: 0 }
    const seeds: string[] = []
    do {
      const used = String(seed + counts.rounds)
      const { ok, tests, output } = await suite(used)
      counts.rounds++
      counts.tests += tests
      seeds.push(used)
      log(`seed ${used}: ${ok ? `${tests} passed` : output}`)
      if (!ok) return { counts, seeds: [used], ok }
    } while (performance.now() < until)
    return { counts, seeds: [seeds[0]!, seeds.at(-1)!], ok: true }
  },
}

function suite(seed: string): Promise<{ ok: boolean; tests: number; output: string }> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, PHYLLO_SEED: seed, PHYLLO_TEST_SEED: seed }
    const child = spawn(process.execPath, [join(compiledRoot, 'test/run.js'), 'core'], { env, stdio: 'pipe' })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (output += bytes))
    child.on('error', reject)
    child.on('close', code => {
      const passed = /^(\d+) passed, 0 failed$/m.exec(output)
      resolve({ ok: code === 0 && passed !== null, tests: Number(passed?.[1] ?? 0), output })
    })
  })
}
