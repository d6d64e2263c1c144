/** What can be done with one repository of a registry. Pull and push are made of these. */
import type { Digest } from '../oci/digest.js'
import { parseManifestOrIndex } from '../oci/index-manifest.js'
import type { ImageManifest } from '../oci/manifest.js'
import type { Platform } from '../oci/platform.js'
import {
  type Blob,
  deleteBlob,
  headOfBlob,
  type LookOptions,
  type ReadOptions,
  readBlob,
  statBlob,
  wholeBlob,
} from './blobs.js'
import { type Growing, type GrowingOptions, uploadGrowing } from './growing-upload.js'
import { listTags } from './lists.js'
import {
  type Announced,
  deleteManifest,
  type Fetched,
  type FetchedImage,
  getImage,
  getManifest,
  type Put,
  putManifest,
  resolveTag,
} from './manifests.js'
import type { Cancellable, Place } from './place.js'
import { addReferrer, listReferrers, type ReferrersOptions } from './referrers.js'
import type { Upload } from './upload.js'
import { beginUpload, mountBlob, type UploadOptions, uploadBlob } from './uploads.js'

export class Repository {
  readonly #place: () => Promise<Place>
  /** `docker.io/library/alpine`. */
  readonly name: string

  constructor(name: string, place: () => Promise<Place>) {
    this.name = name
    this.#place = place
  }

  /** What a tag points to, without fetching it; undefined: no such tag, or the registry does not tell. */
  async resolve(tag: string, options?: Cancellable): Promise<Announced | undefined> {
    return resolveTag(await this.#place(), tag, options)
  }

  /** The manifest or index of a tag, a digest or a descriptor. */
  async manifest(reference: string | Announced, options?: Cancellable): Promise<Fetched> {
    return getManifest(await this.#place(), reference, options)
  }

  /** The image of a tag, a digest or a descriptor; out of an index the one for the platform. */
  async image(
    reference: string | Announced,
    options?: Cancellable & { readonly platform?: Platform | undefined },
  ): Promise<FetchedImage> {
    return getImage(await this.#place(), reference, options)
  }

  /** Stores a manifest under a tag, or under its digest alone, and keeps the list of referrers where the registry does not. */
  async put(bytes: Uint8Array, mediaType: string, { tag, signal }: Cancellable & { tag?: string } = {}): Promise<Put> {
    const place = await this.#place()
    const options = { limits: place.limits, what: `${this.name}: manifest to store`, mediaType }
    const document = parseManifestOrIndex(bytes, options)
    const put = await putManifest(place, { tag, bytes, mediaType, signal })
    const subject = document.kind === 'manifest' ? document.subject : undefined
    if (subject !== undefined && put.subject === undefined) {
      const stored: Fetched<ImageManifest> = {
        digest: put.digest,
        bytes: Buffer.from(bytes),
        document: document as ImageManifest,
      }
      await addReferrer(place, subject.digest, stored, { signal })
    }
    return put
  }

  async deleteManifest(digest: Digest, options?: Cancellable): Promise<boolean> {
    return deleteManifest(await this.#place(), digest, options)
  }

  /** Bytes of a blob; undefined: it is not there. */
  async stat(digest: Digest, options?: LookOptions): Promise<number | undefined> {
    return statBlob(await this.#place(), digest, options)
  }

  /** The bytes of a blob from an offset on, verified at the end unless the reader does that. */
  async *blob(blob: Blob, options?: ReadOptions): AsyncGenerator<Uint8Array, void, void> {
    yield* readBlob(await this.#place(), blob, options)
  }

  /** A blob as a whole, verified: an image's config. */
  async bytes(blob: Blob & { readonly data?: Buffer }, options?: Cancellable): Promise<Buffer> {
    return wholeBlob(await this.#place(), blob, options)
  }

  async deleteBlob(digest: Digest, options?: Cancellable): Promise<boolean> {
    return deleteBlob(await this.#place(), digest, options)
  }

  /** Takes a blob over from another repository of this registry, `from` being its path. */
  async mount(digest: Digest, from: string, options?: Cancellable): Promise<'mounted' | Upload | undefined> {
    return mountBlob(await this.#place(), digest, from, options)
  }

  /** Sends a blob whose digest is known; `open` gives its bytes, once for each attempt. */
  async upload(blob: Blob, open: () => AsyncIterable<Uint8Array>, options?: UploadOptions): Promise<void> {
    return uploadBlob(await this.#place(), blob, open, options)
  }

  /** An upload of what is made while it is sent. The caller finishes or cancels it. */
  async begin(options?: Cancellable): Promise<Upload> {
    return beginUpload(await this.#place(), options)
  }

  /** Sends a blob while it is made; answers with what it has become. */
  async send(growing: Growing, options?: GrowingOptions): Promise<Blob> {
    return uploadGrowing(await this.#place(), growing, options)
  }

  /** The first bytes of a blob, as many as asked for if there are so many. */
  async head(digest: Digest, bytes: number, options?: LookOptions): Promise<Buffer> {
    return headOfBlob(await this.#place(), digest, bytes, options)
  }

  async tags(options?: Cancellable): Promise<string[]> {
    return listTags(await this.#place(), options)
  }

  async referrers(subject: Digest, options?: ReferrersOptions) {
    return listReferrers(await this.#place(), subject, options)
  }
}
