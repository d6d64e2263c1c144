/**
 * Dockerfile instructions as `docker commit -c` and `docker import -c` take them: lines, continued by a backslash at the end, with
 * comments; taken apart into name, flags and the rest.
 */
import { PhylloError } from '../errors.js'
import { quoted } from '../oci/quoted.js'

export interface Instruction {
  /** In lower case. */
  readonly name: string
  /** `--name=value`, less the dashes. */
  readonly flags: ReadonlyMap<string, string>
  readonly rest: string
  /** The whole line, for messages. */
  readonly line: string
}

export function invalidChange(line: string, reason: string): PhylloError {
  return new PhylloError('CHANGE_INVALID', `${quoted(line)}: ${reason}`, { change: line })
}

export function parseInstructions(changes: readonly string[]): Instruction[] {
  return logicalLines(changes.join('\n')).map(parseLine)
}

function logicalLines(text: string): string[] {
  const lines: string[] = []
  let begun: string | undefined
  for (const line of text.split('\n')) {
    if (/^\s*(?:#.*)?$/.test(line)) continue
    const continued = /\\[ \t]*$/.exec(line)
    const part = begun === undefined ? line.trimStart() : line
    const whole = (begun ?? '') + (continued === null ? part : part.slice(0, part.length - continued[0].length))
    begun = continued === null ? undefined : whole
    if (begun === undefined) lines.push(whole.trim())
  }
  return begun === undefined ? lines : [...lines, begun.trim()]
}

function parseLine(line: string): Instruction {
  const [, name, text] = /^(\S+)\s*(.*)$/s.exec(line)!
  const flags = new Map<string, string>()
  let rest = text!.trim()
  for (let word = flagOf(rest); word !== undefined; word = flagOf(rest)) {
    rest = rest.slice(word.length).trimStart()
    if (word === '--') break
    const [flag, ...value] = word.slice(2).split('=')
    if (flags.has(flag!)) throw invalidChange(line, `Duplicate flag specified: ${flag}`)
    if (value.length === 0) throw invalidChange(line, `Missing a value on flag: ${flag}`)
    flags.set(flag!, value.join('='))
  }
  return { name: name!.toLowerCase(), flags, rest, line }
}

function flagOf(text: string): string | undefined {
  return /^--\S*/.exec(text)?.[0]
}

/** The strings of a JSON array that a text begins with; what follows it does not count. Undefined: it is none. */
export function jsonWords(text: string, line: string): string[] | undefined {
  const value = firstArray(text)
  if (value === undefined) return undefined
  if (value.some(item => typeof item !== 'string'))
    throw invalidChange(line, 'when using JSON array syntax, arrays must be comprised of strings only')
  return value as string[]
}

function firstArray(text: string): unknown[] | undefined {
  const array = /^\s*\[(?:[^\]"]|"(?:[^"\\]|\\.)*")*\]/s.exec(text)?.[0]
  if (array === undefined) return undefined
  try {
    return JSON.parse(array) as unknown[]
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
