/** Bodies that are read as a whole, and never beyond a bound. */
import { PhylloError } from '../errors.js'
import { type Limits, limitError } from '../limits.js'
import { type Answer, facts, named } from './exchange.js'

/** The body, or its first `max` bytes and that there is more; the connection is given up then. */
export async function readAtMost(answer: Answer, max: number): Promise<{ bytes: Buffer; whole: boolean }> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of answer.body) {
    parts.push(part)
    length += part.length
    if (length > max) return { bytes: Buffer.concat(parts).subarray(0, max), whole: false }
  }
  return { bytes: Buffer.concat(parts), whole: true }
}

/** How much of a body is taken: so many bytes, or as many as a limit of the store says. */
export type Bound = number | { readonly limits: Limits; readonly limit: 'jsonBytes' }

/** All of it. @throws REGISTRY_PROTOCOL, or LIMIT_EXCEEDED of a limit, for more, announced or sent */
export async function readWhole(answer: Answer, bound: Bound, what: string): Promise<Buffer> {
  const max = typeof bound === 'number' ? bound : bound.limits[bound.limit]
  const announced = Number(answer.header('content-length') ?? 0)
  const { bytes, whole } = announced > max ? { bytes: Buffer.alloc(0), whole: false } : await readAtMost(answer, max)
  if (whole) return bytes
  answer.discard()
  if (typeof bound !== 'number') throw limitError(bound.limit, max, Math.max(announced, max + 1), what)
  throw new PhylloError('REGISTRY_PROTOCOL', `${named(answer)}: ${what} of more than ${max} bytes`, {
    ...facts(answer),
    max,
  })
}
