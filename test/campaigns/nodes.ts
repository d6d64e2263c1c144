/** `npm test` by the newest Node of each line that is maintained besides the one that all else runs on. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { runSuite } from '../build/suite-process.js'
import type { Campaign } from './campaign.js'

const lines = ['22', '24', '26']

export const campaign: Campaign = {
  name: 'nodes',
  description: `All that needs no root passes with Node ${lines.join(', ')}, too; it takes the time that it takes.`,
  async run({ log }) {
    const counts: Record<string, number> = {}
    for (const line of lines) {
      const folder = await mkdtemp(join(tmpdir(), 'phyllo-node-'))
      try {
        const { node, version } = await installed(folder, line)
        const env = { PATH: `${dirname(node)}${delimiter}${process.env.PATH}` }
        const { passed, output } = await runSuite(['plain'], env, node)
        log(`Node ${version}: ${passed === undefined ? output : `${passed} passed`}`)
        counts[`tests with Node ${version}`] = passed ?? 0
        if (passed === undefined) return { counts, seeds: [], ok: false }
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    }
    return { counts, seeds: [], ok: true }
  },
}

/** Out of the npm registry, where each system has a package with the program alone in it. */
async function installed(folder: string, line: string): Promise<{ readonly node: string; readonly version: string }> {
  const name = `node-${process.platform}-${process.arch}`
  const words = ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', `${name}@${line}`]
  await promisify(execFile)('npm', words)
  const node = join(folder, 'node_modules', name, 'bin/node')
  const { stdout } = await promisify(execFile)(node, ['--version'])
  return { node, version: stdout.trim() }
}
