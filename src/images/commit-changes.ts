/**
 * Changes of an image's config, as `docker commit -c` and `docker import -c` take them: Dockerfile instructions with the effects,
 * the expansion of variables and the messages of Docker's builder (facts: docker-store 9.3). STOPSIGNAL is taken, too, as newer
 * versions do.
 */
import { posix } from 'node:path'
import { type Instruction, invalidChange, jsonWords, parseInstructions } from './commit-lines.js'
import { expandWord, expandWords, rawWords, type Variables } from './commit-words.js'
import { keyOf, type RunConfig } from './docker-config.js'
import { exposedPorts } from './exposed-ports.js'
import { healthcheckOf } from './healthcheck.js'

/** What instructions share: whether a CMD came before an ENTRYPOINT. */
interface Builder {
  cmdSet: boolean
}

type Apply = (config: RunConfig, instruction: Instruction, builder: Builder) => Partial<RunConfig>

const defaultShell = ['/bin/sh', '-c']

const instructions: Readonly<Record<string, Apply>> = {
  cmd(config, { rest, line }, builder) {
    const cmd = commandLine(config, rest, line, false)!
    builder.cmdSet = jsonWords(rest, line)?.length !== 0
    return { cmd }
  },
  entrypoint(config, { rest, line }, builder) {
    const entrypoint = commandLine(config, rest, line, true)
    return builder.cmdSet ? { entrypoint } : { entrypoint, cmd: undefined }
  },
  env(config, instruction) {
    const env = [...config.env]
    for (const [name, value] of assignments(instruction, variablesOf(config))) {
      const at = env.findIndex(entry => keyOf(entry) === name)
      env[at < 0 ? env.length : at] = `${name}=${value}`
    }
    return { env }
  },
  expose(config, instruction) {
    const words = required(instruction).split(/\s+/)
    const specs = words.flatMap(word => expandWords(word, variablesOf(config)))
    return { exposedPorts: new Set([...config.exposedPorts, ...exposedPorts(specs)]) }
  },
  healthcheck: (_, instruction) => ({ healthcheck: healthcheckOf(instruction, required(instruction)) }),
  label(config, instruction) {
    return { labels: new Map([...(config.labels ?? []), ...assignments(instruction, variablesOf(config))]) }
  },
  onbuild(config, instruction) {
    const trigger = required(instruction)
    const name = trigger.split(/\s/, 1)[0]!.toUpperCase()
    if (name === 'ONBUILD') throw new Error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if (name === 'FROM' || name === 'MAINTAINER') throw new Error(`${name} isn't allowed as an ONBUILD trigger`)
    return { onBuild: [...config.onBuild, trigger] }
  },
  stopsignal(config, instruction) {
    const stopSignal = expandWord(only(instruction), variablesOf(config))
    if (!isSignal(stopSignal)) throw new Error(`Invalid signal: ${stopSignal}`)
    return { stopSignal }
  },
  user: (config, instruction) => ({ user: expandWord(only(instruction), variablesOf(config)) }),
  volume(config, instruction) {
    const rest = required(instruction)
    const words = jsonWords(rest, instruction.line) ?? rest.split(/\s+/)
    const volumes = words.map(word => expandWord(word.trim(), variablesOf(config)))
    if (volumes.includes('')) throw new Error('VOLUME specified can not be an empty string')
    return { volumes: new Set([...config.volumes, ...volumes]) }
  },
  workdir(config, instruction) {
    const path = expandWord(only(instruction), variablesOf(config))
    if (path === '') throw new Error('cannot normalize nothing')
    return { workingDir: path.startsWith('/') ? path : posix.join('/', config.workingDir, path) }
  },
}

/** The config with the changes made, in their order. Throws CHANGE_INVALID, naming the instruction. */
export function applyChanges(config: RunConfig, changes: readonly string[]): RunConfig {
  const builder: Builder = { cmdSet: false }
  // Whether it is an instruction at all is asked of all of them before any is carried out.
  const parsed = parseInstructions(changes)
  for (const { name, line } of parsed)
    if (!Object.hasOwn(instructions, name)) throw invalidChange(line, `${name} is not a valid change command`)
  let current = config
  for (const instruction of parsed) {
    try {
      refuseFlags(instruction)
      current = { ...current, ...instructions[instruction.name]!(current, instruction, builder) }
    } catch (error) {
      throw error instanceof Error && !('code' in error) ? invalidChange(instruction.line, error.message) : error
    }
  }
  return current
}

function refuseFlags({ name, flags }: Instruction): void {
  if (name === 'healthcheck') return
  for (const flag of flags.keys()) throw new Error(`Unknown flag: ${flag}`)
}

function required({ name, rest }: Instruction): string {
  if (rest === '') throw new Error(`${name.toUpperCase()} requires at least one argument`)
  return rest
}

function only({ name, rest }: Instruction): string {
  if (rest === '') throw new Error(`${name.toUpperCase()} requires exactly one argument`)
  return rest
}

function commandLine(
  config: RunConfig,
  rest: string,
  line: string,
  emptyIsNone: boolean,
): readonly string[] | undefined {
  const words = jsonWords(rest, line)
  if (words !== undefined) return emptyIsNone && words.length === 0 ? undefined : words
  if (rest === '' && emptyIsNone) return undefined
  return [...(config.shell ?? defaultShell), ...(rest === '' ? [] : [rest])]
}

function variablesOf({ env }: RunConfig): Variables {
  return new Map(env.map(entry => [keyOf(entry), entry.slice(keyOf(entry).length + 1)] as const))
}

/** `name=value …`, or the old form `name the rest`. */
function* assignments(instruction: Instruction, variables: Variables): Generator<readonly [string, string]> {
  const keyword = instruction.name.toUpperCase()
  const rest = required(instruction)
  const words = rawWords(rest)
  if (!words[0]!.includes('=')) {
    const [, name, value] = /^(\S+)\s+(.*)$/s.exec(rest) ?? []
    if (name === undefined) throw new Error(`${keyword} must have two arguments`)
    yield [expandWord(name, variables), expandWord(value!, variables)]
    return
  }
  for (const word of words) {
    const at = word.indexOf('=')
    if (at < 0)
      throw new Error(`Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`)
    const name = expandWord(word.slice(0, at), variables)
    if (name === '') throw new Error(`${keyword} names can not be blank`)
    yield [name, expandWord(word.slice(at + 1), variables)]
  }
}

const signalNames = new Set(
  (
    'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP ' +
    'TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX'
  ).split(' '),
)

/** A number, or a name of Linux's with or without SIG. */
function isSignal(text: string): boolean {
  if (/^\d{1,9}$/.test(text)) return Number(text) > 0
  const name = text.toUpperCase().replace(/^SIG/, '')
  const realTime = /^RT(?:MIN\+(\d{1,2})|MAX-(\d{1,2}))$/.exec(name)
  if (realTime !== null) return Number(realTime[1] ?? 1) <= 15 && Number(realTime[2] ?? 1) <= 14 && !/[+-]0/.test(name)
  return signalNames.has(name)
}
