/** An image as its users see it: a value read from the store at one moment. */
import type { Readable } from 'node:stream'
import type { OpenLayers } from '../layers/open-layers.js'
import type { LayerRecord } from '../layers/record.js'
import type { HistoryEntry, ImageConfig } from '../oci/config.js'
import type { ChainId, DiffId, ImageId } from '../oci/digest.js'
import type { JsonObject } from '../oci/json.js'
import { familiarName } from '../oci/reference.js'
import type { LayerEntry } from '../overlay/walk/entries.js'
import type { ImageRecord } from './image-store.js'
import { inspectImage } from './inspect.js'
import type { Association } from './reference-store.js'

/** One step of an image's history, as `docker history` shows them. */
export interface HistoryItem {
  /** Of the image that ends with this step, if that is known (`<missing>` else): the newest step has its own, see `Store.history`. */
  readonly id: ImageId | undefined
  /** RFC 3339. */
  readonly created: string | undefined
  readonly createdBy: string
  readonly comment: string
  /** Bytes of the layer that the step made, 0 if it made none. */
  readonly sizeBytes: number
  readonly tags: readonly string[]
}

/** One layer of an image, alone: what it adds and takes away, without what lies below. */
export class ImageLayer {
  readonly diffId: DiffId
  readonly chainId: ChainId
  /** Docker's size: bytes of regular files, once per inode, plus lengths of symlink targets. */
  readonly sizeBytes: number
  readonly #record: LayerRecord
  readonly #open: OpenLayers

  constructor(record: LayerRecord, open: OpenLayers) {
    this.diffId = record.diffId
    this.chainId = record.chainId
    this.sizeBytes = record.sizeBytes
    this.#record = record
    this.#open = open
  }

  /** Every entry of this layer by path, whiteouts and opaque marks included. */
  async *entries(): AsyncGenerator<LayerEntry, void, void> {
    const { entriesOf } = await import('../overlay/walk/entries.js')
    await using handle = await this.#open.acquire(this.#record)
    yield* entriesOf(handle.layer)
  }

  /** The layer's exact tar, hashing to `diffId`. */
  async openTar(): Promise<Readable> {
    const { tarStream } = await import('../overlay/walk/tar-stream.js')
    const { tar, release } = await this.#open.acquireTar(this.#record)
    const stream = tarStream(tar)
    stream.once('close', () => void release())
    return stream
  }
}

/** The familiar references of one image. */
export interface ImageNames {
  readonly tags: readonly string[]
  readonly digests: readonly string[]
}

export function namesOf(id: ImageId, references: readonly Association[]): ImageNames {
  const mine = references.filter(({ imageId }) => imageId === id).map(({ reference }) => reference)
  return {
    tags: mine.filter(({ tag }) => tag !== undefined).map(familiarName),
    digests: mine.filter(({ digest }) => digest !== undefined).map(familiarName),
  }
}

export class Image {
  readonly id: ImageId
  /** Familiar references with a tag, sorted: `app:v1`. */
  readonly tags: readonly string[]
  /** Familiar references with a digest, sorted: `app@sha256:…`. */
  readonly digests: readonly string[]
  /** The image it was built from, if that is known. */
  readonly parent: ImageId | undefined
  /** Raw bytes of the image config; their digest is `id`. */
  readonly configBytes: Buffer
  readonly config: ImageConfig
  /** When it was last tagged by hand, RFC 3339. */
  readonly lastTagTime: string | undefined
  /** Sum of the layers' sizes, bytes. */
  readonly sizeBytes: number
  /** Base first. */
  readonly layers: readonly ImageLayer[]

  readonly #record: ImageRecord
  readonly #graphDriver: JsonObject

  constructor(record: ImageRecord, { tags, digests }: ImageNames, layers: readonly ImageLayer[], graph: JsonObject) {
    this.#record = record
    this.id = record.id
    this.tags = tags
    this.digests = digests
    this.parent = record.parent
    this.configBytes = record.configBytes
    this.config = record.config
    this.lastTagTime = record.lastUpdated
    this.sizeBytes = layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    this.layers = layers
    this.#graphDriver = graph
  }

  /** Docker's `inspect` document: the fields of its API, in its order. */
  inspect(): JsonObject {
    return inspectImage(this, this.#graphDriver)
  }

  /** The same image with some of its references. */
  withReferences(tags: readonly string[], digests: readonly string[]): Image {
    return new Image(this.#record, { tags, digests }, this.layers, this.#graphDriver)
  }

  /** Newest first. Empty for a config without history. */
  history(): HistoryItem[] {
    let layer = 0
    const oldestFirst = this.config.history.map((entry: HistoryEntry) => ({
      id: undefined,
      created: entry.created,
      createdBy: entry.createdBy ?? '',
      comment: entry.comment ?? '',
      sizeBytes: entry.emptyLayer ? 0 : (this.layers[layer++]?.sizeBytes ?? 0),
      tags: [],
    }))
    return oldestFirst.reverse().map((item, index) => (index === 0 ? { ...item, id: this.id, tags: this.tags } : item))
  }
}
