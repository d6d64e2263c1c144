/** `Link: <…>; rel="next"` (RFC 8288): where a list goes on. */
import { PhylloError } from '../errors.js'

const bytesMax = 8 * 1024
const link = /<([^<>]*)>((?:\s*;\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:\s*=\s*(?:"[^"]*"|[^\s",;]+))?)*)/g
const relation = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s",;]+))/i

/**
 * The target of the first link with the relation `next`, as it is written; undefined for none. @throws REGISTRY_PROTOCOL for more
 * than is read: a list that is taken for whole too early is worse than none
 */
export function nextLink(headers: readonly string[]): string | undefined {
  const text = headers.join(', ')
  if (text.length > bytesMax) throw new PhylloError('REGISTRY_PROTOCOL', `Link: more than ${bytesMax} bytes`)
  for (const [, target, parameters = ''] of text.matchAll(link)) {
    const [, quoted, plain] = relation.exec(parameters) ?? []
    const relations = (quoted ?? plain ?? '').toLowerCase().split(/\s+/)
    if (relations.includes('next')) return target
  }
  return undefined
}
