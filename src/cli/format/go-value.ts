/**
 * Values as Go templates see them, and how Go prints them.
 *
 * JavaScript says less than Go's types do: a plain object or Map is a Go map (keys sorted, missing keys allowed), an
 * array is a slice, null and undefined are nil, a whole number is an int and any other number a float64. What Go has
 * beyond that has a class here: structs, whose fields have an order, and nils that still have a type.
 */
import { formatShortest } from './go-number.js'

/** Fields in their order; asking for another one is an error. */
export class GoStruct {
  readonly fields: Readonly<Record<string, unknown>>

  constructor(fields: Readonly<Record<string, unknown>>) {
    this.fields = fields
  }
}

/** A row of a listing: a struct that `json` writes with sorted keys and with `<>&` escaped, as Docker's formatter does. */
export class GoRow extends GoStruct {}

/** A nil that knows its type: prints as `[]`, `map[]` or `<nil>`, and is `null` in JSON. */
export class GoNil {
  readonly type: 'slice' | 'map' | 'pointer'

  constructor(type: 'slice' | 'map' | 'pointer') {
    this.type = type
  }
}

export interface Shape {
  /** Keys whose objects are maps, not structs; null there is a nil map. */
  readonly maps: readonly string[]
  /** Keys where null is a nil slice. Other nulls are nil pointers. */
  readonly slices: readonly string[]
}

/** A JSON document as the Go structs that it was made from, for `inspect -f`. */
export function structured(value: unknown, shape: Shape, key = ''): unknown {
  if (value === null || value === undefined) {
    return new GoNil(shape.maps.includes(key) ? 'map' : shape.slices.includes(key) ? 'slice' : 'pointer')
  }
  if (Array.isArray(value)) return value.map(item => structured(item, shape))
  if (!isMap(value)) return value
  const entries = entriesOf(value).map(([name, item]) => [name, structured(item, shape, name)] as const)
  return shape.maps.includes(key) ? new Map(entries) : new GoStruct(Object.fromEntries(entries))
}

/** Adds fields that can be asked for by name, and that neither JSON nor the printed struct shows. */
export function complete(value: unknown, fields: Readonly<Record<string, unknown>>): void {
  if (!(value instanceof GoStruct)) return
  for (const [name, zero] of Object.entries(fields))
    if (!Object.hasOwn(value.fields, name))
      Object.defineProperty(value.fields, name, { value: zero, enumerable: false })
}

export function fieldOf(value: unknown, name: string): unknown {
  return value instanceof GoStruct ? value.fields[name] : undefined
}

export type GoMap = Readonly<Record<string, unknown>> | ReadonlyMap<string, unknown>

export function isMap(value: unknown): value is GoMap {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return !(value instanceof GoStruct || value instanceof GoNil)
}

export function isNil(value: unknown): boolean {
  return value === null || value === undefined || value instanceof GoNil
}

/** Entries sorted by the bytes of their keys. */
export function sortedEntries(map: GoMap): [string, unknown][] {
  return entriesOf(map).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}

function entriesOf(map: GoMap): [string, unknown][] {
  return map instanceof Map ? [...map] : Object.entries(map)
}

export function mapValue(map: GoMap, key: string): { readonly value: unknown } | undefined {
  if (map instanceof Map) return map.has(key) ? { value: map.get(key) } : undefined
  return Object.hasOwn(map, key) ? { value: (map as Readonly<Record<string, unknown>>)[key] } : undefined
}

/** Name of the Go type, for messages. */
export function typeName(value: unknown): string {
  if (value instanceof GoStruct) return 'struct'
  if (value instanceof GoNil) return `nil ${value.type}`
  if (value === null || value === undefined) return 'nil'
  if (Array.isArray(value)) return '[]interface {}'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64'
  if (typeof value === 'bigint') return 'int64'
  if (typeof value === 'boolean') return 'bool'
  return typeof value === 'object' ? 'map[string]interface {}' : typeof value
}

/** Whether `if` takes the value for true: not zero, not empty, not nil. */
export function isTrue(value: unknown): boolean {
  if (isNil(value)) return false
  if (Array.isArray(value)) return value.length > 0
  if (isMap(value)) return entriesOf(value).length > 0
  return Boolean(value)
}

/** `%v`. */
export function printValue(value: unknown, print: (leaf: unknown) => string = printLeaf): string {
  if (value instanceof GoNil) return value.type === 'slice' ? '[]' : value.type === 'map' ? 'map[]' : print(null)
  if (Array.isArray(value)) return `[${value.map(item => printValue(item, print)).join(' ')}]`
  if (value instanceof GoStruct) {
    return `{${Object.values(value.fields)
      .map(item => printValue(item, print))
      .join(' ')}}`
  }
  if (isMap(value)) {
    const members = sortedEntries(value).map(([key, item]) => `${print(key)}:${printValue(item, print)}`)
    return `map[${members.join(' ')}]`
  }
  return print(value)
}

function printLeaf(value: unknown): string {
  if (value === null || value === undefined) return '<nil>'
  return typeof value === 'number' && !Number.isInteger(value) ? formatShortest(value) : String(value)
}

/** JSON in one line. `<>&` are written as they are, except in a GoRow. */
export function toJson(value: unknown, escapeHtml = false): string {
  if (isNil(value)) return 'null'
  if (typeof value === 'string') return jsonString(value, escapeHtml)
  if (Array.isArray(value)) return `[${value.map(item => toJson(item, escapeHtml)).join(',')}]`
  if (value instanceof GoRow) return jsonMembers(sortedEntries(value.fields), true)
  if (value instanceof GoStruct) return jsonMembers(Object.entries(value.fields), escapeHtml)
  return isMap(value) ? jsonMembers(sortedEntries(value), escapeHtml) : String(value)
}

function jsonMembers(entries: readonly (readonly [string, unknown])[], escapeHtml: boolean): string {
  const members = entries.map(([key, value]) => `${jsonString(key, escapeHtml)}:${toJson(value, escapeHtml)}`)
  return `{${members.join(',')}}`
}

function jsonString(text: string, escapeHtml: boolean): string {
  const quoted = JSON.stringify(text.replace(/\p{Surrogate}/gu, '\ufffd'))
  return quoted.replace(escapeHtml ? /[<>&\u2028\u2029]/g : /[\u2028\u2029]/g, char => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
