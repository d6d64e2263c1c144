/** Asks one question in a process of its own: what one leaves behind in memory does not touch the next. */
import { parseArgs } from 'node:util'
import { provide, warm } from './corpus.js'
import { machineText } from './machine.js'
import { scale } from './made-inputs.js'
import { findPeers } from './peers.js'
import { openPlaces } from './places.js'
import { type Question, type QuestionName, questions } from './questions.js'

/** What goes to whoever started this process. */
export interface Answer {
  readonly measure: string
  readonly samples: readonly number[]
}

/** Larger inputs do not stay in memory anyway. */
const warmBytesMax = 4 * 2 ** 30

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: 'string', default: '5' }, beside: { type: 'boolean', default: false } },
  })
  await ask(await questions[positionals[0] as QuestionName](), Number(values.rounds), values.beside)
}

async function ask(question: Question, rounds: number, beside: boolean): Promise<void> {
  const peers = await findPeers([...(question.peers ?? []), ...(beside ? (question.peersBeside ?? []) : [])])
  const there = new Set(peers.filter(({ version }) => version !== undefined).map(({ name }) => name))
  await using places = await openPlaces()
  // Whatever ends the process: a store of gigabytes in memory must not stay behind.
  process.once('exit', () => places.removeSync())
  const stop = (signal: NodeJS.Signals) => {
    places.removeSync()
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  }
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const inputs = await provide(question.inputs, say)
  say(`${await machineText(places, peers)}\nrounds       ${rounds}`)
  if (scale !== 1) say(`inputs are scaled by ${scale}: these figures are no verdict`)
  const needed = (question.peers ?? []).filter(name => !there.has(name))
  if (needed.length > 0) throw new Error(`it needs ${needed.join(', ')}`)
  for (const path of inputs.values()) await warm(path, warmBytesMax)
  say('')
  await question.ask({
    rounds,
    beside,
    places,
    input: name => inputs.get(name)!,
    has: peer => there.has(peer),
    say,
    report: (measure, samples) => void process.send?.({ measure, samples } satisfies Answer),
  })
}

function say(line: string): void {
  console.log(line)
}

try {
  await main()
} catch (error) {
  console.log(`failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  process.exitCode = 1
}
process.disconnect?.()
