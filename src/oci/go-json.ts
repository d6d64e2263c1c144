/**
 * JSON and times as Go's encoding/json writes them, so that what we write equals what Docker writes: compact, keys in
 * the order given (Go: declaration order of a struct), `<>&` and U+2028/9 escaped, bytes in base64, RFC 3339 times with
 * nanoseconds less trailing zeros. Control characters are written as by Go 1.22 and later (`\b`, `\f`).
 *
 * A Map keeps its order where an object cannot: JavaScript moves keys that look like numbers to the front.
 */

export type GoJsonValue =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly GoJsonValue[]
  | ReadonlyMap<string, GoJsonValue>
  | { readonly [key: string]: GoJsonValue }

export interface GoJsonOptions {
  /** Write `<`, `>` and `&` as they are: Go's SetEscapeHTML(false). */
  readonly plainHtml?: boolean
}

/** The value in Go's compact form. Members that are undefined are left out (omitempty is the caller's business). */
export function goJson(value: GoJsonValue, options: GoJsonOptions = {}): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'string') return goJsonString(value, options)
  if (typeof value === 'number' && !Number.isFinite(value)) throw new TypeError(`${value} has no form in JSON`)
  if (typeof value !== 'object') return String(value)
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString('base64')}"`
  if (Array.isArray(value)) return `[${value.map(item => goJson(item, options)).join(',')}]`
  const members: string[] = []
  for (const [key, member] of value instanceof Map ? value : Object.entries(value)) {
    if (member !== undefined) members.push(`${goJsonString(key, options)}:${goJson(member, options)}`)
  }
  return `{${members.join(',')}}`
}

/** A Go map: its entries sorted by the bytes of their keys. */
export function sortedMap<V>(entries: Readonly<Record<string, V>> | ReadonlyMap<string, V>): Map<string, V> {
  const list = entries instanceof Map ? [...entries] : Object.entries(entries as Readonly<Record<string, V>>)
  return new Map(list.sort(([a], [b]) => compareBytes(a, b)))
}

/** Order of the UTF-8 bytes. JavaScript's own order is that of UTF-16 units, where U+10000 comes before U+E000. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function goJsonString(text: string, { plainHtml = false }: GoJsonOptions): string {
  const quoted = JSON.stringify(text.replace(/\p{Surrogate}/gu, '\ufffd'))
  return quoted.replace(plainHtml ? /[\u2028\u2029]/g : /[<>&\u2028\u2029]/g, char => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** A moment: whole seconds since 1970 (may be negative) and nanoseconds from 0 to 999,999,999 counted forwards. */
export interface Time {
  readonly seconds: number
  readonly nanos: number
}

const timeGrammar = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,100}))?(?:Z|([+-])(\d\d):(\d\d))$/

/** An RFC 3339 time, undefined if the text is none. Digits beyond the nanosecond are cut off, as Go does. */
export function parseTime(text: string): Time | undefined {
  const match = timeGrammar.exec(text)
  if (match === null) return undefined
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const [hour, minute, second] = [Number(match[4]), Number(match[5]), Number(match[6])]
  const [sign, offsetHours, offsetMinutes] = [match[8], Number(match[9] ?? 0), Number(match[10] ?? 0)]
  if (hour > 23 || minute > 59 || second > 59 || offsetHours > 23 || offsetMinutes > 59) return undefined
  const date = new Date(0)
  // Date.UTC takes the years 0 to 99 for 1900 to 1999; setUTCFullYear does not.
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined
  const offset = (offsetHours * 3600 + offsetMinutes * 60) * (sign === '-' ? -1 : 1)
  const seconds = date.getTime() / 1000 + hour * 3600 + minute * 60 + second - offset
  return { seconds, nanos: Number((match[7] ?? '').slice(0, 9).padEnd(9, '0')) }
}

/**
 * A time as Go writes it again after reading it: in the zone that it was written in (an offset of zero is `Z`), no more
 * digits of the fraction than it takes. Undefined if the text is no time.
 */
export function rewriteTime(text: string): string | undefined {
  if (parseTime(text) === undefined) return undefined
  const [, whole, digits = '', zone] = /^(.{19})(?:\.(\d+))?(.+)$/.exec(text)!
  const fraction = digits.slice(0, 9).replace(/0+$/, '')
  return `${whole}${fraction && `.${fraction}`}${/^[+-]00:00$/.test(zone!) ? 'Z' : zone}`
}
