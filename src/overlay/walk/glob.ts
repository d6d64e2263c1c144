/**
 * Glob patterns: `*`, `?`, `[a-z]`, `[!a-z]`, `{a,b}`, and `**` for any number of directories. Matching takes time linear in the
 * path for each star, whatever the pattern: no regular expression is made of it.
 */

/** Alternatives of one pattern after its braces are expanded; `{a,b}{a,b}…` doubles with each. */
const alternativesBound = 1024

type Token = { readonly kind: 'one' | 'star' } | { readonly kind: 'set'; readonly has: (c: string) => boolean } | string
type Segment = 'any' | readonly Token[]

export type Matcher = (path: string) => boolean

/**
 * A test for paths; both are taken relative to the same directory, with or without a leading slash. With `dot: false` wildcards
 * do not match names that begin with a dot, as in a shell.
 */
export function globMatcher(pattern: string, { dot = true }: { readonly dot?: boolean } = {}): Matcher {
  const alternatives = expandBraces(pattern).map(alternative => splitPath(alternative).map(segmentOf))
  const visible = (name: string) => dot || !name.startsWith('.')
  const equal = (segment: Segment, name: string) => (visible(name) || segment[0] === '.') && matchesName(segment, name)
  return path => {
    const names = splitPath(path)
    return alternatives.some(segments => matches(segments, names, equal, isAnyDepth, visible))
  }
}

/** The directories that a pattern begins with before its first wildcard: nothing elsewhere can match. */
export function literalPrefix(pattern: string): string {
  const names = pattern.split('/')
  const magic = names.findIndex(name => /[*?[{\\]/.test(name))
  return names.slice(0, magic === -1 ? names.length - 1 : magic).join('/')
}

function isAnyDepth(segment: Segment): boolean {
  return segment === 'any'
}

function splitPath(path: string): string[] {
  return path.split('/').filter(name => name !== '' && name !== '.')
}

function segmentOf(text: string): Segment {
  if (text === '**') return 'any'
  const tokens: Token[] = []
  for (let at = 0; at < text.length; at++) {
    const c = text[at]!
    const set = c === '[' ? setAt(text, at) : undefined
    if (set !== undefined) {
      tokens.push({ kind: 'set', has: set.has })
      at = set.end
    } else if (c === '*') {
      if (!isStar(tokens.at(-1))) tokens.push({ kind: 'star' })
    } else if (c === '?') tokens.push({ kind: 'one' })
    else if (c === '\\' && at + 1 < text.length) tokens.push(text[++at]!)
    else tokens.push(c)
  }
  return tokens
}

/** `[abc]`, `[a-z]`, `[!…]`, `[^…]`; without its end it is a plain character. */
function setAt(text: string, start: number): { has: (c: string) => boolean; end: number } | undefined {
  const not = text[start + 1] === '!' || text[start + 1] === '^'
  const first = start + (not ? 2 : 1)
  const end = text.indexOf(']', first + 1)
  if (end === -1) return undefined
  const singles = new Set<string>()
  const ranges: [string, string][] = []
  for (let at = first; at < end; at++) {
    if (text[at + 1] === '-' && at + 2 < end) {
      ranges.push([text[at]!, text[at + 2]!])
      at += 2
    } else singles.add(text[at]!)
  }
  return { has: c => not !== (singles.has(c) || ranges.some(([from, to]) => from <= c && c <= to)), end }
}

function isStar(token: Token | undefined): boolean {
  return typeof token === 'object' && token.kind === 'star'
}

function matchesName(segment: Segment, name: string): boolean {
  return segment === 'any' || matches(segment, name, matchesCharacter, isStar)
}

function matchesCharacter(token: Token, c: string): boolean {
  if (typeof token === 'string') return token === c
  return token.kind === 'set' ? token.has(c) : true
}

/**
 * The matching of wildcards, for characters of a name and for names of a path alike: only the last star met is ever widened,
 * since what an earlier one could take, the last one can as well.
 */
function matches<P, T>(
  pattern: ArrayLike<P>,
  text: ArrayLike<T>,
  equal: (part: P, item: T) => boolean,
  isAny: (part: P) => boolean,
  takes: (item: T) => boolean = () => true,
): boolean {
  let p = 0
  let t = 0
  let star = -1
  let taken = 0
  while (t < text.length) {
    if (p < pattern.length && isAny(pattern[p]!)) {
      star = p++
      taken = t
    } else if (p < pattern.length && equal(pattern[p]!, text[t]!)) {
      p++
      t++
    } else if (star !== -1 && takes(text[taken]!)) {
      p = star + 1
      t = ++taken
    } else return false
  }
  while (p < pattern.length && isAny(pattern[p]!)) p++
  return p === pattern.length
}

function expandBraces(pattern: string): string[] {
  const done: string[] = []
  const waiting = [pattern]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const group = firstGroup(next)
    if (group === undefined) done.push(next)
    else
      for (const choice of group.choices) waiting.push(next.slice(0, group.start) + choice + next.slice(group.end + 1))
    if (done.length + waiting.length > alternativesBound) {
      throw new RangeError(`Glob pattern with more than ${alternativesBound} alternatives`)
    }
  }
  return done
}

/** The first `{…}` that holds a comma outside of inner braces. */
function firstGroup(pattern: string): { start: number; end: number; choices: string[] } | undefined {
  for (let start = pattern.indexOf('{'); start !== -1; start = pattern.indexOf('{', start + 1)) {
    const choices: string[] = []
    let depth = 0
    let from = start + 1
    for (let at = start; at < pattern.length; at++) {
      if (pattern[at] === '{') depth++
      else if (pattern[at] === '}') depth--
      if ((pattern[at] === ',' && depth === 1) || depth === 0) {
        choices.push(pattern.slice(from, at))
        from = at + 1
      }
      if (depth === 0) {
        if (choices.length > 1) return { start, end: at, choices }
        break
      }
    }
  }
  return undefined
}
