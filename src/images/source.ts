/** Where images come from: an archive, a layout directory, another store, later a registry. A source says what it has; copy.ts moves it. */
import type { DiffId, Digest, ImageId } from '../oci/digest.js'
import type { Reference } from '../oci/reference.js'
import type { ByteRange, StoredTar } from '../pool/jobs.js'

export interface SourceLayer {
  /** As the image config says; verified, never believed. */
  readonly diffId: DiffId
  /** The bytes, compressed or not. Absent for a foreign layer, which is fine while the store has that layer already. */
  readonly range?: ByteRange
  /** The same of a layer that a store has. */
  readonly stored?: StoredLayer
  /** Digest of the bytes as they stand, when a manifest says it. */
  readonly digest?: Digest
  /** Name of the archive member, or the layer of a store, for messages and progress. */
  readonly member: string
}

export interface StoredLayer {
  /** Docker's size of it. */
  readonly sizeBytes: number
  /** Finds its tar, which then stays there for as long as the source holds it. @throws STORE_CORRUPT, STORE_IO */
  tar(): Promise<StoredTar>
}

export interface SourceImage {
  readonly imageId: ImageId
  /** Raw bytes of the image config; their sha256 is `imageId`. */
  readonly config: Buffer
  /** Tagged references to give it, canonical. */
  readonly references: readonly Reference[]
  /** The image it was built from, if the same source holds that, too (docker-archive `Parent`). */
  readonly parent?: ImageId
  /** Base first. */
  readonly layers: readonly SourceLayer[]
}

/** A range whose bytes are arriving, and the archive member it is, for messages. */
export interface ArrivingRange extends ByteRange {
  readonly member: string
}

export interface ImageSource extends AsyncDisposable {
  /** Name of the file, directory or stream, for messages. */
  readonly name: string
  /** Everything it holds, verified as far as metadata goes (config digests, layer counts, references). */
  images(): Promise<readonly SourceImage[]>
  /**
   * Ranges that look like layers and whose bytes are arriving, before images() can know: only streams have them. A job
   * started on one of these objects serves the SourceLayer whose `range` is that same object.
   */
  arriving?(): AsyncIterable<ArrivingRange>
  /** Bytes of the input read so far, for the report. */
  bytesRead(): number
}
