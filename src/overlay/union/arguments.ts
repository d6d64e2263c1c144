/**
 * Arguments as node:fs takes them. What is plainly right is accepted here; whatever is not is shown to Node's own function,
 * on the empty path or on a descriptor that cannot exist, so that the TypeError is Node's, word for word, on every version. What Node
 * does not object to is accepted.
 */
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type ByteString, byteString, fromText, toText } from '../../byte-string.js'

/** The largest int32: over every kernel's limit for descriptors, so that a system call on it is EBADF. */
export const impossibleFd = 0x7fffffff

/** Runs Node's own function for its check of arguments; its system call fails, and that failure is none of ours. */
export function checkedByNode(call: () => unknown): void {
  try {
    call()
  } catch (error) {
    if (isMisuse(error)) throw error
  }
}

const misuseCode = /^ERR_(INVALID_|OUT_OF_RANGE|MISSING_ARGS)/

/** A failure of the caller's, which callback functions throw at once. */
export function isMisuse(error: unknown): boolean {
  return error instanceof Error && 'code' in error && misuseCode.test(String(error.code))
}

/** A path as the caller gave it, for messages, and its bytes. */
export interface PathArgument {
  readonly text: string
  readonly bytes: ByteString
  /** Whether the text says all: it does not for a Buffer, which need not be UTF-8. */
  readonly exact: boolean
}

/** `check` is Node's function that names this argument as ours does; it is called with something that is not a path. */
export function pathArgument(path: unknown, check: (bad: never) => unknown = fs.accessSync): PathArgument {
  if (typeof path === 'string') {
    if (!path.includes('\0')) return { text: path, bytes: fromText(path), exact: true }
  } else if (path instanceof Uint8Array) {
    if (!path.includes(0)) {
      const bytes = byteString(path)
      return { text: toText(bytes), bytes, exact: false }
    }
  } else if (path instanceof URL) {
    // A view is POSIX on every host
    return pathArgument(fileURLToPath(path, { windows: false }), check)
  }
  check(path as never)
  throw Object.assign(new TypeError('The "path" argument is not a path'), { code: 'ERR_INVALID_ARG_VALUE' })
}

export function validFd(fd: unknown): number {
  if (typeof fd === 'number' && Number.isInteger(fd) && fd >= 0 && fd <= impossibleFd) return fd
  fs.fstatSync(fd as number)
  throw Object.assign(new TypeError('The "fd" argument is not a descriptor'), { code: 'ERR_INVALID_ARG_TYPE' })
}

export type Encoding = BufferEncoding | 'buffer'

export interface AnyOptions {
  readonly encoding?: Encoding | null
  readonly bigint?: boolean
  readonly throwIfNoEntry?: boolean
  readonly withFileTypes?: boolean
  readonly recursive?: boolean
  readonly force?: boolean
  readonly flag?: string | number
  readonly signal?: AbortSignal
  readonly mode?: number | string
}

const noOptions: AnyOptions = Object.freeze({})

/** Options of any function: absent, an encoding, or an object whose own properties alone count. */
export function optionsArgument(
  options: unknown,
  check: (options: never) => unknown = options => fs.readlinkSync('', options),
): AnyOptions {
  if (options === undefined || options === null || typeof options === 'function') return noOptions
  if (typeof options === 'string') {
    if (!isEncoding(options)) checkedByNode(() => check(options as never))
    return { encoding: options as Encoding }
  }
  if (typeof options !== 'object') {
    checkedByNode(() => check(options as never))
    return noOptions
  }
  const { encoding, signal } = options as AnyOptions
  if ((encoding !== undefined && encoding !== null && !isEncoding(encoding)) || signal !== undefined) {
    checkedByNode(() => check(options as never))
  }
  return { ...options }
}

function isEncoding(encoding: unknown): boolean {
  return encoding === 'buffer' || (typeof encoding === 'string' && Buffer.isEncoding(encoding))
}

/** Bytes of a name or target in the encoding that was asked for; text unless told otherwise. */
export function encoded(bytes: ByteString, encoding: Encoding | null | undefined): string | Buffer {
  if (encoding === 'buffer') return Buffer.from(bytes, 'latin1')
  if (encoding === 'latin1' || encoding === 'binary') return bytes
  const ascii = encoding === undefined || encoding === null || encoding === 'utf8' || encoding === 'utf-8'
  if (ascii && isAscii(bytes)) return bytes
  return Buffer.from(bytes, 'latin1').toString(encoding ?? 'utf8')
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII
const onlyAscii = /^[\x00-\x7f]*$/

function isAscii(bytes: string): boolean {
  return onlyAscii.test(bytes)
}

const { O_RDONLY, O_WRONLY, O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_TRUNC, O_SYNC = 0 } = fs.constants

/** Every spelling that Node takes, without the letters that may stand in another order. */
const flagBits: ReadonlyMap<unknown, number> = new Map(
  [
    ['r', O_RDONLY],
    ['rs', O_RDONLY | O_SYNC],
    ['w', O_TRUNC | O_CREAT | O_WRONLY],
    ['wx', O_TRUNC | O_CREAT | O_WRONLY | O_EXCL],
    ['a', O_APPEND | O_CREAT | O_WRONLY],
    ['ax', O_APPEND | O_CREAT | O_WRONLY | O_EXCL],
    ['as', O_APPEND | O_CREAT | O_WRONLY | O_SYNC],
  ].flatMap(([name, bits]) => spellings(name as string, bits as number)),
)

/** `wx`, `xw`, `wx+`, `xw+`. */
function spellings(name: string, bits: number): [string, number][] {
  const both = (bits & ~(O_WRONLY | O_RDONLY)) | O_RDWR
  return [name, [...name].reverse().join('')].flatMap(letters => [
    [letters, bits],
    [`${letters}+`, both],
  ])
}

/** Open flags as a number. */
export function flagsArgument(flags: unknown): number {
  if (flags === undefined || flags === null) return O_RDONLY
  if (typeof flags === 'number') {
    if (!Number.isInteger(flags)) checkedByNode(() => fs.openSync('', flags))
    return flags
  }
  const known = flagBits.get(flags)
  if (known !== undefined) return known
  checkedByNode(() => fs.openSync('', flags as string))
  throw new TypeError(`flags: ${String(flags)} is a spelling that Node takes and nobody here knows`)
}

/** What is opened, and how. */
export interface Opening {
  readonly argument: PathArgument
  readonly flags: number
  /** Of a file that is made. */
  readonly mode: number
}

/** What open takes; `check` as for `pathArgument`. */
export function openingArguments(
  path: unknown,
  flags: unknown,
  mode: unknown,
  check?: (bad: never) => unknown,
): Opening {
  const argument = pathArgument(path, check)
  const bits = flagsArgument(flags)
  return { argument, flags: bits, mode: modeArgument(mode, bad => fs.openSync('', 'r', bad)) }
}

/** Mode bits, a number or octal digits; what is neither is shown to `check`. */
export function modeArgument(mode: unknown, check: (bad: never) => unknown, otherwise = 0o666): number {
  if (mode === undefined || mode === null || typeof mode === 'function') return otherwise
  if (typeof mode === 'number' && Number.isInteger(mode) && mode >= 0 && mode < 2 ** 32) return mode
  if (typeof mode === 'string' && /^[0-7]+$/.test(mode)) return Number.parseInt(mode, 8)
  checkedByNode(() => check(mode as never))
  return otherwise
}

/** The callback of a callback function, which is the last argument. */
export function callbackArgument(args: unknown[]): (...results: unknown[]) => void {
  const last = args.at(-1)
  if (typeof last !== 'function') {
    // Throws ERR_INVALID_ARG_TYPE for "cb"
    fs.access('', last as never)
  }
  args.pop()
  return last as (...results: unknown[]) => void
}

/** What node:fs reads of a `read` call. */
export interface ReadArguments {
  readonly buffer: NodeJS.ArrayBufferView
  readonly offset: number
  readonly length: number
  /** From where; undefined is the descriptor's own position. */
  readonly position: number | undefined
}

/** (buffer, offset, length, position), (buffer, options) or (options); Node's default buffer has 16 KiB. */
export function readArguments(args: readonly unknown[]): ReadArguments {
  let [buffer, offset, length, position] = args
  // One argument after the buffer is an object of options, and nothing else
  const plain = args.length !== 2 || offset === undefined || typeof offset === 'object'
  if (buffer === undefined || (typeof buffer === 'object' && buffer !== null && !ArrayBuffer.isView(buffer))) {
    ;({ buffer = Buffer.alloc(16_384), offset, length, position } = (buffer ?? {}) as Record<string, unknown>)
  } else if (typeof offset === 'object' && offset !== null) {
    ;({ offset, length, position } = offset as Record<string, unknown>)
  }
  const bytes = ArrayBuffer.isView(buffer) ? buffer.byteLength : -1
  const start = offset ?? 0
  const count = length ?? bytes - Number(start)
  const sane =
    isIndex(start, bytes) &&
    isIndex(count, bytes - start) &&
    bytes > 0 &&
    plain &&
    (position === undefined || position === null || isIndex(position, Number.MAX_SAFE_INTEGER) || position === -1)
  if (!sane) {
    const shown = plain ? [buffer, start, count, position] : args
    checkedByNode(() => (fs.readSync as (fd: number, ...rest: unknown[]) => number)(impossibleFd, ...shown))
  }
  return {
    buffer: buffer as NodeJS.ArrayBufferView,
    offset: Number(start),
    length: Number(count),
    position: positionOf(position),
  }
}

export function positionOf(position: unknown): number | undefined {
  if (typeof position !== 'number' && typeof position !== 'bigint') return undefined
  return position < 0 ? undefined : Number(position)
}

function isIndex(value: unknown, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max
}
