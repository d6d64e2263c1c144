/**
 * A blob sent while it is made: its length and digest are known at the end. What breaks off goes on where the registry says
 * that it is, and begins anew, from the first byte, where the registry knows nothing of it any more (docker-registry 2.8 forgets an
 * upload that broke off). What came of the bytes is the registry's to verify, by the digest that it is told at the end.
 */
import { PhylloError } from '../errors.js'
import { MiB } from '../limits.js'
import { type Blob, statBlob } from './blobs.js'
import { isPassing } from './exchange.js'
import type { OnWait } from './patience.js'
import type { Cancellable, Place } from './place.js'
import type { Waiting } from './session.js'
import type { Upload } from './upload.js'
import { beginUpload } from './uploads.js'

export interface Growing {
  /** Its bytes from an offset on to the end; asked for again after a failure. */
  open(offset: number): AsyncIterable<Uint8Array>
  /** What they are, once all of them have passed. */
  blob(): Promise<Blob>
}

export interface GrowingOptions extends Cancellable {
  /** An upload that has begun: it is finished or cancelled here. */
  readonly begun?: Upload | undefined
  readonly onWait?: OnWait
}

/** So many bytes make a broken connection a slow one: attempts count anew. */
const progressBytes = MiB
/** Times that an upload begins anew because it is gone, without a word about why. */
const lostMax = 3

/** @throws REGISTRY_ codes, DIGEST_MISMATCH, whatever `open` and `blob` throw */
export async function uploadGrowing(
  place: Place,
  growing: Growing,
  { begun, signal, onWait }: GrowingOptions = {},
): Promise<Blob> {
  const sending = new Sending(place, growing, { signal, onWait })
  let upload = begun
  for (;;) {
    upload ??= await beginUpload(place, { signal })
    try {
      return await sending.once(upload)
    } catch (error) {
      const next = await sending.after(error, upload).catch(async final => {
        await upload?.cancel()
        throw final
      })
      if (next === 'done') return sending.sent!
      if (next === 'goes on') continue
      await upload.cancel()
      upload = undefined
    }
  }
}

class Sending {
  readonly #place: Place
  readonly #growing: Growing
  readonly #signal: AbortSignal | undefined
  readonly #waiting: Waiting
  #failures = 0
  #furthest = 0
  /** When all of it was sent, and its end alone is missing. */
  sent: Blob | undefined

  constructor(place: Place, growing: Growing, waiting: Waiting) {
    this.#place = place
    this.#growing = growing
    this.#signal = waiting.signal
    this.#waiting = waiting
  }

  async once(upload: Upload): Promise<Blob> {
    const signal = this.#signal
    this.sent = undefined
    await upload.stream(offset => this.#growing.open(offset), { signal })
    const sent = await this.#growing.blob()
    this.sent = sent
    await upload.finish(sent.digest, { signal })
    return sent
  }

  /** What comes after a failure; throws it where it was the last. */
  async after(error: unknown, upload: Upload): Promise<'done' | 'goes on' | 'begins anew'> {
    const signal = this.#signal
    signal?.throwIfAborted()
    const sent = this.sent
    // An answer that was lost may have been a good one.
    if (sent !== undefined && isPassing(error) && (await this.#isThere(sent))) return 'done'
    this.#failures = upload.offset - this.#furthest >= progressBytes ? 1 : this.#failures + 1
    this.#furthest = Math.max(this.#furthest, upload.offset)
    if (!isLost(error) || this.#failures > lostMax)
      await this.#place.session.afterFailure(error, this.#failures, this.#waiting)
    return sent === undefined && (await upload.resume({ signal })) ? 'goes on' : 'begins anew'
  }

  async #isThere({ digest, sizeBytes }: Blob): Promise<boolean> {
    try {
      return (await statBlob(this.#place, digest, { pushing: true, signal: this.#signal })) === sizeBytes
    } catch {
      this.#signal?.throwIfAborted()
      return false
    }
  }
}

/** The registry knows nothing of the upload, or of where it was. */
function isLost(error: unknown): boolean {
  return error instanceof PhylloError && (error.code === 'REGISTRY_NOT_FOUND' || error.status === 416)
}
