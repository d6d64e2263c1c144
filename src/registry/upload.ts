/**
 * One upload that a registry has begun. It moves with every answer: the next request goes to the `Location` of the last
 * one, with all of its parameters. Never to another origin.
 */
import { PhylloError } from '../errors.js'
import type { Digest } from '../oci/digest.js'
import { type Answer, type Content, facts, isPassing, named } from './exchange.js'
import { checkStated } from './manifests.js'
import { type Cancellable, type Place, pushScope } from './place.js'
import { untilAborted, withGrace } from './waiting.js'

/** Times that a chunk is gone on with after a failure. */
const resumesMax = 10
/** A registry may have much to do when a blob is complete: some copy it only then. */
const finishMs = 5 * 60_000
const cancelMs = 5_000
/** A registry has so long to say where an upload is that is wanted no more. */
export const graceMs = 2_000
/** What a chunk can be asked to be at least: more would be kept in memory for nothing. */
const chunkMinMax = 64 * 1024 * 1024

export class Upload {
  readonly #place: Place
  #url: URL
  #offset = 0
  /** Times that the registry has said `0-0` of an upload of nothing. */
  #nothings = 0
  /** Bytes of a chunk that is not the last one, at least. */
  readonly chunkBytesMin: number

  private constructor(place: Place, url: URL, chunkBytesMin: number) {
    this.#place = place
    this.#url = url
    this.chunkBytesMin = chunkBytesMin
  }

  /** Out of the answer to a POST. @throws REGISTRY_PROTOCOL, REGISTRY_REDIRECT */
  static async of(place: Place, answer: Answer): Promise<Upload> {
    const location = answer.header('location')
    if (location === undefined)
      throw new PhylloError('REGISTRY_PROTOCOL', `${named(answer)}: an upload without a Location`, facts(answer))
    const least = Number(answer.header('oci-chunk-min-length') ?? 0)
    if (!(least >= 0 && least <= chunkMinMax))
      throw new PhylloError('REGISTRY_PROTOCOL', `${named(answer)}: chunks of at least ${least} bytes`, facts(answer))
    return new Upload(place, await place.session.ownUrl(location, answer), least)
  }

  /** Bytes that the registry has said it has. */
  get offset(): number {
    return this.#offset
  }

  /** Sends the next bytes, and goes on within them after a failure. @throws REGISTRY_NOT_FOUND: begin anew */
  async write(chunk: Uint8Array, { signal }: Cancellable = {}): Promise<void> {
    const start = this.#offset
    const end = start + chunk.length
    let failure: unknown
    for (let times = 0; this.#offset < end; times++) {
      if (times > resumesMax) throw failure ?? this.#astray(end)
      try {
        await this.#patch(chunk.subarray(this.#offset - start), `${this.#offset}-${end - 1}`, signal)
      } catch (error) {
        signal?.throwIfAborted()
        const outOfOrder = error instanceof PhylloError && error.status === 416
        // docker-registry 2.8 may still know it when it is asked, and forget it a moment later.
        if (!(outOfOrder || isPassing(error)))
          throw failure !== undefined && isGone(error) ? lost(failure, error) : error
        failure = error
        await this.#ask(error, signal)
      }
      // After a failure nobody knows what came of it: then it is the reason, and the blob begins anew.
      if (this.#offset < start || this.#offset > end) throw failure ?? this.#astray(end)
    }
  }

  /**
   * Sends the bytes from where it is to the end, of a length that nobody knows yet: `content` is what comes, or gives it from an
   * offset on. After a failure `resume` says whether there is something to go on with; what can be made only once begins anew. An
   * abort ends the bytes, not the connection, so that the registry says where the upload is that it then can take back.
   */
  async stream(
    content: AsyncIterable<Uint8Array> | ((offset: number) => AsyncIterable<Uint8Array>),
    { signal }: Cancellable = {},
  ): Promise<void> {
    const from = this.#offset
    let end = from
    const counted = async function* () {
      end = from
      for await (const piece of untilAborted(typeof content === 'function' ? content(from) : content, signal)) {
        end += piece.length
        yield piece
      }
    }
    const once = typeof content !== 'function'
    const answer = await withGrace(graceMs, signal, signal =>
      this.#send('PATCH', [202, 201, 204], { content: counted, once, signal }),
    )
    await this.#moved(answer, end)
    signal?.throwIfAborted()
    if (this.#offset !== end) throw this.#astray(end)
  }

  /** After a failure: whether the registry knows how far it is. `offset` is that then; else the blob begins anew. */
  async resume({ signal }: Cancellable = {}): Promise<boolean> {
    try {
      await this.#ask(undefined, signal)
    } catch {
      signal?.throwIfAborted()
      return false
    }
    // One byte or none, which the registry says alike: nothing that is worth going on with.
    return this.#offset > 1
  }

  /** Makes it the blob of that digest, with the content sent along. @throws REGISTRY_ codes, DIGEST_MISMATCH */
  async finish(
    digest: Digest,
    { content, sizeBytes, signal }: Cancellable & { content?: Content; sizeBytes?: number } = {},
  ): Promise<void> {
    const url = new URL(this.#url)
    // By hand, because URLSearchParams would write the registry's own parameters in its own way.
    url.search += `${url.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`
    const headers = sizeBytes === undefined ? {} : { 'content-length': String(sizeBytes) }
    const answer = await this.#send('PUT', [201, 204], {
      url,
      headers,
      signal,
      ...(content && { content }),
      answerMs: finishMs,
    })
    checkStated(answer, digest, `${this.#place.name}@${digest}`)
  }

  /** Gives it up, as far as that can be done: it never fails. */
  async cancel(): Promise<void> {
    await this.#send('DELETE', [200, 202, 204, 404], { signal: AbortSignal.timeout(cancelMs) }).catch(() => undefined)
  }

  async #patch(bytes: Uint8Array, range: string, signal: AbortSignal | undefined): Promise<void> {
    const headers = { 'content-range': range }
    const answer = await this.#send('PATCH', [202, 201, 204], { content: bytes, headers, signal })
    await this.#moved(answer, this.#offset + bytes.length)
  }

  /** How far the registry is. `failure` is thrown where it cannot say, for that is the reason. */
  async #ask(failure: unknown, signal: AbortSignal | undefined): Promise<void> {
    const answer = await this.#send('GET', [204, 202, 200], { signal, repeat: 'always' }).catch(error => {
      signal?.throwIfAborted()
      throw isGone(error) ? lost(failure, error) : error
    })
    const before = this.#offset
    await this.#moved(answer, before)
    // `0-0` is one byte as well as none: none at first, and one if the registry does not want the first byte then.
    if (answer.header('range') === '0-0' && before === 0) this.#offset = this.#nothings++ === 0 ? 0 : 1
  }

  #astray(end: number): PhylloError {
    const reason = `the registry says that it has ${this.#offset} bytes of an upload of which ${end} were sent`
    return new PhylloError('REGISTRY_PROTOCOL', `${this.#place.name}: ${reason}`, { expected: end, seen: this.#offset })
  }

  /** After an answer: where the upload is now, and how far. `assumed` where it does not say. */
  async #moved(answer: Answer, assumed: number): Promise<void> {
    const location = answer.header('location')
    if (location !== undefined) this.#url = await this.#place.session.ownUrl(location, answer)
    const range = answer.header('range')
    if (range === undefined) {
      this.#offset = assumed
      return
    }
    const [, last] = /^(?:bytes=)?0-(\d{1,15})$/.exec(range) ?? []
    if (last === undefined) {
      const reason = `an upload with the Range ${JSON.stringify(range.slice(0, 80))}`
      throw new PhylloError('REGISTRY_PROTOCOL', `${named(answer)}: ${reason}`, facts(answer))
    }
    this.#offset = Number(last) + 1
  }

  async #send(
    method: 'PATCH' | 'PUT' | 'GET' | 'DELETE',
    expects: readonly number[],
    options: Cancellable & {
      url?: URL
      headers?: Readonly<Record<string, string>>
      content?: Content
      once?: boolean
      repeat?: 'always'
      answerMs?: number
    },
  ): Promise<Answer> {
    const { url = this.#url, headers = {}, once, content, ...rest } = options
    const type = content === undefined ? {} : { 'content-type': 'application/octet-stream' }
    const answer = await this.#place.session.send({
      ...rest,
      method,
      at: url,
      scopes: [pushScope(this.#place.path)],
      expects,
      headers: { ...headers, ...type },
      repeat: rest.repeat ?? (once === true ? 'never' : 'refused'),
      ...(content !== undefined && { content }),
    })
    answer.discard()
    return answer
  }
}

function isGone(error: unknown): error is PhylloError {
  return error instanceof PhylloError && error.code === 'REGISTRY_NOT_FOUND'
}

/** The upload is gone with the failure: that one is what to tell, and to try again after. */
function lost(failure: unknown, gone: PhylloError): unknown {
  return isPassing(failure) ? failure : gone
}
