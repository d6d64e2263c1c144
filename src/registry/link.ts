/** `Link: <…>; rel="next"` (RFC 8288): where a list goes on. */

const bytesMax = 8 * 1024
const link = /<([^<>]*)>((?:\s*;\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:\s*=\s*(?:"[^"]*"|[^\s",;]+))?)*)/g
const relation = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s",;]+))/i

/** The target of the first link with the relation `next`, as it is written; undefined for none. */
export function nextLink(headers: readonly string[]): string | undefined {
  const text = headers.join(', ')
  if (text.length > bytesMax) return undefined
  for (const [, target, parameters = ''] of text.matchAll(link)) {
    const [, quoted, plain] = relation.exec(parameters) ?? []
    const relations = (quoted ?? plain ?? '').toLowerCase().split(/\s+/)
    if (relations.includes('next')) return target
  }
  return undefined
}
