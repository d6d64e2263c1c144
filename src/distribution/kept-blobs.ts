/**
 * Blobs that a pull has kept as they came, `<root>/blobs/`: sent again as they are, so that digests survive a pull and a push.
 *
 * Invariant: nothing of them is believed. A layer is hashed while it is sent, and one that is damaged is never sent to its end; a
 * manifest is hashed before anything is read of it.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { sniff, sniffBytes } from '../compression/compression.js'
import type { StorePaths } from '../disk/paths.js'
import { isErrno } from '../errors.js'
import type { BlobNote } from '../layers/blob-notes.js'
import { KiB, type Limits } from '../limits.js'
import { algorithmOf, type DiffId, type Digest, hexOf } from '../oci/digest.js'
import type { LayerForm } from '../oci/write-manifest.js'

const readBytes = 256 * KiB

/** A layer as it came. */
export class KeptBlob {
  readonly digest: Digest
  readonly sizeBytes: number
  readonly form: LayerForm
  /** Why it was not read to its end, once that is so. */
  damage: string | undefined
  readonly #path: string
  readonly #hash
  #hashed = 0

  constructor(path: string, { digest, sizeBytes, form }: Pick<KeptBlob, 'digest' | 'sizeBytes' | 'form'>) {
    this.#path = path
    this.digest = digest
    this.sizeBytes = sizeBytes
    this.form = form
    this.#hash = createHash(algorithmOf(digest))
  }

  /** The bytes from an offset on that was read up to before, verified when the last of them is reached; an error and `damage` if not. */
  async *read(offset: number): AsyncGenerator<Uint8Array, void, void> {
    let handle: FileHandle | undefined
    try {
      handle = await open(this.#path, flags)
      for (let at = offset; at < this.sizeBytes; ) {
        const chunk = Buffer.allocUnsafeSlow(Math.min(readBytes, this.sizeBytes - at))
        const { bytesRead } = await handle.read(chunk, 0, chunk.length, at)
        if (bytesRead === 0) throw new Error(`it ends after ${at} of ${this.sizeBytes} bytes`)
        const bytes = chunk.subarray(0, bytesRead)
        this.#verify(bytes, at)
        at += bytesRead
        yield bytes
      }
    } catch (error) {
      this.damage = (error as Error).message
      throw new Error(`${this.#path}: ${this.damage}`, { cause: error })
    } finally {
      await handle?.close()
    }
  }

  /** What was read before a connection broke is read twice, and hashed once. */
  #verify(bytes: Buffer, at: number): void {
    if (at + bytes.length <= this.#hashed) return
    this.#hash.update(bytes.subarray(this.#hashed - at))
    this.#hashed = at + bytes.length
    if (this.#hashed < this.sizeBytes) return
    const hex = this.#hash.copy().digest('hex')
    if (hex !== hexOf(this.digest)) throw new Error(`it hashes to ${hex}`)
  }
}

/** A named pipe under that name must not hold anybody. */
const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** The one that was noted last of those that are kept and that a manifest has a type for. */
export async function keptLayer(
  paths: StorePaths,
  diffId: DiffId,
  notes: readonly BlobNote[],
): Promise<KeptBlob | undefined> {
  for (const digest of new Set(notes.map(({ digest }) => digest).reverse())) {
    const path = paths.blob(digest)
    const found = await opened(path, async (handle, sizeBytes) => {
      const head = Buffer.alloc(sniffBytes)
      const { bytesRead } = await handle.read(head, 0, sniffBytes, 0)
      const form = formOf(head.subarray(0, bytesRead), digest, diffId)
      return form && new KeptBlob(path, { digest, sizeBytes, form })
    })
    if (found !== undefined) return found
  }
  return undefined
}

/** A manifest or index; undefined if it is not kept, or is no longer what its name says. */
export async function keptDocument(paths: StorePaths, digest: Digest, limits: Limits): Promise<Buffer | undefined> {
  const bytes = await opened(paths.blob(digest), async (handle, sizeBytes) =>
    sizeBytes > limits.jsonBytes ? undefined : await handle.readFile(),
  )
  if (bytes === undefined) return undefined
  return createHash(algorithmOf(digest)).update(bytes).digest('hex') === hexOf(digest) ? bytes : undefined
}

/** By its first bytes; undefined for what manifests have no type for. */
export function formOf(head: Uint8Array, digest: Digest, diffId: DiffId): LayerForm | undefined {
  // Whatever its first bytes look like.
  if ((digest as string) === diffId) return 'plain'
  const compression = sniff(head)
  return compression === 'gzip' || compression === 'zstd' ? compression : undefined
}

/** What cannot be read is not there: it is only a copy. */
async function opened<T>(
  path: string,
  read: (handle: FileHandle, sizeBytes: number) => Promise<T | undefined>,
): Promise<T | undefined> {
  let handle: FileHandle
  try {
    handle = await open(path, flags)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'EIO', 'ENXIO')) return undefined
    throw error
  }
  try {
    const status = await handle.stat()
    return status.isFile() ? await read(handle, status.size) : undefined
  } catch {
    return undefined
  } finally {
    await handle.close()
  }
}
