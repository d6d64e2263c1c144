/** Go's fmt.Sprintf for the verbs that templates use: v s q d x X o b c U t e f g T %. What does not fit prints as `%!d(string=x)`. */
import { formatE, formatF, formatG, formatShortest } from './go-number.js'
import { isNil, printValue, typeName } from './go-value.js'

interface Verb {
  readonly flags: string
  readonly width: number
  readonly precision: number | undefined
  readonly letter: string
}

/** Width and precision are bounded, as Go's are (by a million there). */
const directive = /%([-+# 0]*)(\d{0,4})(?:\.(\d{0,3}))?(.|$)/gsu

export function sprintf(format: string, args: readonly unknown[]): string {
  let used = 0
  const text = format.replace(
    directive,
    (_, flags: string, width: string, precision: string | undefined, letter: string) => {
      if (letter === '%') return '%'
      if (letter === '') return '%!(NOVERB)'
      if (used >= args.length) return `%!${letter}(MISSING)`
      const verb = {
        flags,
        width: Number(width),
        precision: precision === undefined ? undefined : Number(precision),
        letter,
      }
      return formatArgument(args[used++], verb)
    },
  )
  if (used === args.length) return text
  const extra = args.slice(used).map(arg => (isNil(arg) ? '<nil>' : `${typeName(arg)}=${printValue(arg)}`))
  return `${text}%!(EXTRA ${extra.join(', ')})`
}

function formatArgument(value: unknown, verb: Verb): string {
  if (verb.letter === 'T') return pad(isNil(value) ? '<nil>' : typeName(value), verb)
  return printValue(value, leaf => formatLeaf(leaf, verb))
}

function formatLeaf(value: unknown, verb: Verb): string {
  const text = verb.letter === 'v' ? plain(value, verb) : byType(value, verb)
  if (text !== undefined) return pad(text, verb, typeof value === 'number' || typeof value === 'bigint')
  if (isNil(value)) return `%!${verb.letter}(<nil>)`
  return `%!${verb.letter}(${typeName(value)}=${printValue(value)})`
}

function byType(value: unknown, verb: Verb): string | undefined {
  if (typeof value === 'string') return ofString(value, verb)
  if (typeof value === 'boolean') return verb.letter === 't' ? String(value) : undefined
  if (typeof value === 'bigint' || Number.isInteger(value))
    return ofInteger(BigInt(value as number), verb) ?? ofFloat(value, verb)
  return ofFloat(value, verb)
}

function plain(value: unknown, verb: Verb): string {
  if (isNil(value)) return '<nil>'
  if (typeof value === 'string') return ofString(value, { ...verb, letter: 's' }) ?? value
  if (typeof value === 'number' && !Number.isInteger(value)) return withSign(formatShortest(value), verb)
  return typeof value === 'boolean' ? String(value) : withSign(String(value), verb)
}

function ofString(value: string, { letter, precision, flags }: Verb): string | undefined {
  const cut = precision === undefined ? value : [...value].slice(0, precision).join('')
  if (letter === 's') return cut
  if (letter === 'q') return flags.includes('#') && !cut.includes('`') ? `\`${cut}\`` : goQuote(cut)
  if (letter !== 'x' && letter !== 'X') return undefined
  const hex = Buffer.from(value).toString('hex')
  return letter === 'X' ? hex.toUpperCase() : hex
}

function ofInteger(value: bigint, verb: Verb): string | undefined {
  const radix = { d: 10, x: 16, X: 16, o: 8, b: 2 }[verb.letter]
  if (radix !== undefined) {
    const digits = (value < 0n ? -value : value).toString(radix).padStart(verb.precision ?? 1, '0')
    const prefix = verb.flags.includes('#') && radix === 16 ? `0${verb.letter}` : ''
    const cased = verb.letter === 'X' ? digits.toUpperCase() : digits
    return withSign((value < 0n ? '-' : '') + prefix + cased, verb)
  }
  const isRune = value >= 0n && value <= 0x10ffffn
  if (verb.letter === 'c') return isRune ? String.fromCodePoint(Number(value)) : '\ufffd'
  if (verb.letter === 'U') return `U+${value.toString(16).toUpperCase().padStart(4, '0')}`
  return undefined
}

function ofFloat(value: unknown, verb: Verb): string | undefined {
  if (typeof value !== 'number' && typeof value !== 'bigint') return undefined
  const number = Number(value)
  if (verb.letter === 'f' || verb.letter === 'F') return withSign(formatF(number, verb.precision ?? 6), verb)
  if (verb.letter === 'e') return withSign(formatE(number, verb.precision ?? 6), verb)
  if (verb.letter !== 'g') return undefined
  return withSign(verb.precision === undefined ? formatShortest(number) : formatG(number, verb.precision), verb)
}

function withSign(digits: string, { flags }: Verb): string {
  if (digits.startsWith('-') || digits.startsWith('+')) return digits
  return (flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '') + digits
}

function pad(text: string, { flags, width }: Verb, isNumber = false): string {
  const missing = width - [...text].length
  if (missing <= 0) return text
  if (flags.includes('-')) return text + ' '.repeat(missing)
  if (!flags.includes('0') || !isNumber) return ' '.repeat(missing) + text
  const sign = /^[-+ ]?/.exec(text)?.[0] ?? ''
  return sign + '0'.repeat(missing) + text.slice(sign.length)
}

const escapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
}

/** strconv.Quote: what is not printable becomes an escape. */
export function goQuote(text: string): string {
  const inside = text.replace(/["\\]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, char => {
    const code = char.codePointAt(0) ?? 0
    if (escapes[char] !== undefined) return escapes[char]
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`
  })
  return `"${inside}"`
}
