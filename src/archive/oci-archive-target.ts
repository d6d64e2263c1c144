/**
 * Writes images as an OCI archive with gzip layers, as `skopeo copy … oci-archive:` does: a tar of an OCI layout, whose
 * index names each image by the reference that people use (`app:v1`).
 *
 * The gzip files come from whoever has the worker pool; the archive is begun when all of them are there, since members
 * stand in the order of their names and a tar header needs the size.
 */
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import type { LayerTar } from '../drivers/layer.js'
import { callError } from '../errors.js'
import type { ImageTarget, StoredImage } from '../images/target.js'
import { type DiffId, type Digest, shortId } from '../oci/digest.js'
import { mediaTypes } from '../oci/media-type.js'
import { familiarName } from '../oci/reference.js'
import type { GzippedLayer } from '../pool/gzip-stage.js'
import type { Content } from './archive-layout.js'
import { type WriteOptions, writeArchive } from './archive-writer.js'
import { layoutDocument, mergeImages, ociIndex, ociManifest } from './image-documents.js'
import { blobMember, indexMember } from './layout-names.js'

export interface OciArchiveTargetOptions extends WriteOptions {
  /** Gzips a layer's tar, the same bytes every time. Called once for each layer, for all of them at once. */
  gzipLayer(layer: LayerTar): Promise<GzippedLayer>
}

export class OciArchiveTarget implements ImageTarget {
  readonly #output: string | Writable
  readonly #options: OciArchiveTargetOptions
  #bytesWritten = 0

  /** A path, or a stream, which is ended after the last byte unless it is the process's own output. */
  constructor(output: string | Writable, options: OciArchiveTargetOptions) {
    this.#output = output
    this.#options = options
  }

  /** Size of the archive, once `write` has resolved. */
  get bytesWritten(): number {
    return this.#bytesWritten
  }

  /** Throws OUTPUT_IO, STORE_IO, what `gzipLayer` throws, and the signal's reason; then there is no file. */
  async write(stored: readonly StoredImage[]): Promise<void> {
    const merged = mergeImages(stored)
    const blobs = await this.#gzipAll(merged.flatMap(({ layers }) => layers))
    const images = merged.map(image => {
      const layers = image.layers.map(({ diffId }) => blobs.get(diffId)!)
      const mediaType = mediaTypes.ociLayerGzip
      const manifest = ociManifest(
        image,
        layers.map(({ digest, sizeBytes }) => ({ mediaType, digest, size: sizeBytes })),
      )
      return { image, manifest }
    })
    const members = new Map<string, Buffer | Content>([layoutDocument, [indexMember, ociIndex(images, familiarName)]])
    for (const { image, manifest } of images) {
      members.set(blobMember(image.imageId), image.config)
      members.set(blobMember(manifest.descriptor.digest), manifest.bytes)
    }
    const files = [...blobs].map(([diffId, blob]) => new BlobFile(diffId, blob))
    for (const file of files) members.set(blobMember(file.digest), file)
    try {
      this.#bytesWritten = await writeArchive(this.#output, members, this.#options)
    } finally {
      await Promise.all(files.map(file => file.close()))
    }
  }

  /** Settles when none of them is running any more. */
  async #gzipAll(layers: readonly LayerTar[]): Promise<Map<DiffId, GzippedLayer>> {
    const distinct = new Map(layers.map(layer => [layer.diffId, layer]))
    const settled = await Promise.allSettled(
      [...distinct].map(async ([diffId, layer]) => [diffId, await this.#options.gzipLayer(layer)] as const),
    )
    const failed = settled.find(result => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return new Map(settled.flatMap(result => (result.status === 'fulfilled' ? [result.value] : [])))
  }
}

/** A file of the stage as the content of a member; opened when it is its turn. */
class BlobFile implements Content {
  readonly digest: Digest
  readonly sizeBytes: number
  readonly subject: string
  readonly #path: string
  #handle: Promise<FileHandle> | undefined

  constructor(diffId: DiffId, { path, digest, sizeBytes }: GzippedLayer) {
    this.digest = digest
    this.sizeBytes = sizeBytes
    this.subject = shortId(diffId)
    this.#path = path
  }

  async read(position: number, into: Uint8Array): Promise<number> {
    try {
      const handle = await (this.#handle ??= open(this.#path))
      return (await handle.read(into, 0, into.length, position)).bytesRead
    } catch (cause) {
      const said = `${this.subject}: the gzipped layer cannot be read`
      throw callError('STORE_IO', cause, { operation: 'read', path: this.#path, said })
    }
  }

  async close(): Promise<void> {
    const handle = await this.#handle?.catch(() => undefined)
    await handle?.close()
  }
}
