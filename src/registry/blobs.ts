/**
 * Blobs of a repository, as streams that go on where a connection broke off. A stream ends well only if every byte of the
 * descriptor came, and, unless the reader sees to that itself, if they hash to its digest.
 */
import { createHash, type Hash } from 'node:crypto'
import { PhylloError } from '../errors.js'
import { MiB } from '../limits.js'
import { type Descriptor, verifyBytes } from '../oci/descriptor.js'
import { algorithmOf, type Digest, hexOf } from '../oci/digest.js'
import { type Answer, facts, named } from './exchange.js'
import type { OnWait } from './patience.js'
import { type Cancellable, type Place, pullScope, pushScope } from './place.js'
import type { Waiting } from './session.js'

export type Blob = Pick<Descriptor, 'digest' | 'sizeBytes'>

export interface ReadOptions extends Cancellable {
  /** Bytes that are there already: the stream begins behind them. */
  readonly offset?: number
  /** Of the same algorithm as the digest, already fed with the bytes before `offset`. Made here where that is 0. */
  readonly hash?: Hash
  /** False: the reader hashes. */
  readonly verify?: boolean
  readonly onWait?: OnWait
}

/** So many bytes make a broken connection a slow one: attempts count anew. */
const progressBytes = MiB

export interface LookOptions extends Cancellable {
  /** With the right that a push asks for: a repository that is yet to be made may let nobody read. */
  readonly pushing?: boolean
}

/** Size of a blob; undefined: it is not there. */
export async function statBlob(
  place: Place,
  digest: Digest,
  { pushing, signal }: LookOptions = {},
): Promise<number | undefined> {
  const call = blobCall(place, digest, pushing)
  const answer = await place.session.send({ ...call, method: 'HEAD', expects: [200, 404], signal })
  answer.discard()
  if (answer.status === 404) return undefined
  const length = answer.header('content-length') ?? ''
  if (/^\d{1,15}$/.test(length)) return Number(length)
  throw new PhylloError('REGISTRY_PROTOCOL', `${named(answer)}: a blob without a length`, facts(answer))
}

/** The bytes from `offset` to the end. @throws REGISTRY_ codes, SIZE_MISMATCH, DIGEST_MISMATCH, the signal's reason */
export async function* readBlob(
  place: Place,
  { digest, sizeBytes }: Blob,
  { offset = 0, hash, verify = true, signal, onWait }: ReadOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  if (verify && offset > 0 && hash === undefined) throw new TypeError('what is before the offset is not hashed')
  if (offset > sizeBytes) throw mismatch(place, digest, sizeBytes, offset)
  const sum = verify ? (hash ?? createHash(algorithmOf(digest))) : undefined
  let at = offset
  let failures = 0
  // A server that is asked for nothing answers 416, or worse.
  while (at < sizeBytes) {
    const from = at
    // Its own failures it has repeated already.
    const answer = await rest(place, { digest, sizeBytes }, at, { signal, onWait })
    try {
      for await (const piece of behind(answer, answer.status === 206 ? 0 : at)) {
        if (at + piece.length > sizeBytes) throw mismatch(place, digest, sizeBytes, at + piece.length)
        at += piece.length
        sum?.update(piece)
        yield piece
      }
      if (at < sizeBytes) throw mismatch(place, digest, sizeBytes, at)
    } catch (error) {
      failures = at - from >= progressBytes ? 1 : failures + 1
      await place.session.afterFailure(error, failures, { signal, onWait })
    } finally {
      answer.discard()
    }
  }
  if (sum === undefined) return
  const hex = sum.digest('hex')
  if (hex === hexOf(digest)) return
  const seen = `${algorithmOf(digest)}:${hex}`
  throw new PhylloError('DIGEST_MISMATCH', `${place.name}@${digest}: the bytes hash to ${seen}`, {
    expected: digest,
    seen,
  })
}

/** The first bytes of a blob, as many as there are: what it looks like. They are not verified. @throws REGISTRY_ codes */
export async function headOfBlob(
  place: Place,
  digest: Digest,
  bytes: number,
  { pushing, signal }: LookOptions = {},
): Promise<Buffer> {
  const headers = { range: `bytes=0-${bytes - 1}` }
  // 416: there is none.
  const expects = [200, 206, 416]
  const call = blobCall(place, digest, pushing)
  const answer = await place.session.send({ ...call, method: 'GET', headers, expects, signal })
  if (answer.status === 416) {
    answer.discard()
    return Buffer.alloc(0)
  }
  const parts: Uint8Array[] = []
  let length = 0
  for await (const piece of answer.body) {
    parts.push(piece)
    length += piece.length
    if (length >= bytes) break
  }
  return Buffer.concat(parts).subarray(0, bytes)
}

/** A small blob as a whole: an image's config. @throws as readBlob, LIMIT_EXCEEDED (jsonBytes) */
export async function wholeBlob(
  place: Place,
  blob: Blob & { readonly data?: Buffer },
  options: Cancellable = {},
): Promise<Buffer> {
  const what = `${place.name}@${blob.digest}`
  if (blob.data !== undefined) return blob.data
  const call = { ...blobCall(place, blob.digest), method: 'GET', expects: [200], ...options } as const
  const { bytes } = await place.session.document(call, { limits: place.limits, limit: 'jsonBytes' }, what)
  verifyBytes(blob, bytes, what)
  return bytes
}

/** False: it was not there. @throws REGISTRY_REFUSED where the registry deletes nothing */
export async function deleteBlob(place: Place, digest: Digest, { signal }: Cancellable = {}): Promise<boolean> {
  const scopes = [`repository:${place.path}:push,pull,delete`]
  const call = { ...blobCall(place, digest), method: 'DELETE', scopes, expects: [202, 200, 404], signal } as const
  const answer = await place.session.send(call)
  answer.discard()
  return answer.status !== 404
}

/** The answer with the bytes from `at` on: 206, or all of them with 200 by a server that does not know ranges. */
async function rest(place: Place, { digest, sizeBytes }: Blob, at: number, waiting: Waiting): Promise<Answer> {
  const answer = await place.session.send({
    ...blobCall(place, digest),
    method: 'GET',
    ...(at > 0 && { headers: { range: `bytes=${at}-` } }),
    expects: at > 0 ? [200, 206] : [200],
    ...waiting,
  })
  try {
    if (answer.status === 206) checkRange(answer, at, sizeBytes)
    const before = answer.status === 206 ? at : 0
    const length = answer.header('content-length')
    if (length !== undefined && Number(length) !== sizeBytes - before)
      throw mismatch(place, digest, sizeBytes, Number(length) + before)
    return answer
  } catch (error) {
    answer.discard()
    throw error
  }
}

/** The body without its first bytes. */
async function* behind(answer: Answer, bytes: number): AsyncGenerator<Uint8Array, void, void> {
  let skip = bytes
  for await (const piece of answer.body) {
    const wanted = piece.subarray(Math.min(skip, piece.length))
    skip -= piece.length - wanted.length
    if (wanted.length > 0) yield wanted
  }
}

/** `Content-Range` must be the rest of the blob, from where it was asked for. */
function checkRange(answer: Answer, at: number, sizeBytes: number): void {
  const stated = answer.headers('content-range').join(', ')
  const [, first, last, total] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(stated) ?? []
  const right = Number(first) === at && Number(last) + 1 === sizeBytes && (total === '*' || Number(total) === sizeBytes)
  if (right) return
  const reason = `asked for the bytes from ${at} of ${sizeBytes}, it sends others (Content-Range: ${JSON.stringify(stated.slice(0, 80))})`
  throw new PhylloError('REGISTRY_PROTOCOL', `${named(answer)}: ${reason}`, { ...facts(answer), status: 206 })
}

function mismatch({ name }: Place, digest: Digest, expected: number, seen: number): PhylloError {
  return new PhylloError('SIZE_MISMATCH', `${name}@${digest}: ${seen} bytes instead of ${expected}`, { expected, seen })
}

function blobCall({ path }: Place, digest: Digest, pushing = false) {
  const scopes = [pushing ? pushScope(path) : pullScope(path)]
  return { at: `${path}/blobs/${digest}`, scopes, repeat: 'always' } as const
}
