/**
 * Blobs on their way to a repository: mounted from another one, sent in one request, or in chunks that can be gone on
 * with. Which of two sides knows how far it is, is the registry: after a chunk that failed it is asked, and where it knows
 * nothing any more (docker-registry 2.8 forgets the upload), the blob begins anew.
 */
import { createHash } from 'node:crypto'
import { PhylloError } from '../errors.js'
import { algorithmOf, type Digest, hexOf } from '../oci/digest.js'
import type { Blob } from './blobs.js'
import type { Answer } from './exchange.js'
import { checkStated } from './manifests.js'
import { type Cancellable, type Place, pullScope, pushScope } from './place.js'
import type { Call } from './session.js'
import { graceMs, Upload } from './upload.js'
import { withGrace } from './waiting.js'

export interface UploadOptions extends Cancellable {
  /** Bytes of a chunk; as large as the registry wants it, at least. Without it the blob is one request. */
  readonly chunkBytes?: number
}

/** Begins an upload. The caller finishes or cancels it. @throws REGISTRY_ codes */
export function beginUpload(place: Place, { signal }: Cancellable = {}): Promise<Upload> {
  return begin(place, 'always', signal)
}

async function begin(place: Place, repeat: 'always' | 'refused', signal: AbortSignal | undefined): Promise<Upload> {
  const at = `${place.path}/blobs/uploads/`
  return (await post(place, { at, scopes: [pushScope(place.path)], expects: [202], repeat }, signal)).upload!
}

/** What it has begun is taken back if that is wanted no more by then. */
async function post(
  place: Place,
  call: Pick<Call, 'at' | 'scopes' | 'expects' | 'repeat'>,
  signal: AbortSignal | undefined,
): Promise<{ readonly answer: Answer; readonly upload: Upload | undefined }> {
  const posted = await withGrace(graceMs, signal, async signal => {
    const answer = await place.session.send({ method: 'POST', ...call, signal })
    answer.discard()
    return { answer, upload: answer.status === 202 ? await Upload.of(place, answer) : undefined }
  })
  if (signal?.aborted === true) await posted.upload?.cancel()
  signal?.throwIfAborted()
  return posted
}

/**
 * Takes a blob over from another repository of the same registry. Where the registry does not do that, the upload that it
 * has begun instead; undefined where it refused even to try.
 */
export async function mountBlob(
  place: Place,
  digest: Digest,
  from: string,
  { signal }: Cancellable = {},
): Promise<'mounted' | Upload | undefined> {
  const at = `${place.path}/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`
  const scopes = [pushScope(place.path), pullScope(from)]
  try {
    const { answer, upload } = await post(place, { at, scopes, expects: [201, 202], repeat: 'always' }, signal)
    if (upload !== undefined) return upload
    checkStated(answer, digest, `${place.name}@${digest}`)
    return 'mounted'
  } catch (error) {
    signal?.throwIfAborted()
    // Not to be let have the other repository's, or a registry that cannot do it, is no reason not to have one's own.
    if (isRefusal(error)) return undefined
    throw error
  }
}

function isRefusal(error: unknown): boolean {
  if (!(error instanceof PhylloError)) return false
  if (error.code === 'REGISTRY_UNAVAILABLE') return error.status !== undefined
  return ['REGISTRY_AUTH', 'REGISTRY_DENIED', 'REGISTRY_NOT_FOUND', 'REGISTRY_REFUSED'].includes(error.code)
}

/**
 * Sends a blob. `open` gives its bytes, as often as it is asked: what fails in passing begins anew. What they are is
 * verified on the way. @throws REGISTRY_ codes, SIZE_MISMATCH, DIGEST_MISMATCH, whatever `open` throws
 */
export function uploadBlob(
  place: Place,
  blob: Blob,
  open: () => AsyncIterable<Uint8Array>,
  { chunkBytes, signal }: UploadOptions = {},
): Promise<void> {
  const content = () => verified(place, blob, open())
  return place.session.repeat(async () => {
    const upload = await begin(place, 'refused', signal)
    try {
      if (chunkBytes === undefined)
        return await upload.finish(blob.digest, { content, sizeBytes: blob.sizeBytes, signal })
      for await (const chunk of chunksOf(content(), Math.max(chunkBytes, upload.chunkBytesMin)))
        await upload.write(chunk, { signal })
      return await upload.finish(blob.digest, { signal })
    } catch (error) {
      // Whether there is a next attempt or not: that one has an upload of its own.
      await upload.cancel()
      throw error
    }
  }, signal)
}

/** The same bytes; an error instead of the end if they are not those of the blob. */
async function* verified(
  { name }: Place,
  { digest, sizeBytes }: Blob,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const sum = createHash(algorithmOf(digest))
  let seen = 0
  const wrongSize = () => {
    const facts = { expected: sizeBytes, seen }
    return new PhylloError('SIZE_MISMATCH', `${name}@${digest}: ${seen} bytes to send instead of ${sizeBytes}`, facts)
  }
  for await (const piece of bytes) {
    seen += piece.length
    if (seen > sizeBytes) throw wrongSize()
    sum.update(piece)
    yield piece
  }
  if (seen !== sizeBytes) throw wrongSize()
  const hex = sum.digest('hex')
  if (hex === hexOf(digest)) return
  const facts = { expected: digest, seen: `${algorithmOf(digest)}:${hex}` }
  throw new PhylloError('DIGEST_MISMATCH', `${name}@${digest}: the bytes to send hash to ${facts.seen}`, facts)
}

/** Chunks of one size, the last one of what is left. */
async function* chunksOf(bytes: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Buffer, void, void> {
  let parts: Uint8Array[] = []
  let length = 0
  for await (const piece of bytes) {
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + size - length)
      parts.push(part)
      at += part.length
      length += part.length
      if (length < size) continue
      yield Buffer.concat(parts)
      parts = []
      length = 0
    }
  }
  if (length > 0) yield Buffer.concat(parts)
}
