/**
 * The numbers of tar headers, read straight from bytes. Every parser gives NaN for what is not of its grammar; ranges
 * are the caller's matter. Stricter than POSIX readers usually are, because each laxity is one that two readers
 * understand differently: no sign, no embedded blanks, no digits up to the very end of a field.
 */

const space = 0x20

/**
 * Octal: spaces, one digit at least, then NULs or spaces up to the end of the field, one at least.
 * `unterminated` also allows a field that is digits to its very end, which bsdtar writes for sizes over 8 GiB.
 */
export function parseOctal(block: Uint8Array, at: number, length: number, unterminated = false): number {
  const end = at + length
  let i = at
  while (i < end && block[i] === space) i++
  const first = i
  let value = 0
  for (; i < end; i++) {
    const digit = block[i]! - 0x30
    if (digit < 0 || digit > 7) break
    value = value * 8 + digit
  }
  if (i === first || (i === end && !unterminated)) return Number.NaN
  for (; i < end; i++) if (block[i] !== 0 && block[i] !== space) return Number.NaN
  return value
}

/**
 * GNU base-256: a first byte of 0x80 and a big-endian number, or 0xff and a negative one in two's complement.
 * Above 2^53 the result is no longer exact, but it stays above 2^53, so that a range check refuses it.
 */
export function parseBase256(block: Uint8Array, at: number, length: number): number {
  const lead = block[at]
  if (lead !== 0x80 && lead !== 0xff) return Number.NaN
  const flip = lead === 0xff ? 0xff : 0
  let value = 0
  for (let i = at + 1; i < at + length; i++) value = value * 256 + (block[i]! ^ flip)
  return flip === 0 ? value : -value - 1
}

/** A numeric field in either form. */
export function parseNumber(block: Uint8Array, at: number, length: number): number {
  return block[at]! >= 0x80 ? parseBase256(block, at, length) : parseOctal(block, at, length)
}

/** True when the field holds this byte alone: a number that its writer left out. */
export function isFilledWith(byte: number, block: Uint8Array, at: number, length: number): boolean {
  for (let i = at; i < at + length; i++) if (block[i] !== byte) return false
  return true
}

/** Decimal digits and nothing else. Above 2^53 not exact, but still above. */
export function parseDecimal(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return Number.NaN
  let value = 0
  for (let i = start; i < end; i++) {
    const digit = bytes[i]! - 0x30
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return value
}

/** A point in time: whole seconds since 1970, which may be negative, and nanoseconds counted forwards from there. */
export interface Time {
  readonly sec: number
  readonly nsec: number
}

/** What eleven octal digits can say, both ways; 64-bit nanoseconds hold all of it. */
const maxSec = 2 ** 33 - 1
const minSec = -(2 ** 33)

/**
 * Times beyond ±2^33 seconds (the year 2242) become the bound, on every machine and whatever the disk's format. What
 * is not a 64-bit number of seconds is no time: undefined.
 */
export function clampTime(sec: number, nsec: number): Time | undefined {
  if (!(sec >= -(2 ** 63) && sec < 2 ** 63)) return undefined
  if (sec > maxSec) return { sec: maxSec, nsec: 0 }
  if (sec < minSec) return { sec: minSec, nsec: 0 }
  return { sec, nsec }
}

/** PAX time: seconds in decimal with an optional sign and fraction; digits after the ninth are cut off. */
export function parseTime(bytes: Buffer, start: number, end: number): Time | undefined {
  // Nearly all are like this, and few layers have entries without one.
  let dot = start
  while (dot < end && bytes[dot] !== 0x2e) dot++
  if (dot - start <= 10) {
    const sec = parseDecimal(bytes, start, dot)
    const digits = end - dot - 1
    if (dot === end && sec >= 0) return clampTime(sec, 0)
    const fraction = digits > 0 && digits <= 9 ? parseDecimal(bytes, dot + 1, end) : Number.NaN
    if (sec >= 0 && fraction >= 0) return clampTime(sec, fraction * 10 ** (9 - digits))
  }
  return end - start > maxTimeDigits ? undefined : parseAnyTime(bytes.toString('latin1', start, end))
}

/** No honest writer gives more, and matching takes time. */
const maxTimeDigits = 100
const timeGrammar = /^(-?)0*([0-9]+)(?:\.([0-9]*))?$/

function parseAnyTime(text: string): Time | undefined {
  const match = timeGrammar.exec(text)
  if (match === null || match[2]!.length > 19) return undefined
  const digits = BigInt(match[2]!)
  const negative = match[1] === '-'
  if (digits > (negative ? 2n ** 63n : 2n ** 63n - 1n)) return undefined
  // Number() rounds 2^63 - 1 up to 2^63; the bound that it becomes is far below either.
  const whole = Math.min(Number(digits), 2 ** 62)
  const fraction = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'))
  if (!negative) return clampTime(whole, fraction)
  return fraction === 0 ? clampTime(0 - whole, 0) : clampTime(-whole - 1, 1_000_000_000 - fraction)
}
