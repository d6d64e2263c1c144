/**
 * One layer on its way to a repository, by the cheapest way there is: it is there already, another repository of that registry has
 * it, it was kept as it came, or it is compressed, while it is sent.
 *
 * Invariants:
 * - The answer is a blob that the registry has said it has, with its size, after whatever was done.
 * - A layer is compressed once, however often its upload begins anew; the same tar gives the same bytes.
 * - An upload that was begun is finished or cancelled, also by a failure and an abort.
 */
import { sniffBytes } from '../compression/compression.js'
import type { StorePaths } from '../disk/paths.js'
import type { WritingContext } from '../disk/space.js'
import type { LayerTar } from '../drivers/layer.js'
import { PhylloError } from '../errors.js'
import type { BlobNote } from '../layers/blob-notes.js'
import { type Digest, shortId } from '../oci/digest.js'
import type { Reference } from '../oci/reference.js'
import type { LayerForm } from '../oci/write-manifest.js'
import type { GzipStage } from '../pool/gzip-stage.js'
import type { Blob } from '../registry/blobs.js'
import type { Growing } from '../registry/growing-upload.js'
import type { Repository } from '../registry/repository.js'
import type { Upload } from '../registry/upload.js'
import { formOf, type KeptBlob, keptLayer } from './kept-blobs.js'
import { type Attempts, attemptsFor, checkCandidates, mountCandidates } from './push-candidates.js'
import type { LayerBlob } from './push-manifest.js'
import type { PushNotes } from './push-notes.js'
import { retryingIn } from './retrying.js'

export interface LayerPushParts {
  readonly target: Reference
  readonly repository: Repository
  readonly notes: PushNotes
  readonly paths: StorePaths
  readonly stage: GzipStage
  /** Its signal ends everything. */
  readonly op: WritingContext
}

/** A blob that is there, and what is not known of it before it is looked at. */
interface Found {
  readonly note: BlobNote
  readonly sizeBytes: number
}

export async function pushLayer(layer: LayerTar, parts: LayerPushParts): Promise<LayerBlob> {
  return new LayerPush(layer, parts).run()
}

/** @throws REGISTRY_PROTOCOL unless the registry has as many bytes of it as were sent; `seen` is what it says by itself */
export function assertThere(repository: string, { digest, sizeBytes }: Blob, seen: number | undefined): void {
  if (seen === sizeBytes) return
  const has = seen === undefined ? 'and does not have it' : `and says that it has ${seen}`
  const message = `${repository}@${digest}: the registry took ${sizeBytes} bytes, ${has}`
  throw new PhylloError('REGISTRY_PROTOCOL', message, { expected: sizeBytes, seen })
}

/** Not to be let look says nothing of what is there, nor of what may be sent. */
function isRefusal(error: unknown): boolean {
  const refusals = ['REGISTRY_AUTH', 'REGISTRY_DENIED', 'REGISTRY_REFUSED']
  return error instanceof PhylloError && refusals.includes(error.code)
}

class LayerPush {
  readonly #layer: LayerTar
  readonly #parts: LayerPushParts
  readonly #attempts: Attempts
  readonly #checked = new Set<Digest>()
  #notes: readonly BlobNote[] = []
  #kept: KeptBlob | undefined
  /** What a registry has begun instead of mounting. */
  #begun: Upload | undefined

  constructor(layer: LayerTar, parts: LayerPushParts) {
    this.#layer = layer
    this.#parts = parts
    this.#attempts = attemptsFor(layer.tarBytes)
  }

  async run(): Promise<LayerBlob> {
    const { notes, paths } = this.#parts
    const { diffId } = this.#layer
    this.#notes = await notes.of(diffId)
    this.#kept = await keptLayer(paths, diffId, this.#notes)
    try {
      return (
        (await this.#exists(false)) ??
        (await this.#mounted()) ??
        (await this.#exists(true)) ??
        (await this.#sentAsItCame()) ??
        (await this.#compressed())
      )
    } finally {
      await this.#begun?.cancel()
    }
  }

  /** `others`: also what was seen elsewhere, and what would be sent as it came. */
  async #exists(others: boolean): Promise<LayerBlob | undefined> {
    const { target, notes } = this.#parts
    const { checks, checksOthers } = this.#attempts
    const kept = others ? this.#notes.filter(({ digest }) => digest === this.#kept?.digest).slice(-1) : []
    const candidates = checkCandidates(target, this.#notes, note => notes.isOurs(note), {
      others: others && checksOthers,
      most: checks,
    })
    const left = others ? Math.max(0, checks - this.#checked.size) : checks
    const fresh = candidates.filter(({ digest }) => !this.#checked.has(digest)).slice(0, left)
    for (const note of new Set([...kept, ...fresh])) {
      if (this.#checked.has(note.digest)) continue
      const found = await this.#look(note)
      if (found === undefined) continue
      this.#reused()
      return this.#confirmed(found, 'Layer already exists')
    }
    return undefined
  }

  async #look(note: BlobNote): Promise<Found | undefined> {
    const { target, repository, notes, op } = this.#parts
    this.#checked.add(note.digest)
    let sizeBytes: number | undefined
    try {
      sizeBytes = await repository.stat(note.digest, { pushing: true, signal: op.signal })
    } catch (error) {
      op.signal.throwIfAborted()
      if (isRefusal(error)) return undefined
      throw error
    }
    if (sizeBytes !== undefined) return { note, sizeBytes }
    // The note is also what says that a kept blob is this layer.
    const isGone = note.sourceRepository === `${target.domain}/${target.path}` && note.digest !== this.#kept?.digest
    if (isGone) await notes.remove(this.#layer.diffId, note)
    return undefined
  }

  async #mounted(): Promise<LayerBlob | undefined> {
    const { target, repository, notes, op } = this.#parts
    const { signal } = op
    for (const { note, from } of mountCandidates(
      target,
      this.#notes,
      note => notes.isOurs(note),
      this.#attempts.mounts,
    )) {
      const mounted = await repository.mount(note.digest, from, { signal })
      if (mounted === undefined) continue
      if (mounted !== 'mounted') {
        await this.#begun?.cancel()
        this.#begun = mounted
        continue
      }
      const sizeBytes = await repository.stat(note.digest, { pushing: true, signal })
      if (sizeBytes === undefined) continue
      this.#reused()
      return this.#confirmed({ note, sizeBytes }, `Mounted from ${from}`)
    }
    return undefined
  }

  /** Undefined: nothing is kept, or it is damaged. */
  async #sentAsItCame(): Promise<LayerBlob | undefined> {
    const kept = this.#kept
    if (kept === undefined) return undefined
    const { digest, sizeBytes, form } = kept
    const send = {
      open: (offset: number) => this.#counted(offset, kept.read(offset), at => [at, sizeBytes]),
      blob: async () => ({ digest, sizeBytes }),
    }
    try {
      await this.#send(send)
    } catch (error) {
      if (kept.damage === undefined) throw error
      const { op } = this.#parts
      op.signal.throwIfAborted()
      const message = `${digest} is kept, and damaged: ${kept.damage}`
      op.emit({ type: 'warning', subject: shortId(this.#layer.diffId), message })
      return undefined
    }
    return this.#sent({ digest, sizeBytes, form })
  }

  async #compressed(): Promise<LayerBlob> {
    const { stage, op } = this.#parts
    const { tarBytes } = this.#layer
    op.watch()
    const growing = stage.begin(this.#layer)
    try {
      // What waits for a thread has nothing to send, and no server waits for ever.
      await growing.begun()
      const { digest, sizeBytes } = await this.#send({
        open: offset => this.#counted(offset, growing.read(offset), at => [growing.tarBytesAt(at), tarBytes]),
        blob: () => growing.done,
      })
      await growing.remove()
      return await this.#sent({ digest, sizeBytes, form: 'gzip' })
    } catch (error) {
      op.signal.throwIfAborted()
      // Why the bytes did not come is told by what makes them.
      await growing.failure()
      throw error
    }
  }

  async #send(growing: Growing) {
    const { repository, op } = this.#parts
    const begun = this.#begun
    this.#begun = undefined
    return await repository.send(growing, {
      begun,
      signal: op.signal,
      onWait: seconds => this.#tell(retryingIn(seconds)),
    })
  }

  /** The registry has said so of what it was sent; now it says so of what it has. */
  async #sent({ digest, sizeBytes, form }: LayerBlob): Promise<LayerBlob> {
    const { repository, notes, op } = this.#parts
    assertThere(
      repository.name,
      { digest, sizeBytes },
      await repository.stat(digest, { pushing: true, signal: op.signal }),
    )
    await notes.add(this.#layer.diffId, digest, form === 'gzip')
    op.report.bytesWritten += sizeBytes
    this.#tell('Pushed')
    return { digest, sizeBytes, form }
  }

  async #confirmed({ note, sizeBytes }: Found, message: string): Promise<LayerBlob> {
    const { notes } = this.#parts
    const { digest } = note
    const form = await this.#formOf(note)
    await notes.add(this.#layer.diffId, digest, form === 'gzip')
    this.#tell(message)
    return { digest, sizeBytes, form }
  }

  /** What the manifest has to say of it. */
  async #formOf(note: BlobNote): Promise<LayerForm> {
    const { repository, notes, op } = this.#parts
    const { digest } = note
    if (digest === this.#kept?.digest) return this.#kept.form
    if (notes.isSigned(note)) return 'gzip'
    const head = await repository.head(digest, sniffBytes, { pushing: true, signal: op.signal })
    const form = formOf(head, digest, this.#layer.diffId)
    if (form !== undefined) return form
    // As Docker says of every blob: who reads it looks at its first bytes.
    return 'gzip'
  }

  async *#counted(
    offset: number,
    bytes: AsyncIterable<Uint8Array>,
    moved: (at: number) => readonly [done: number, total: number],
  ): AsyncGenerator<Uint8Array, void, void> {
    const { op } = this.#parts
    const subject = shortId(this.#layer.diffId)
    let at = offset
    for await (const piece of bytes) {
      yield piece
      at += piece.length
      const [done, total] = moved(at)
      op.emit({ type: 'progress', subject, action: 'Pushing', done, total })
    }
  }

  #reused(): void {
    this.#parts.op.report.bytesReused += this.#layer.tarBytes
  }

  #tell(message: string): void {
    this.#parts.op.emit({ type: 'layer', subject: shortId(this.#layer.diffId), message })
  }
}
