/** Where images come from: an archive, a layout directory, another store, a registry. A source says what it has; copy.ts moves it. */
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
  /** The same of a layer that has to be fetched. */
  readonly remote?: RemoteLayer
  /** Digest of the bytes as they stand, when a manifest says it. */
  readonly digest?: Digest
  /** Name of the archive member, or the layer of a store, for messages and progress. */
  readonly member: string
  /** What progress calls it. Default: the beginning of its diffId. */
  readonly subject?: string
}

/** Bytes that are there, or are on their way. */
export interface Arrival {
  readonly range: ByteRange
  /** So many of them have been used. */
  progress(bytes: number): void
}

export interface FetchOptions {
  readonly signal: AbortSignal
  /** Asked when somebody else had these bytes in work: whether the layer is still not there. */
  readonly isWanted: () => Promise<boolean>
}

export interface RemoteLayer {
  /** Of the bytes as they are sent. */
  readonly sizeBytes: number
  /** They stay in the store beside the layer. */
  readonly keeps: boolean
  /** Those of them that have still to come. */
  missingBytes(): Promise<number>
  /**
   * Has the bytes used while they arrive, and once more from the beginning where those of an earlier attempt turned out to be wrong:
   * that is when `use` throws what bytes are to blame for. Undefined: they are not wanted any more.
   */
  fetch<T>(use: (arrival: Arrival) => Promise<T>, options: FetchOptions): Promise<T | undefined>
  /** What was made of them is in the store. */
  published(): Promise<void>
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
  /** References to give it, canonical: one with a digest stays with the image that has it already. */
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
  /**
   * Every layer is published as soon as it is verified and those below it are there: what was fetched once is not fetched again.
   * Otherwise all of them together.
   */
  readonly publishesEarly?: boolean
  /** What is said of what is done. Default: Docker's words for a load. */
  readonly words?: CopyWords
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

/** In events. */
export interface CopyWords {
  /** Of a layer that is there already, one that is not, and one that has come. */
  readonly there: string
  readonly missing?: string
  readonly written: string
  /** Before the id of an image, and before a name. */
  readonly image: string
  readonly tag: string
  /** It is said when a name is taken from another image. */
  readonly taken: boolean
}

export const loadWords: CopyWords = {
  there: 'Layer already exists',
  written: 'Loaded layer',
  image: 'Loaded image ID: ',
  tag: 'Loaded image: ',
  taken: true,
}
