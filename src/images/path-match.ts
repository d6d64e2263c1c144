/** Shell patterns as Go's path.Match has them: `*` and `?` stop at `/`, `[a-z]` and `[^a]` are classes, `\` quotes. */

/**
 * Whether the whole text matches. Linear in the text for each star. @throws TypeError for a malformed pattern
 */
export function pathMatch(pattern: string, text: string): boolean {
  const parts = parse(pattern)
  // The classic backtracking of one star at a time: at most text × parts steps, whatever the pattern.
  let [part, at, starPart, starAt] = [0, 0, -1, -1]
  const characters = [...text]
  while (at < characters.length) {
    const wanted = parts[part]
    if (wanted === '*') {
      ;[starPart, starAt] = [part++, at]
    } else if (wanted?.(characters[at]!)) {
      part++
      at++
    } else if (starPart >= 0 && characters[starAt] !== '/') {
      part = starPart + 1
      at = ++starAt
    } else return false
  }
  while (parts[part] === '*') part++
  return part === parts.length
}

type Part = '*' | ((character: string) => boolean)

function parse(pattern: string): Part[] {
  const parts: Part[] = []
  const characters = [...pattern]
  for (let i = 0; i < characters.length; i++) {
    const c = characters[i]!
    if (c === '*') parts.push('*')
    else if (c === '?') parts.push(character => character !== '/')
    else if (c === '[') {
      const end = classEnd(characters, i)
      parts.push(classOf(characters.slice(i + 1, end), pattern))
      i = end
    } else {
      const literal = c === '\\' ? characters[++i] : c
      if (literal === undefined) throw new TypeError(`pattern ${JSON.stringify(pattern)} ends in a backslash`)
      parts.push(character => character === literal)
    }
  }
  return parts
}

function classEnd(characters: readonly string[], start: number): number {
  for (let i = start + 1; i < characters.length; i++) {
    if (characters[i] === '\\') i++
    else if (characters[i] === ']' && i > start + 1) return i
  }
  throw new TypeError(`pattern ${JSON.stringify(characters.join(''))} has a class without its end`)
}

function classOf(inner: readonly string[], pattern: string): Part {
  const negated = inner[0] === '^'
  const ranges: [string, string][] = []
  for (let i = negated ? 1 : 0; i < inner.length; i++) {
    const low = inner[i] === '\\' ? inner[++i] : inner[i]
    const isRange = inner[i + 1] === '-'
    if (isRange) i += 2
    const high = isRange ? (inner[i] === '\\' ? inner[++i] : inner[i]) : low
    if (low === undefined || high === undefined)
      throw new TypeError(`pattern ${JSON.stringify(pattern)} has a broken class`)
    ranges.push([low, high])
  }
  if (ranges.length === 0) throw new TypeError(`pattern ${JSON.stringify(pattern)} has an empty class`)
  return character =>
    character !== '/' && ranges.some(([low, high]) => low <= character && character <= high) !== negated
}
