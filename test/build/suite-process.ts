/** Runs the test runner as a process of its own. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { compiledRoot } from './repo.js'

export interface SuiteOutcome {
  /** Undefined: something failed. */
  readonly passed: number | undefined
  readonly output: string
}

export function runSuite(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  node = process.execPath,
): Promise<SuiteOutcome> {
  return new Promise((resolve, reject) => {
    const all = { ...process.env, ...env }
    const child = spawn(node, [join(compiledRoot, 'test/run.js'), ...words], { env: all, stdio: 'pipe' })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (output += bytes))
    child.on('error', reject)
    child.on('close', code => {
      const passed = /^(\d+) passed, 0 failed$/m.exec(output)
      resolve({ passed: code === 0 && passed !== null ? Number(passed[1]) : undefined, output })
    })
  })
}
