/** How long does it take to open a container whose journal has 100,000 records, in a process that has opened none before? */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Store } from '../src/index.js'
import { median } from './contest.js'
import { figure } from './print.js'
import type { Question } from './questions.js'

const run = promisify(execFile)

/**
 * Each is six records: a node, its name, the directory's times, its content, its own times, its mode. So little is overtaken that
 * nothing is compacted.
 */
const files = 16_700
const perFolder = 500
const perRound = 3

export const question: Question = {
  title: 'open a container of 100,000 journal records',
  inputs: [],
  async ask({ rounds, places, say, report }) {
    const root = await places.quick.fresh()
    await prepare(root)
    const seconds: number[] = []
    for (let round = 0; round < rounds * perRound; round++) seconds.push(await once(root))
    say(`in a new process each time: ${figure(median(seconds), 's')}, at most ${figure(Math.max(...seconds), 's')}`)
    report(
      'reopen: 100,000 records',
      seconds.map(value => value * 1000),
    )
  },
}

async function prepare(root: string): Promise<void> {
  await using store = await Store.open(root, { durability: 'none' })
  await using box = await store.create('scratch', { name: 'box' })
  for (let at = 0; at < files; at++) {
    const folder = `/${Math.floor(at / perFolder)}`
    if (at % perFolder === 0) box.mkdirSync(folder)
    const path = `${folder}/file-${at}`
    box.writeFileSync(path, `${at}\n`)
    box.chmodSync(path, 0o600)
  }
}

async function once(root: string): Promise<number> {
  const child = fileURLToPath(new URL('./reopen-child.js', import.meta.url))
  const { stdout } = await run(process.execPath, [child, root, 'box'])
  const { seconds, shown } = JSON.parse(stdout) as { seconds: number; shown: number }
  if (shown !== files) throw new Error(`the container shows ${shown} files`)
  return seconds
}
