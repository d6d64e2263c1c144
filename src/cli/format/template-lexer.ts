/** Cuts a Go template into text and actions, and actions into tokens (text/template, "Lexing"). */
import { TemplateError } from './template-error.js'

export interface Token {
  readonly kind: 'field' | 'variable' | 'identifier' | 'number' | 'string' | 'dot' | 'symbol'
  /** As written; for a field without its dot, for a string without quotes and escapes, for a character its code point. */
  readonly text: string
  /** White space stands before it: `.A .B` are two operands, `.A.B` is one. */
  readonly spaced: boolean
}

export type Segment = { readonly text: string } | { readonly tokens: readonly Token[] }

const space = /[ \t\r\n]+/y
const rules: readonly (readonly [Token['kind'] | 'raw' | 'char', RegExp])[] = [
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ['variable', /\$[\p{L}\p{N}_]*/uy],
  ['identifier', /[\p{L}_][\p{L}\p{N}_]*/uy],
  [
    'number',
    /[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)/y,
  ],
  ['string', /"(?:[^"\\\n]|\\[^\n])*"/y],
  ['raw', /`[^`]*`/y],
  ['char', /'(?:[^'\\\n]|\\[^\n])[^'\n]*'/y],
  ['symbol', /:=|[|(),=]/y],
  ['dot', /\./y],
]

export function lex(template: string): Segment[] {
  const segments: Segment[] = []
  let at = 0
  let trimNext = false
  for (;;) {
    const open = template.indexOf('{{', at)
    let text = template.slice(at, open === -1 ? undefined : open)
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, '')
    if (open === -1) {
      segments.push({ text })
      return segments
    }
    const trimsBefore = /^\{\{-[ \t\r\n]/.test(template.slice(open, open + 4))
    segments.push({ text: trimsBefore ? trimEnd(text) : text })
    const action = lexAction(template, open + (trimsBefore ? 3 : 2))
    if (action.tokens !== undefined) segments.push({ tokens: action.tokens })
    trimNext = action.trims
    at = action.end
  }
}

interface Action {
  /** Undefined for a comment. */
  readonly tokens: readonly Token[] | undefined
  readonly end: number
  readonly trims: boolean
}

function lexAction(template: string, start: number): Action {
  const comment = /[ \t\r\n]*\/\*/y
  comment.lastIndex = start
  if (comment.test(template)) return lexComment(template, comment.lastIndex)
  const tokens: Token[] = []
  let at = start
  for (;;) {
    const afterSpace = skipSpace(template, at)
    const spaced = afterSpace > at
    if (spaced && template.startsWith('-}}', afterSpace)) return { tokens, end: afterSpace + 3, trims: true }
    if (template.startsWith('}}', afterSpace)) return { tokens, end: afterSpace + 2, trims: false }
    if (afterSpace >= template.length) throw new TemplateError('unclosed action')
    const [token, end] = lexToken(template, afterSpace, spaced || at === start)
    tokens.push(token)
    at = end
  }
}

function lexComment(template: string, start: number): Action {
  const close = template.indexOf('*/', start)
  if (close === -1) throw new TemplateError('unclosed comment')
  const after = template.slice(close + 2, close + 8)
  if (after.startsWith('}}')) return { tokens: undefined, end: close + 4, trims: false }
  const end = skipSpace(template, close + 2)
  if (end === close + 2 || !template.startsWith('-}}', end))
    throw new TemplateError('comment ends before closing delimiter')
  return { tokens: undefined, end: end + 3, trims: true }
}

function skipSpace(text: string, at: number): number {
  space.lastIndex = at
  return space.test(text) ? space.lastIndex : at
}

function trimEnd(text: string): string {
  let end = text.length
  while (end > 0 && ' \t\r\n'.includes(text[end - 1]!)) end -= 1
  return text.slice(0, end)
}

function lexToken(template: string, at: number, spaced: boolean): [Token, number] {
  for (const [kind, rule] of rules) {
    rule.lastIndex = at
    const match = rule.exec(template)?.[0]
    if (match === undefined) continue
    const end = at + match.length
    if (kind === 'field') return [{ kind, text: match.slice(1), spaced }, end]
    if (kind === 'raw') return [{ kind: 'string', text: match.slice(1, -1), spaced }, end]
    if (kind === 'string') return [{ kind, text: unescapeGo(match.slice(1, -1)), spaced }, end]
    if (kind === 'char') return [{ kind: 'number', text: codePoint(unescapeGo(match.slice(1, -1))), spaced }, end]
    return [{ kind, text: match, spaced }, end]
  }
  const char = template.slice(at, at + 1)
  if (char === '"' || char === '`') throw new TemplateError('unterminated quoted string')
  throw new TemplateError(`unexpected ${JSON.stringify(char)} in action`)
}

function codePoint(text: string): string {
  if ([...text].length !== 1) throw new TemplateError(`malformed character constant: ${JSON.stringify(text)}`)
  return String(text.codePointAt(0))
}

const simple: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
}

function unescapeGo(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/gsu,
    (all, x, u, long, octal, char) => {
      if (char !== undefined) return simple[char] ?? badEscape(all)
      const code = octal === undefined ? Number.parseInt(x ?? u ?? long, 16) : Number.parseInt(octal, 8)
      const isText =
        x !== undefined || octal !== undefined ? code < 0x80 : code < 0xd800 || (code > 0xdfff && code <= 0x10ffff)
      return isText ? String.fromCodePoint(code) : badEscape(all)
    },
  )
}

function badEscape(sequence: string): never {
  throw new TemplateError(`bad escape ${sequence} in a string`)
}
