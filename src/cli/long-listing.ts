/** How `ls` writes modes and names. */
import type { Stats } from 'node:fs'

/** `rwxr-sr-t` with the type in front, as ls(1) shows it. */
export function modeOf(stats: Stats): string {
  const types: [boolean, string][] = [
    [stats.isDirectory(), 'd'],
    [stats.isSymbolicLink(), 'l'],
    [stats.isFIFO(), 'p'],
    [stats.isCharacterDevice(), 'c'],
    [stats.isBlockDevice(), 'b'],
  ]
  const bits = [...'rwxrwxrwx'].map((letter, i) => (stats.mode & (0o400 >> i) ? letter : '-'))
  for (const [at, bit, letter] of [
    [2, 0o4000, 's'],
    [5, 0o2000, 's'],
    [8, 0o1000, 't'],
  ] as const) {
    if (stats.mode & bit) bits[at] = bits[at] === 'x' ? letter : letter.toUpperCase()
  }
  return (types.find(([is]) => is)?.[1] ?? '-') + bits.join('')
}

/** Names from images reach a terminal without control characters; bytes that are no UTF-8 are written as such. */
export function printable(name: Buffer): string {
  const text = name.toString()
  const readable = Buffer.from(text).equals(name)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those are to be replaced
  const unfit = readable ? /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g : /[^\x20-\x7e]/g
  return (readable ? text : name.toString('latin1')).replace(unfit, c => {
    const code = c.charCodeAt(0).toString(16)
    return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, '0')}`
  })
}
