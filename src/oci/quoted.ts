/** Text of others in messages: quoted, cut, with nothing in it that a terminal would act on. */
import { fromText, printable } from '../byte-string.js'

/** Characters that are shown of it: longer than any name that is right. */
const shownMax = 160

export function quoted(text: string): string {
  return `"${printable(fromText(text.length > shownMax ? `${text.slice(0, shownMax)}…` : text))}"`
}
