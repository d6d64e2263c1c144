#!/usr/bin/env node
/**
 * The command line: finds the command, opens the store for it, prints what it says. Exit status 0 (done), 1 (failed),
 * 2 (usage), 130 and 143 (SIGINT, SIGTERM). Errors are one line on stderr, with their code.
 */
import { type Command, type CommandContext, type Options, parseCommand, UsageError } from './command.js'
import { OpenedStores } from './open-store.js'
import { commands, management, missing } from './table.js'

/** How long a process that was interrupted, and is done, may take to end. */
const leaveMs = 200

async function main(args: readonly string[]): Promise<number> {
  const { globals, words } = splitGlobals(args)
  const first = words[0]
  if (first === undefined || (first === 'help' && words.length === 1)) return printHelp()
  if (first === 'help') return main([...words.slice(1), '--help'])
  const { name, load, rest } = findCommand(words)
  const { command } = await load()
  const parsed = parseCommand(name, command, [...globals, ...rest])
  if (parsed.options.help === true) return printUsage(name, command)
  return runCommand(command, parsed.words, parsed.options)
}

/** Options in front of the command's name; those with a value take the next word along. */
function splitGlobals(args: readonly string[]): { globals: string[]; words: string[] } {
  const takesValue = new Set(['--root', '--driver', '--compression', '--durability', '--workers', '--format'])
  let i = 0
  while (i < args.length && args[i]?.startsWith('-') && args[i] !== '-') i += takesValue.has(args[i] ?? '') ? 2 : 1
  return { globals: args.slice(0, i), words: args.slice(i) }
}

function findCommand(words: readonly string[]) {
  const [first = '', second = ''] = words
  const managed = management.get(first)
  const name = managed === undefined ? first : (managed.get(second) ?? '')
  const load = commands.get(name)
  if (load !== undefined) return { name, load, rest: words.slice(managed === undefined ? 1 : 2) }
  const said = missing(words)
  if (said !== undefined) throw Object.assign(new Error(said), { code: 'COMMAND_UNSUPPORTED' })
  const shown = managed === undefined ? first : `${first} ${second}`.trim()
  throw new UsageError(`'${shown}' is not a phyllo command. See 'phyllo help'`)
}

async function runCommand(command: Command, words: readonly string[], options: Options): Promise<number> {
  const abort = new AbortController()
  const endBy = (signal: NodeJS.Signals, message: string, status: number) =>
    process.once(signal, () => abort.abort(Object.assign(new Error(message), { code: 'INTERRUPTED', status, signal })))
  endBy('SIGINT', 'interrupted', 130)
  endBy('SIGTERM', 'terminated', 143)
  process.stdout.on('error', command.exactOutput === true ? () => undefined : leaveEarly)
  const opened = new OpenedStores(options)
  const context: CommandContext = {
    store: (write = false) => opened.store(write),
    restore: () => opened.restore(),
    other: store => opened.other(store),
    signal: abort.signal,
    quiet: options.quiet === true,
    json: options.format === 'json',
    stdout: process.stdout,
    stderr: process.stderr,
    print: line => void process.stdout.write(`${line}\n`),
  }
  try {
    await command.run(context, words, options)
    return 0
  } finally {
    await opened.close()
  }
}

async function printHelp(): Promise<number> {
  const lines = ['Usage: phyllo [OPTIONS] COMMAND', '', 'Commands:']
  for (const [name, load] of commands) lines.push(`  ${name.padEnd(10)}${(await load()).command.summary}`)
  lines.push(
    '',
    'Options (before or after the command):',
    '  --root DIR          the store; default $PHYLLO_ROOT, else phyllo in the XDG data directory',
    '  --driver NAME       packed, overlay2; default: the store’s own, packed for a new one',
    '  --compression HOW   lz4 (default) or none: of layers that are written',
    '  --durability HOW    full (default) or none: whether to wait for the disk',
    '  --workers N         cores to use; 0 works on the main thread',
    '  -q, --quiet         no progress, ids alone',
    '  --format json       machine-readable output',
  )
  process.stdout.write(`${lines.join('\n')}\n`)
  return 0
}

function printUsage(name: string, command: Command): number {
  const lines = [`Usage: phyllo ${name} ${command.usage}`, '', command.summary]
  if (command.details !== undefined) lines.push('', ...command.details.map(line => `  ${line}`))
  process.stdout.write(`${lines.join('\n')}\n`)
  return 0
}

interface Interrupted {
  readonly status: number
  readonly signal: NodeJS.Signals
}

/** A call that the kernel holds (the open of a named pipe) would hold the process, too: then the signal ends it. */
function leaveBy({ status, signal }: Interrupted): number {
  setTimeout(() => process.kill(process.pid, signal), leaveMs).unref()
  return status
}

function report(error: unknown): number {
  if (error instanceof AggregateError) return Math.max(...error.errors.map(report))
  const { code, message, ...interrupted } = error as { code?: string; message?: string } & Interrupted
  const usage = error instanceof UsageError
  const line = (message ?? String(error)).replaceAll(/\s*\n\s*/g, ' ')
  process.stderr.write(`phyllo: ${code === undefined || usage || line.startsWith(code) ? '' : `${code}: `}${line}\n`)
  if (code === 'INTERRUPTED') return leaveBy(interrupted)
  return usage ? 2 : 1
}

/** Whoever reads us has seen enough (`phyllo ls … | head`), or nothing more can be written. */
function leaveEarly(error: NodeJS.ErrnoException): never {
  process.exit(error.code === 'EPIPE' ? 0 : report(error))
}

// What is said there is lost when nobody reads it, and nothing else is.
process.stderr.on('error', () => undefined)
main(process.argv.slice(2)).then(
  status => (process.exitCode = status),
  error => (process.exitCode = report(error)),
)
