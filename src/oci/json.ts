/**
 * Strict JSON for documents that have a digest: what one reader takes for one thing must not be another thing to the
 * next. Go's decoder folds the case of keys, lets the last duplicate win and replaces what is not UTF-8; JavaScript's
 * does not fold. Whatever the two would read differently is refused here.
 *
 * Invariants: one pass over the text besides JSON.parse, so linear; depth is bounded before anything is built; a key
 * `__proto__` is an ordinary own property of the result.
 */
import { PhylloError } from '../errors.js'
import { type Limits, limitError } from '../limits.js'
import { quoted } from './quoted.js'

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject

export interface JsonObject {
  readonly [key: string]: JsonValue
}

export interface JsonOptions {
  readonly limits: Limits
  /** Name of the document in messages: `manifest.json`, `image config sha256:…`. */
  readonly what: string
  readonly code?: 'MANIFEST_INVALID' | 'CONFIG_INVALID'
  /** Known keys of the top-level object: other spellings of them (`Digest` for `digest`) are MANIFEST_AMBIGUOUS. */
  readonly keys?: readonly string[]
}

interface Frame {
  /** Keys seen so far; undefined for an array. */
  readonly keys: Set<string> | undefined
  expectKey: boolean
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const loneSurrogate = /\p{Surrogate}/u

/**
 * The value that the bytes are. Throws LIMIT_EXCEEDED (jsonBytes, jsonDepth), MANIFEST_AMBIGUOUS (duplicate keys), and
 * `options.code` (MANIFEST_INVALID unless given) for everything else.
 */
export function parseJson(bytes: Uint8Array, options: JsonOptions): JsonValue {
  const { limits, what } = options
  if (bytes.length > limits.jsonBytes) throw limitError('jsonBytes', limits.jsonBytes, bytes.length, what)
  const text = decode(bytes, options)
  scan(text, options)
  let value: JsonValue
  try {
    value = JSON.parse(text)
  } catch (error) {
    // V8's message quotes the text, which may hold anything.
    throw invalid(options, `not JSON: ${quoted((error as Error).message)}`)
  }
  if (options.keys !== undefined && isObject(value)) refuseCaseVariants(value, options.keys, what)
  return value
}

/** Refuses keys that Go's decoder would take for a known key and JavaScript would not. Throws MANIFEST_AMBIGUOUS. */
export function refuseCaseVariants(object: JsonObject, known: readonly string[], what: string): void {
  for (const key of Object.keys(object)) {
    if (known.includes(key)) continue
    const folded = fold(key)
    if (!known.some(other => fold(other) === folded)) continue
    throw new PhylloError('MANIFEST_AMBIGUOUS', `${what}: key ${quoted(key)} is a case variant of a known key`)
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Both ways, as Unicode's simple folding is: U+017F (long s) has an upper case, U+212A (Kelvin) a lower case alone. */
function fold(key: string): string {
  return key.toUpperCase().toLowerCase()
}

function decode(bytes: Uint8Array, options: JsonOptions): string {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf)
    throw invalid(options, 'begins with a byte order mark')
  try {
    return strictUtf8.decode(bytes)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw invalid(options, 'not valid UTF-8')
  }
}

/** Depth, duplicate keys, lone surrogates and numbers out of range. Whatever is no JSON at all is left to JSON.parse. */
function scan(text: string, options: JsonOptions): void {
  const { jsonDepth } = options.limits
  const stack: Frame[] = []
  let at = 0
  while (at < text.length) {
    const char = text.charCodeAt(at)
    if (char === 0x22) {
      at = scanString(text, at, stack.at(-1), options)
    } else if (char === 0x2d || (char >= 0x30 && char <= 0x39)) {
      at = scanNumber(text, at, options)
    } else {
      if (char === 0x7b || char === 0x5b) {
        stack.push({ keys: char === 0x7b ? new Set() : undefined, expectKey: char === 0x7b })
        if (stack.length > jsonDepth) throw limitError('jsonDepth', jsonDepth, stack.length, options.what)
      } else if (char === 0x7d || char === 0x5d) {
        stack.pop()
      } else if (char === 0x2c) {
        const top = stack.at(-1)
        if (top !== undefined) top.expectKey = top.keys !== undefined
      }
      at += 1
    }
  }
}

/** Looks at the string that begins at `start`; returns where it ends. */
function scanString(text: string, start: number, frame: Frame | undefined, options: JsonOptions): number {
  let end = start + 1
  let escaped = false
  for (let char = text.charCodeAt(end); char !== 0x22; char = text.charCodeAt(end)) {
    if (Number.isNaN(char)) throw invalid(options, 'not JSON: a string has no end')
    if (char === 0x5c) escaped = true
    end += char === 0x5c ? 2 : 1
  }
  end += 1
  const isKey = frame?.expectKey === true
  if (!isKey && !escaped) return end
  const value = escaped ? unquote(text.slice(start, end), options) : text.slice(start + 1, end - 1)
  if (escaped && loneSurrogate.test(value)) throw invalid(options, `a string holds half of a surrogate pair`)
  if (isKey) {
    if (frame.keys?.has(value)) {
      throw new PhylloError('MANIFEST_AMBIGUOUS', `${options.what}: key ${quoted(value)} is there twice`)
    }
    frame.keys?.add(value)
    frame.expectKey = false
  }
  return end
}

function unquote(text: string, options: JsonOptions): string {
  try {
    return JSON.parse(text) as string
  } catch (error) {
    throw invalid(options, `not JSON: ${quoted((error as Error).message)}`)
  }
}

function scanNumber(text: string, start: number, options: JsonOptions): number {
  let end = start + 1
  while (end < text.length && '0123456789+-.eE'.includes(text[end]!)) end += 1
  if (Math.abs(Number(text.slice(start, end))) === Number.POSITIVE_INFINITY) {
    throw invalid(options, `number ${text.slice(start, Math.min(end, start + 40))} is out of range`)
  }
  return end
}

function invalid(options: JsonOptions, reason: string): PhylloError {
  return new PhylloError(options.code ?? 'MANIFEST_INVALID', `${options.what}: ${reason}`)
}
