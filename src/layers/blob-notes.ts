/**
 * Which compressed blob became which layer, and in which repositories it has been seen: Docker's `distribution/`, byte for byte
 * (moby's distribution/metadata).
 *
 * Invariants:
 * - Only pairs are written of which both sides were hashed here: what a manifest says is no reason.
 * - It is a cache. What cannot be read counts as absent, and nothing that is found here is believed without a look at the thing itself.
 * - A note is changed under the root lock: other processes write them, too.
 */
import { ifThere } from '../disk/io.js'
import type { Root } from '../disk/root.js'
import { type DiffId, type Digest, isDigest } from '../oci/digest.js'
import { goJson } from '../oci/go-json.js'

/** Where a blob of a layer is. */
export interface BlobNote {
  readonly digest: Digest
  /** Canonical, without tag: `docker.io/library/alpine`. */
  readonly sourceRepository: string
  /** Of a push: says whose credentials may mount it, hex. Of a pull: empty. */
  readonly hmac: string
}

/** As many as Docker keeps. */
const notesMax = 50
const noteBytes = 1024 * 1024

export class BlobNotes {
  readonly #root: Root

  constructor(root: Root) {
    this.#root = root
  }

  /** What the blob is when it is not compressed. */
  async diffIdOf(blob: Digest): Promise<DiffId | undefined> {
    const { io, paths } = this.#root
    const text = (await ifThere(io.readFile(paths.diffIdByDigest(blob), noteBytes)))?.toString().trim()
    return isDigest(text) ? (text as DiffId) : undefined
  }

  /** Blobs of a layer, the latest last. */
  async blobsOf(diffId: DiffId): Promise<BlobNote[]> {
    const { io, paths } = this.#root
    const bytes = await ifThere(io.readFile(paths.metadataByDiffId(diffId), noteBytes))
    return bytes === undefined ? [] : parseNotes(bytes)
  }

  /** A pair that was verified. The latest is the last. */
  async add(diffId: DiffId, note: BlobNote): Promise<void> {
    const root = this.#root
    await root.withLock(async () => {
      const notes = [...(await this.blobsOf(diffId)).filter(other => !same(other, note)), note].slice(-notesMax)
      await root.replaceFile(root.paths.metadataByDiffId(diffId), formatNotes(notes), 0o644)
      await root.replaceFile(root.paths.diffIdByDigest(note.digest), diffId, 0o644)
    })
  }

  /** What turned out not to be so any more. */
  async remove(diffId: DiffId, note: BlobNote): Promise<void> {
    const root = this.#root
    await root.withLock(async () => {
      const notes = await this.blobsOf(diffId)
      const kept = notes.filter(other => !same(other, note))
      const path = root.paths.metadataByDiffId(diffId)
      if (kept.length === notes.length) return
      if (kept.length === 0) await root.discard(path)
      else await root.replaceFile(path, formatNotes(kept), 0o644)
    })
  }
}

function same(a: BlobNote, b: BlobNote): boolean {
  return a.digest === b.digest && a.sourceRepository === b.sourceRepository && a.hmac === b.hmac
}

function formatNotes(notes: readonly BlobNote[]): string {
  return goJson(
    notes.map(({ digest, sourceRepository, hmac }) => ({
      Digest: digest,
      SourceRepository: sourceRepository,
      HMAC: hmac,
    })),
  )
}

function parseNotes(bytes: Buffer): BlobNote[] {
  let list: unknown
  try {
    list = JSON.parse(bytes.toString())
  } catch {
    return []
  }
  return Array.isArray(list) ? list.flatMap(noteOf) : []
}

function noteOf(value: unknown): BlobNote[] {
  const { Digest: digest, SourceRepository: sourceRepository, HMAC: hmac = '' } = Object(value)
  const good = isDigest(digest) && typeof sourceRepository === 'string' && typeof hmac === 'string'
  return good ? [{ digest: digest as Digest, sourceRepository, hmac }] : []
}
