/**
 * `npm run bench [-- [--check] [--rounds N] [NAME...]]`: asks the questions of these names, or all, one after the other,
 * each in a process of its own. With `--check`: only what the targets need; then each target's samples, median and
 * bound. Exit status 1 on a miss, a missing peer, or a question that failed.
 */
import { fork } from 'node:child_process'
import { parseArgs } from 'node:util'
import type { Answer } from './ask.js'
import { median } from './contest.js'
import { scale } from './made-inputs.js'
import { findPeers } from './peers.js'
import { figure, table } from './print.js'
import { type QuestionName, questionNames, questions } from './questions.js'
import { type Target, targets } from './targets.js'

/** Fewer say nothing about a median. */
const defaultRounds = 5

const usage = `usage: npm run bench -- [--check] [--rounds N] [NAME...]\nnames: ${questionNames.join(', ')}`

interface Wish {
  readonly check: boolean
  readonly rounds: number
  readonly names: readonly QuestionName[]
}

async function main(): Promise<void> {
  const wish = readArguments()
  if (wish === undefined) {
    console.error(usage)
    process.exitCode = 2
    return
  }
  const { check, names } = wish
  if (check && scale !== 1) throw new Error('PHYLLO_BENCH_SCALE is set: targets are for whole inputs')
  const missing = await reportMissing(names, check)
  const measures = new Map<string, readonly number[]>()
  const failed: string[] = []
  for (const name of names) {
    console.log(`\n== ${name}: ${(await questions[name]()).title}`)
    if (!(await ask(name, wish, measures))) failed.push(name)
  }
  if (failed.length > 0) console.log(`\nno answer: ${failed.join(', ')}`)
  const missed = check ? printTargets(names, measures) : 0
  if (failed.length > 0 || missed > 0 || (check && missing > 0)) process.exitCode = 1
}

function readArguments(): Wish | undefined {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { check: { type: 'boolean', default: false }, rounds: { type: 'string' } },
    })
    const { check } = values
    const rounds = values.rounds === undefined ? defaultRounds : Number(values.rounds)
    const unknown = positionals.filter(name => !questionNames.some(known => known === name))
    if (unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1) return undefined
    const withTargets = questionNames.filter(name => targets.some(({ question }) => question === name))
    const all = check ? withTargets : questionNames
    return { check, rounds, names: positionals.length > 0 ? (positionals as QuestionName[]) : all }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')) return undefined
    throw error
  }
}

/** How many peers are missing. */
async function reportMissing(names: readonly QuestionName[], check: boolean): Promise<number> {
  const asked = await Promise.all(names.map(name => questions[name]()))
  const wanted = asked.flatMap(({ peers = [], peersBeside = [] }) => (check ? peers : [...peers, ...peersBeside]))
  const states = await findPeers([...new Set(wanted)])
  const missing = states.filter(({ version }) => version === undefined)
  for (const { missing: reason } of missing) console.log(reason)
  return missing.length
}

/** Whether there was an answer; it goes to `measures`. */
async function ask(name: QuestionName, { check, rounds }: Wish, measures: Map<string, readonly number[]>) {
  const options = check ? [] : ['--beside']
  const child = fork(new URL('./ask.js', import.meta.url), [name, '--rounds', `${rounds}`, ...options])
  child.on('message', message => {
    const { measure, samples } = message as Answer
    measures.set(measure, samples)
  })
  const pass = (signal: NodeJS.Signals) => void child.kill(signal)
  process.on('SIGINT', pass).on('SIGTERM', pass)
  const status = await new Promise(resolve => child.once('close', (code, signal) => resolve(code ?? signal)))
  process.off('SIGINT', pass).off('SIGTERM', pass)
  if (status === 'SIGINT' || status === 'SIGTERM') process.exit(1)
  return status === 0
}

/** How many targets were missed, those without an answer included. */
function printTargets(names: readonly QuestionName[], measures: ReadonlyMap<string, readonly number[]>): number {
  let missed = 0
  const rows = targets
    .filter(({ question }) => names.includes(question))
    .map(target => {
      const { issue, what, unit, direction, bound } = target
      const samples = measures.get(target.measure) ?? []
      const met = samples.length > 0 && isMet(target, median(samples))
      if (!met) missed++
      const value = samples.length === 0 ? 'no answer' : figure(median(samples), unit)
      const sign = direction === 'at least' ? '≥' : '≤'
      return [what, `${issue}`, `${samples.length}`, value, `${sign} ${figure(bound, unit)}`, met ? 'met' : 'MISSED']
    })
  console.log(`\n${table(['target', 'issue', 'samples', 'median', 'bound', ''], rows)}`)
  console.log(`\n${rows.length - missed} met, ${missed} missed`)
  return missed
}

function isMet({ direction, bound }: Target, value: number): boolean {
  return direction === 'at least' ? value >= bound : value <= bound
}

await main()
