/**
 * Typed reading of fields of a parsed JSON document. As in Go, `null` and a missing key are the same; a value of
 * another type is refused with the document's error code and the path of the field.
 */
import { PhylloError } from '../errors.js'
import { isObject, type JsonObject, type JsonValue } from './json.js'
import { quoted } from './quoted.js'

/** Where a value stands in which document, for messages, and the code of its errors. */
export interface Where {
  readonly what: string
  readonly code: 'MANIFEST_INVALID' | 'CONFIG_INVALID'
}

export function refuseField({ what, code }: Where, reason: string): never {
  throw new PhylloError(code, `${what}: ${reason}`)
}

/** The same document, one level deeper in messages. */
export function inside(where: Where, name: string): Where {
  return { ...where, what: `${where.what} ${name}` }
}

export function asObject(value: JsonValue | undefined, where: Where): JsonObject {
  return isObject(value) ? value : refuseField(where, 'not an object')
}

export function asArray(value: JsonValue | undefined, where: Where): readonly JsonValue[] {
  return Array.isArray(value) ? value : refuseField(where, 'not an array')
}

export function stringField(object: JsonObject, key: string, where: Where): string | undefined {
  const value = own(object, key)
  if (value === undefined || typeof value === 'string') return value
  return refuseField(where, `${key} is not a string`)
}

export function booleanField(object: JsonObject, key: string, where: Where): boolean | undefined {
  const value = own(object, key)
  if (value === undefined || typeof value === 'boolean') return value
  return refuseField(where, `${key} is neither true nor false`)
}

/** A whole number from 0 to 2^53-1: sizes and counts. Beyond that two readers see two numbers. */
export function countField(object: JsonObject, key: string, where: Where): number | undefined {
  const value = own(object, key)
  if (value === undefined) return value
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  return refuseField(where, `${key} is not a whole number from 0 to 2^53-1`)
}

export function objectField(object: JsonObject, key: string, where: Where): JsonObject | undefined {
  const value = own(object, key)
  return value === undefined ? undefined : asObject(value, inside(where, key))
}

export function arrayField(object: JsonObject, key: string, where: Where): readonly JsonValue[] | undefined {
  const value = own(object, key)
  return value === undefined ? undefined : asArray(value, inside(where, key))
}

export function stringsField(object: JsonObject, key: string, where: Where): readonly string[] | undefined {
  return arrayField(object, key, where)?.map((item, index) => text(item, inside(where, `${key}[${index}]`)))
}

/** A string → string map without a prototype, so that no key means anything but itself. */
export function stringMapField(
  object: JsonObject,
  key: string,
  where: Where,
): Readonly<Record<string, string>> | undefined {
  const map = objectField(object, key, where)
  if (map === undefined) return undefined
  const copy: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries(map)) copy[name] = text(value, inside(where, `${key} ${quoted(name)}`))
  return copy
}

function text(value: JsonValue, where: Where): string {
  if (typeof value === 'string') return value
  return value === null ? '' : refuseField(where, 'not a string')
}

/** The field's value, undefined where it is missing or null. */
export function own(object: JsonObject, key: string): Exclude<JsonValue, null> | undefined {
  return Object.hasOwn(object, key) ? (object[key] ?? undefined) : undefined
}
