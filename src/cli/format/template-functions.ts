/** Functions of templates: those of Go's text/template and those that Docker's client adds. */
import { sprintf } from './go-printf.js'
import { GoNil, isMap, isNil, isTrue, mapValue, printValue, toJson, typeName } from './go-value.js'
import { TemplateError } from './template-error.js'

export interface TemplateFunction {
  /** How many arguments it takes; `most` undefined for any number. */
  readonly least: number
  readonly most?: number
  call(...args: unknown[]): unknown
}

function fixed(count: number, call: (...args: unknown[]) => unknown): TemplateFunction {
  return { least: count, most: count, call }
}

function variadic(least: number, call: (...args: unknown[]) => unknown): TemplateFunction {
  return { least, call }
}

/** `and` and `or` stand here for their names: they stop early, so the executor evaluates their arguments. */
export const templateFunctions: ReadonlyMap<string, TemplateFunction> = new Map([
  ['and', variadic(1, (...args) => args.find(arg => !isTrue(arg)) ?? args.at(-1))],
  ['or', variadic(1, (...args) => args.find(isTrue) ?? args.at(-1))],
  ['not', fixed(1, isFalse)],
  ['eq', variadic(2, (first, ...others) => others.map(other => equal(first, other)).includes(true))],
  ['ne', fixed(2, (a, b) => !equal(a, b))],
  ['lt', fixed(2, (a, b) => less('lt', a, b))],
  ['le', fixed(2, (a, b) => !less('le', b, a))],
  ['gt', fixed(2, (a, b) => less('gt', b, a))],
  ['ge', fixed(2, (a, b) => !less('ge', a, b))],
  ['len', fixed(1, length)],
  ['index', variadic(1, (value, ...keys) => keys.reduce(item, value))],
  ['slice', variadic(1, slice)],
  ['print', variadic(0, print)],
  ['println', variadic(0, (...args) => `${args.map(arg => printValue(arg)).join(' ')}\n`)],
  ['printf', variadic(1, (format, ...args) => sprintf(text(format), args))],
  ['json', fixed(1, value => toJson(value))],
  ['join', fixed(2, (list, separator) => strings(list).join(text(separator)))],
  ['split', fixed(2, (value, separator) => split(text(value), text(separator)))],
  ['upper', fixed(1, value => text(value).toUpperCase())],
  ['lower', fixed(1, value => text(value).toLowerCase())],
  ['title', fixed(1, value => title(text(value)))],
  ['truncate', fixed(2, (value, count) => truncate(text(value), whole(count)))],
  ['pad', fixed(3, pad)],
])

/** What Docker puts in their place when it makes the header line of a table: those that act on one value leave the title as it is, but for `pad`. */
export const headerFunctions: ReadonlyMap<string, TemplateFunction> = new Map([
  ...templateFunctions,
  ['json', fixed(1, value => value)],
  ['split', fixed(2, value => value)],
  ['join', fixed(2, value => value)],
  ['title', fixed(1, value => value)],
  ['lower', fixed(1, value => value)],
  ['upper', fixed(1, value => value)],
  ['truncate', fixed(2, value => value)],
])

function isFalse(value: unknown): boolean {
  return !isTrue(value)
}

function text(value: unknown): string {
  if (typeof value === 'string') return value
  throw new TemplateError(`wrong type for value; expected string; got ${typeName(value)}`)
}

function strings(value: unknown): readonly string[] {
  if (value instanceof GoNil && value.type === 'slice') return []
  if (Array.isArray(value) && value.every(entry => typeof entry === 'string')) return value
  throw new TemplateError(`wrong type for value; expected []string; got ${typeName(value)}`)
}

function whole(value: unknown): number {
  if (Number.isSafeInteger(value)) return value as number
  throw new TemplateError(`wrong type for value; expected int; got ${typeName(value)}`)
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

function equal(a: unknown, b: unknown): boolean {
  if (isNil(a) || isNil(b)) return isNil(a) && isNil(b)
  for (const value of [a, b]) {
    if (typeof value === 'object') throw new TemplateError(`error calling eq: non-comparable type: ${typeName(value)}`)
  }
  // biome-ignore lint/suspicious/noDoubleEquals: 1 and 1n are the same number to Go
  if (isNumber(a) && isNumber(b)) return a == b
  if (typeof a !== typeof b) throw new TemplateError('error calling eq: incompatible types for comparison')
  return a === b
}

function less(name: string, a: unknown, b: unknown): boolean {
  if (isNumber(a) && isNumber(b)) return a < b
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0
  throw new TemplateError(`error calling ${name}: incompatible types for comparison`)
}

/** Of a string, its bytes. */
function length(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (Array.isArray(value)) return value.length
  if (value instanceof GoNil && value.type !== 'pointer') return 0
  if (isMap(value)) return value instanceof Map ? value.size : Object.keys(value).length
  throw new TemplateError(`error calling len: len of type ${typeName(value)}`)
}

/** A missing key of a map of strings gives the empty string, as in Go; of other maps it gives nil. */
function item(value: unknown, key: unknown): unknown {
  if (isMap(value)) {
    const found = mapValue(value, text(key))
    if (found !== undefined) return found.value
    const values = value instanceof Map ? [...value.values()] : Object.values(value)
    return values.every(entry => typeof entry === 'string') ? '' : undefined
  }
  if (value instanceof GoNil && value.type === 'map') return ''
  if (value instanceof GoNil && value.type === 'slice') return outOfRange(key)
  if (Array.isArray(value)) return value[inRange(key, value.length)]
  if (typeof value === 'string') return Buffer.from(value)[inRange(key, Buffer.byteLength(value))]
  if (isNil(value)) throw new TemplateError('error calling index: index of untyped nil')
  throw new TemplateError(`error calling index: can't index item of type ${typeName(value)}`)
}

function inRange(key: unknown, count: number): number {
  const index = whole(key)
  return index >= 0 && index < count ? index : outOfRange(index)
}

function outOfRange(index: unknown): never {
  throw new TemplateError(`error calling index: index out of range: ${String(index)}`)
}

function slice(value: unknown, ...bounds: unknown[]): unknown {
  if (typeof value !== 'string' && !Array.isArray(value)) {
    throw new TemplateError(`error calling slice: can't slice item of type ${typeName(value)}`)
  }
  const list = typeof value === 'string' ? Buffer.from(value) : value
  const [from = 0, to = list.length] = bounds.map(whole)
  if (bounds.length > 2) throw new TemplateError('error calling slice: too many slice indexes')
  if (from < 0 || from > to || to > list.length)
    throw new TemplateError(`error calling slice: index out of range: ${to}`)
  return Buffer.isBuffer(list) ? list.toString('utf8', from, to) : list.slice(from, to)
}

/** Spaces between operands where neither is a string. */
function print(...args: unknown[]): string {
  return args.reduce<string>((all, arg, index) => {
    const spaced = index > 0 && typeof arg !== 'string' && typeof args[index - 1] !== 'string'
    return all + (spaced ? ' ' : '') + printValue(arg)
  }, '')
}

function split(value: string, separator: string): string[] {
  return separator === '' ? [...value] : value.split(separator)
}

/** strings.Title: a letter is the first of a word if no letter, digit or underscore stands before it. */
function title(value: string): string {
  return value.replace(/(?<![\p{L}\p{N}_])\p{L}/gu, letter => letter.toUpperCase())
}

/** Bytes, as Docker counts; a character is not cut in half, however. */
function truncate(value: string, count: number): string {
  const bytes = Buffer.from(value)
  if (count < 0) throw new TemplateError('error calling truncate: negative length')
  if (bytes.length <= count) return value
  let end = count
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1
  return bytes.toString('utf8', 0, end)
}

function pad(value: unknown, before: unknown, after: unknown): string {
  const source = text(value)
  if (source === '') return source
  return ' '.repeat(spaces(before)) + source + ' '.repeat(spaces(after))
}

function spaces(count: unknown): number {
  return Math.min(Math.max(whole(count), 0), 1000)
}
