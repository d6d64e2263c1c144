/** Sorts rows of a name table by the bytes of their names. */
import { type ByteString, byteString } from '../byte-string.js'
import type { NameTable } from '../tar/tree/name-table.js'

/** Sorts `rows[from]` to `rows[to - 1]`; all of one directory, so no two names are equal. Most tars have them in order. */
export function sortByName({ names, nameOffset, nameLength }: NameTable, rows: Uint32Array, from: number, to: number) {
  const texts: ByteString[] = []
  let sorted = true
  for (let i = from; i < to; i++) {
    const at = nameOffset[rows[i]!]!
    const text = byteString(names.bytes, at, at + nameLength[rows[i]!]!)
    sorted = sorted && (i === from || texts[i - from - 1]! < text)
    texts.push(text)
  }
  if (sorted) return
  // A character is a byte, and strings compare by characters.
  const order = Uint32Array.from(texts, (_, index) => index).sort((a, b) => (texts[a]! < texts[b]! ? -1 : 1))
  rows.set(
    order.map(index => rows[from + index]!),
    from,
  )
}
