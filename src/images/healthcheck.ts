/** HEALTHCHECK, as Docker's builder reads it. */
import { type Instruction, jsonWords } from './commit-lines.js'
import type { Healthcheck } from './docker-config.js'

const intervals = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
} as const

/** Throws an Error that says what is wrong. */
export function healthcheckOf({ flags, line }: Instruction, rest: string): Healthcheck {
  const [, word, command] = /^(\S+)\s*(.*)$/s.exec(rest)!
  const type = word!.toUpperCase()
  if (type === 'NONE') {
    if (command !== '') throw new Error('HEALTHCHECK NONE takes no arguments')
    return { Test: ['NONE'] }
  }
  for (const flag of flags.keys())
    if (flag !== 'retries' && !Object.hasOwn(intervals, flag)) throw new Error(`Unknown flag: ${flag}`)
  if (type !== 'CMD') throw new Error(`Unknown type ${JSON.stringify(type)} in HEALTHCHECK (try CMD)`)
  const words = jsonWords(command!, line)
  if (command === '' || words?.length === 0) throw new Error('Missing command after HEALTHCHECK CMD')
  const set = Object.entries(intervals).flatMap(([flag, field]) => {
    const text = flags.get(flag)
    return text === undefined || text === '' ? [] : [[field, intervalOf(flag, text)] as const]
  })
  const retries = retriesOf(flags.get('retries') ?? '')
  return {
    Test: words === undefined ? ['CMD-SHELL', command!] : ['CMD', ...words],
    ...Object.fromEntries(set),
    ...(retries && { Retries: retries }),
  }
}

const nanoseconds: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
}

/** A Go duration, in nanoseconds. */
function intervalOf(flag: string, text: string): number {
  if (!/^[+-]?(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+$/.test(text) && text !== '0')
    throw new Error(`time: invalid duration ${JSON.stringify(text)}`)
  let sum = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g))
    sum += Number(amount) * nanoseconds[unit!]!
  if (text.startsWith('-') || sum < 1e6) throw new Error(`Interval ${JSON.stringify(flag)} cannot be less than 1ms`)
  return Math.round(sum)
}

function retriesOf(text: string): number {
  if (text === '') return 0
  const retries = /^[+-]?\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(retries) || retries >= 2 ** 31)
    throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  if (retries < 1) throw new Error(`--retries must be at least 1 (not ${retries})`)
  return retries
}
