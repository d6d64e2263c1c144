/** What a command is, and how its words are read: Docker's own names and options, parsed by node:util. */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { Store } from '../index.js'

/** A mistake in the words of the command line: one line on stderr, exit status 2. */
export class UsageError extends Error {}

export type OptionValue = string | boolean | readonly (string | boolean)[] | undefined
export type Options = Readonly<Record<string, OptionValue>>

export interface CommandContext {
  /** The store of this call, opened at the first use. `write` says whether the command changes anything. */
  store(write?: boolean): Promise<Store>
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
  readonly quiet: boolean
  /** `json` when the global `--format json` was given. */
  readonly json: boolean
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  print(line: string): void
}

export interface Command {
  /** After the command's name: `[OPTIONS] IMAGE [IMAGE...]`. */
  readonly usage: string
  readonly summary: string
  readonly options: NonNullable<ParseArgsConfig['options']>
  /** How many words it takes besides options: at least, at most. */
  readonly words: readonly [number, number]
  run(context: CommandContext, words: readonly string[], options: Options): Promise<void>
}

export const globalOptions = {
  root: { type: 'string' },
  driver: { type: 'string' },
  compression: { type: 'string' },
  durability: { type: 'string' },
  workers: { type: 'string' },
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
      args: [...args],
      options: { ...globalOptions, ...command.options },
      allowPositionals: true,
      strict: true,
    })
    return { words: checkCount(name, command, positionals, values.help === true), options: values as Options }
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`${name}: ${(error as Error).message.split('. To specify')[0]}`)
  }
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
