/**
 * The command line: finds the command, opens the store for it, prints what it says. Exit status 0 (done), 1 (failed),
 * 2 (usage), 130 and 143 (SIGINT, SIGTERM). Errors are one line on stderr, with their code. What belongs to the process
 * is given to it (io.ts).
 */
import { type Command, type CommandContext, interruption, type Options, parseCommand, UsageError } from './command.js'
import type { Io } from './io.js'
import { OpenedStores } from './open-store.js'
import { commands, management, missing } from './table.js'

/** How long a process that was interrupted, and is done, may take to end. */
const leaveMs = 200

/** Gives the exit status when all is done; it never fails otherwise. */
export async function runCommandLine(args: readonly string[], io: Io): Promise<number> {
  try {
    return await obey(args, io)
  } catch (error) {
    return report(error, io)
  }
}

async function obey(args: readonly string[], io: Io): Promise<number> {
  const { globals, words } = splitGlobals(args)
  const first = words[0]
  if (first === undefined || (first === 'help' && words.length === 1)) return printHelp(io)
  if (first === 'help') return obey([...words.slice(1), '--help'], io)
  const { name, load, rest } = findCommand(words)
  const { command } = await load()
  const parsed = parseCommand(name, command, [...globals, ...rest])
  if (parsed.options.help === true) return printUsage(name, command, io)
  return runCommand(command, parsed, io)
}

/** Options in front of the command's name; those with a value take the next word along. */
function splitGlobals(args: readonly string[]): { globals: string[]; words: string[] } {
  const takesValue = new Set([
    '--root',
    '--driver',
    '--compression',
    '--durability',
    '--workers',
    '--daemon-config',
    '--realm',
    '--format',
  ])
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

interface Parsed {
  readonly words: readonly string[]
  readonly options: Options
}

async function runCommand(command: Command, { words, options }: Parsed, io: Io): Promise<number> {
  if (command.givesWay === true) io.giveWay()
  if (command.asksRegistry === true) io.compileLater()
  const abort = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) io.once(signal, () => abort.abort(interruption(signal)))
  io.stdout.on('error', error => command.exactOutput !== true && leaveEarly(error, io))
  const opened = new OpenedStores(options, io.env)
  const context: CommandContext = {
    store: (write = false, tidy = true) => opened.store(write, tidy),
    restore: () => opened.restore(),
    other: store => opened.other(store),
    signal: abort.signal,
    quiet: options.quiet === true,
    json: options.format === 'json',
    stdin: () => io.stdin,
    stdout: io.stdout,
    stderr: io.stderr,
    print: line => void io.stdout.write(`${line}\n`),
  }
  try {
    await command.run(context, words, options)
    return 0
  } finally {
    await opened.close()
  }
}

async function printHelp({ stdout }: Io): Promise<number> {
  const lines = ['Usage: phyllo [OPTIONS] COMMAND', '', 'Commands:']
  for (const [name, load] of commands) lines.push(`  ${name.padEnd(19)}${(await load()).command.summary}`)
  lines.push(
    '',
    'Options (before or after the command):',
    '  --root DIR          the store; default $PHYLLO_ROOT, else phyllo in the XDG data directory',
    '  --driver NAME       packed, overlay2; default: the store’s own, packed for a new one',
    '  --compression HOW   lz4 (default) or none: of layers that are written',
    '  --durability HOW    full (default) or none: whether to wait for the disk',
    '  --workers N         cores to use; 0 works on the main thread',
    '  --daemon-config FILE a dockerd’s daemon.json: its registry-mirrors and insecure-registries count; default: none',
    '  --realm REGISTRY=HOST  a host whose token server may have the credentials of that registry; may be repeated',
    '  -q, --quiet         no progress, ids alone',
    '  --format json       machine-readable output',
  )
  stdout.write(`${lines.join('\n')}\n`)
  return 0
}

function printUsage(name: string, command: Command, { stdout }: Io): number {
  const lines = [`Usage: phyllo ${name} ${command.usage}`, '', command.summary]
  if (command.details !== undefined) lines.push('', ...command.details.map(line => `  ${line}`))
  stdout.write(`${lines.join('\n')}\n`)
  return 0
}

interface Interrupted {
  readonly status: number
  readonly signal: NodeJS.Signals
}

/** A call that the kernel holds (the open of a named pipe) would hold the process, too: then the signal ends it. */
function leaveBy({ status, signal }: Interrupted, io: Io): number {
  setTimeout(() => io.kill(io.pid, signal), leaveMs).unref()
  return status
}

function report(error: unknown, io: Io): number {
  if (error instanceof AggregateError) return Math.max(...error.errors.map(one => report(one, io)))
  const { code, message, ...interrupted } = error as { code?: string; message?: string } & Interrupted
  const usage = error instanceof UsageError
  const line = (message ?? String(error)).replaceAll(/\s*\n\s*/g, ' ')
  io.stderr.write(`phyllo: ${code === undefined || usage || line.startsWith(code) ? '' : `${code}: `}${line}\n`)
  if (code === 'INTERRUPTED') return leaveBy(interrupted, io)
  return usage ? 2 : 1
}

/** Whoever reads us has seen enough (`phyllo ls … | head`), or nothing more can be written. */
function leaveEarly(error: NodeJS.ErrnoException, io: Io): void {
  io.exit(error.code === 'EPIPE' ? 0 : report(error, io))
}
