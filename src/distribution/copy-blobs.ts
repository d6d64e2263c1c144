/** The blobs of manifests on their way from one repository to another one, some at once. What is there already stays where it is. */
import { setMaxListeners } from 'node:events'
import { together } from '../endings.js'
import { PhylloError } from '../errors.js'
import { MiB } from '../limits.js'
import type { Descriptor } from '../oci/descriptor.js'
import { type Digest, shortId } from '../oci/digest.js'
import type { ImageManifest } from '../oci/manifest.js'
import { isForeignLayerType } from '../oci/media-type.js'
import type { OperationContext } from '../operation.js'
import type { Repository } from '../registry/repository.js'
import { SharedLoop } from './shared-loop.js'

/** Blobs that move at once. */
const lanes = 4
/** Bytes that all of them together read and hash before others have a turn: a millisecond or two. */
const turnBytes = MiB

export interface BlobRoute {
  readonly from: Repository
  readonly to: Repository
  /** Path of the source where the target can take blobs over from it. */
  readonly mountFrom: string | undefined
}

export class BlobCopy {
  readonly #route: BlobRoute
  readonly #op: OperationContext
  readonly #done = new Set<Digest>()
  readonly #loop = new SharedLoop(turnBytes)
  readonly bytes = { bytesMounted: 0, bytesExisting: 0, bytesStreamed: 0 }

  constructor(route: BlobRoute, op: OperationContext) {
    this.#route = route
    this.#op = op
  }

  /** All blobs that the manifest names and that have not been copied yet. After a failure none of them moves any more. */
  async copy({ config, layers }: ImageManifest): Promise<void> {
    const missing = [config, ...layers].filter(({ digest }) => !this.#done.has(digest))
    const queue = [...new Map(missing.map(blob => [blob.digest, blob])).values()]
    const stop = new AbortController()
    const signal = AbortSignal.any([this.#op.signal, stop.signal])
    setMaxListeners(0, signal)
    const lane = async () => {
      try {
        for (let blob = queue.shift(); blob !== undefined; blob = queue.shift()) {
          signal.throwIfAborted()
          await this.#one(blob, signal)
          this.#done.add(blob.digest)
        }
      } catch (error) {
        stop.abort(error)
        throw stop.signal.reason
      }
    }
    await together(Array.from({ length: lanes }, lane))
  }

  async #one(blob: Descriptor, signal: AbortSignal): Promise<void> {
    const { to, mountFrom } = this.#route
    const { digest, sizeBytes } = blob
    const { bytes } = this
    if (mountFrom !== undefined && (await this.#mount(digest, mountFrom, signal))) {
      bytes.bytesMounted += sizeBytes
      return this.#told(blob, `Mounted from ${mountFrom}`)
    }
    const there = await to.stat(digest, { signal })
    if (there !== undefined) {
      if (there !== sizeBytes) throw otherSize(to, blob, there)
      bytes.bytesExisting += sizeBytes
      return this.#told(blob, 'Already exists')
    }
    // Layers that may not be passed on are often nowhere but behind their URLs; then the target decides about the manifest.
    if (isForeignLayerType(blob.mediaType) && (await this.#route.from.stat(digest, { signal })) === undefined) {
      const message = `${to.name}@${digest}: not copied, the source does not have it: it is behind the URLs of the manifest`
      return this.#op.emit({ type: 'warning', subject: shortId(digest), message })
    }
    await this.#stream(blob, signal)
    bytes.bytesStreamed += sizeBytes
    this.#told(blob, 'Copied')
  }

  async #mount(digest: Digest, from: string, signal: AbortSignal): Promise<boolean> {
    const mounted = await this.#route.to.mount(digest, from, { signal })
    if (mounted === 'mounted' || mounted === undefined) return mounted === 'mounted'
    await mounted.cancel()
    return false
  }

  /**
   * Reads as fast as the target takes it. A broken download goes on where it was; a broken upload begins anew, and so does
   * what it reads. A failure of the source is told as such, and not tried again by the upload: reading has tried already.
   */
  async #stream(blob: Descriptor, signal: AbortSignal): Promise<void> {
    const { from, to } = this.#route
    const subject = shortId(blob.digest)
    const { emit, report } = this.#op
    const loop = this.#loop
    let reading = new AbortController()
    let failure: { readonly error: unknown } | undefined
    const open = async function* () {
      reading.abort()
      reading = new AbortController()
      failure = undefined
      const mine = AbortSignal.any([signal, reading.signal])
      setMaxListeners(0, mine)
      let done = 0
      try {
        // The upload hashes what it sends.
        for await (const piece of bytesOf(from, blob, mine)) {
          done += piece.length
          report.bytesRead += piece.length
          yield piece
          report.bytesWritten += piece.length
          emit({ type: 'progress', subject, action: 'Copying', done, total: blob.sizeBytes })
          await loop.after(piece.length)
        }
      } catch (error) {
        failure = { error }
        throw new Error('the source broke off', { cause: error })
      }
    }
    try {
      await to.upload(blob, open, { signal })
    } catch (error) {
      throw failure === undefined ? error : (failure as { readonly error: unknown }).error
    } finally {
      reading.abort()
    }
  }

  #told({ digest, sizeBytes }: Descriptor, message: string): void {
    if (message !== 'Copied') this.#op.report.bytesReused += sizeBytes
    this.#op.emit({ type: 'layer', subject: shortId(digest), message })
  }
}

async function* bytesOf(
  from: Repository,
  blob: Descriptor,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  if (blob.data === undefined) yield* from.blob(blob, { verify: false, signal })
  else yield blob.data
}

function otherSize({ name }: Repository, { digest, sizeBytes }: Descriptor, seen: number): PhylloError {
  const message = `${name}@${digest}: ${seen} bytes, and the manifest says ${sizeBytes}`
  return new PhylloError('SIZE_MISMATCH', message, { expected: sizeBytes, seen })
}
