/** What a command is, and how its words are read: Docker's own names and options, parsed by node:util. */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { Store } from '../index.js'
import type { Input, Output } from './io.js'
import type { OtherStore } from './open-store.js'

/** What a command that a signal ends fails with. */
export function interruption(signal: 'SIGINT' | 'SIGTERM'): Error {
  const [message, status] = signal === 'SIGINT' ? ['interrupted', 130] : ['terminated', 143]
  return Object.assign(new Error(String(message)), { code: 'INTERRUPTED', status, signal })
}

/** A mistake in the words of the command line: one line on stderr, exit status 2. */
export class UsageError extends Error {}

export type OptionValue = string | boolean | readonly (string | boolean)[] | undefined
export type Options = Readonly<Record<string, OptionValue>>

export interface CommandContext {
  /**
   * The store of this call, opened at the first use. `write` says whether the command changes anything, or would where that can be;
   * `tidy` whether opening it clears up after the dead, which it does by default.
   */
  store(write?: boolean | 'if possible', tidy?: boolean): Promise<Store>
  /** See Store.restore. */
  restore(): Promise<string | undefined>
  /** Another store, for writing. */
  other(store: OtherStore): Promise<Store>
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
  readonly quiet: boolean
  /** `json` when the global `--format json` was given. */
  readonly json: boolean
  /** Opened when it is asked for. */
  stdin(): Input
  readonly stdout: Output
  readonly stderr: Output
  print(line: string): void
}

export interface Command {
  /** After the command's name: `[OPTIONS] IMAGE [IMAGE...]`. */
  readonly usage: string
  readonly summary: string
  /** Further lines of its help, where usage and summary leave something open. */
  readonly details?: readonly string[]
  readonly options: NonNullable<ParseArgsConfig['options']>
  /** How many words it takes besides options: at least, at most. */
  readonly words: readonly [number, number]
  /** Its output is an archive, not text to look at: a reader that leaves early has lost something. */
  readonly exactOutput?: boolean
  /** Upkeep that nobody waits for: whoever else wants the processor goes first. */
  readonly givesWay?: boolean
  /** A few short questions over HTTP are often all that it does. */
  readonly asksRegistry?: boolean
  run(context: CommandContext, words: readonly string[], options: Options): Promise<void>
}

export const globalOptions = {
  root: { type: 'string' },
  driver: { type: 'string' },
  compression: { type: 'string' },
  durability: { type: 'string' },
  workers: { type: 'string' },
  'daemon-config': { type: 'string' },
  realm: { type: 'string', multiple: true },
  quiet: { type: 'boolean', short: 'q' },
  format: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies NonNullable<ParseArgsConfig['options']>

/** Reads the words after a command's name. Global options are taken before and after it alike. */
export function parseCommand(
  name: string,
  command: Command,
  args: readonly string[],
): { words: string[]; options: Options } {
  try {
    const { values, positionals } = parseArgs({
      args: goBooleans(args, { ...globalOptions, ...command.options }),
      options: { ...globalOptions, ...command.options },
      allowPositionals: true,
      strict: true,
    })
    if (!('format' in command.options) && values.format !== undefined && values.format !== 'json')
      throw new UsageError(`${name}: --format is json, not ${values.format}`)
    return { words: checkCount(name, command, positionals, values.help === true), options: values as Options }
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`${name}: ${(error as Error).message.split('. To specify')[0]}`)
  }
}

const goTrue = ['1', 't', 'T', 'true', 'TRUE', 'True']
const goFalse = ['0', 'f', 'F', 'false', 'FALSE', 'False']

/** `--digests=false` and `-H=true`, which Docker takes, in words that parseArgs takes: `--name`, or nothing. */
function goBooleans(args: readonly string[], options: NonNullable<ParseArgsConfig['options']>): string[] {
  const end = args.includes('--') ? args.indexOf('--') : args.length
  return args.flatMap((arg, index) => {
    const [, dashes, name, value] = /^(--?)([A-Za-z-]+)=(.*)$/s.exec(index < end ? arg : '') ?? []
    if (name === undefined || value === undefined) return [arg]
    const found = Object.entries(options).find(([long, { short }]) => (dashes === '--' ? long : short) === name)
    if (found === undefined || found[1].type !== 'boolean') return [arg]
    if (goTrue.includes(value)) return [`--${found[0]}`]
    // A name of its own tells a false that was given from one that was not.
    if (goFalse.includes(value)) return `not-${found[0]}` in options ? [`--not-${found[0]}`] : []
    throw new UsageError(`${arg}: ${JSON.stringify(value)} is not true or false`)
  })
}

function checkCount(name: string, command: Command, words: string[], help: boolean): string[] {
  const [least, most] = command.words
  if (help || (words.length >= least && words.length <= most)) return words
  const wanted = least === most ? `exactly ${least}` : words.length < least ? `at least ${least}` : `at most ${most}`
  throw new UsageError(
    `${name} takes ${wanted} argument${wanted.endsWith(' 1') ? '' : 's'}. Usage: phyllo ${name} ${command.usage}`,
  )
}

/** All values of an option that may be repeated. */
export function listOf(value: OptionValue): string[] {
  if (value === undefined || typeof value === 'boolean') return []
  return typeof value === 'string' ? [value] : value.map(String)
}

/** What a command over several things throws at its end: every failure is told, and the others were done. */
export function throwAll(failures: readonly unknown[]): void {
  if (failures.length > 1) throw new AggregateError(failures)
  if (failures.length === 1) throw failures[0]
}
