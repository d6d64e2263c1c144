/**
 * What servers say, as it may be shown: queries can hold signatures and tokens, texts can hold what a terminal acts on.
 * Everything of another machine that goes into a message passes here.
 */
import { fromText, printable } from '../byte-string.js'

/** Characters of a server's own words in a message. */
const saidMax = 2048

/** Without user and query. */
export function shownUrl(url: URL): string {
  const shown = `${url.origin}${url.pathname}${url.search === '' ? '' : '?…'}`
  return printable(fromText(shown.length > saidMax ? `${shown.slice(0, saidMax)}…` : shown))
}

/** A server's words: one line, cut, nothing that a terminal acts on, no queries of URLs. */
export function said(text: string): string {
  const bare = text
    .slice(0, saidMax)
    .replace(/(\bhttps?:\/\/)[^\s/@"'<>]*@/gi, '$1')
    .replace(/(\bhttps?:\/\/[^\s?"'<>]*)\?[^\s"'<>]*/gi, '$1?…')
    .replace(/\s+/g, ' ')
    .trim()
  return printable(fromText(bare)).replaceAll('\\"', '"') + (text.length > saidMax ? '…' : '')
}
