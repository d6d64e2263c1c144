/** Sizes as Docker prints them: decimal units, three or four significant digits. */
import { formatG } from './go-number.js'

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB']

/**
 * `12.3MB`. Docker uses 3 digits in `images` and `history` and 4 in `df`, `prune` and `ps`. What rounds up to 1000 is
 * printed as C's `%g` does: 999,700 bytes are `1e+03kB`.
 */
export function humanSize(bytes: number | bigint, digits: 3 | 4 = 4): string {
  let size = Number(bytes)
  let unit = 0
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000
    unit += 1
  }
  return formatG(size, digits) + units[unit]
}
