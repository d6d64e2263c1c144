/**
 * Floating-point numbers as Go's fmt prints them: exact decimal value, halves to even (JavaScript rounds them up),
 * exponents of two digits or more.
 */

interface Decimal {
  /** Significant digits, the first before the point; not empty. */
  readonly digits: string
  readonly exponent: number
}

/** `%.{precision}g`: significant digits without trailing zeros; an exponent where it is < -4 or ≥ precision. */
export function formatG(value: number, precision: number): string {
  if (!Number.isFinite(value)) return special(value)
  const significant = Math.max(1, precision)
  const { digits, exponent } = round(decimalOf(value), significant)
  return sign(value) + general({ digits: digits.replace(/0+$/, '') || '0', exponent }, significant)
}

/** `%v` of a float64: the shortest digits that read back as the same number; an exponent where it is < -4 or ≥ 21. */
export function formatShortest(value: number): string {
  if (!Number.isFinite(value)) return special(value)
  const [mantissa = '0', exponent = '0'] = Math.abs(value).toExponential().split('e')
  return sign(value) + general({ digits: mantissa.replace('.', ''), exponent: Number(exponent) }, 21)
}

/** `%.{precision}e`. */
export function formatE(value: number, precision: number): string {
  if (!Number.isFinite(value)) return special(value)
  return sign(value) + scientific(round(decimalOf(value), precision + 1))
}

/** `%.{precision}f`. */
export function formatF(value: number, precision: number): string {
  if (!Number.isFinite(value)) return special(value)
  const exact = decimalOf(value)
  return sign(value) + plain(round(exact, exact.exponent + 1 + precision), precision)
}

function special(value: number): string {
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}

function sign(value: number): string {
  return value < 0 || Object.is(value, -0) ? '-' : ''
}

/** 101 digits: more than decide any rounding that people ask for. */
function decimalOf(value: number): Decimal {
  const [mantissa = '0', exponent = '0'] = Math.abs(value).toExponential(100).split('e')
  return { digits: mantissa.replace('.', ''), exponent: Number(exponent) }
}

/** To `count` significant digits, halves to even. */
function round({ digits, exponent }: Decimal, count: number): Decimal {
  if (count >= digits.length) return { digits, exponent }
  if (count < 0) return { digits: '0', exponent }
  const kept = digits.slice(0, count)
  const half = '5'.padEnd(digits.length - count, '0')
  const rest = digits.slice(count)
  const odd = count > 0 && Number(kept.at(-1)) % 2 === 1
  if (rest < half || (rest === half && !odd)) return { digits: kept || '0', exponent }
  const up = String(BigInt(kept || '0') + 1n).padStart(count, '0')
  // 9.99 may have become 10.00: one digit more before the point, one less behind it.
  return { digits: up.slice(0, Math.max(count, 1)), exponent: exponent + up.length - count }
}

function general(decimal: Decimal, precision: number): string {
  const { digits, exponent } = decimal
  if (exponent < -4 || exponent >= precision) return scientific(decimal)
  return plain(decimal, Math.max(0, digits.length - 1 - exponent))
}

function scientific({ digits, exponent }: Decimal): string {
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : ''
  return `${digits[0]}${fraction}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
}

function plain({ digits, exponent }: Decimal, fractionDigits: number): string {
  const shifted = exponent < 0 ? '0'.repeat(-exponent) + digits : digits.padEnd(exponent + 1, '0')
  const whole = exponent < 0 ? 1 : exponent + 1
  const fraction = shifted.slice(whole).padEnd(fractionDigits, '0').slice(0, fractionDigits)
  return shifted.slice(0, whole) + (fraction === '' ? '' : `.${fraction}`)
}
