/**
 * A repository of a registry as a target of images: what `saveImages` writes to when it pushes.
 *
 * Invariants:
 * - What is referred to is there before what refers, and the tag comes last: layers and config, each seen there, then the manifest.
 * - The first failure ends everything else, and is the one that is told; when `write` settles no upload and no job goes on.
 * - Each layer is sent once, however many images and tags have it; the topmost first, as Docker does.
 */
import type { LayerTar } from '../drivers/layer.js'
import { together } from '../endings.js'
import type { ImageTarget, StoredImage } from '../images/target.js'
import { callLimit } from '../native/call-limit.js'
import { type DiffId, type Digest, type ImageId, shortId } from '../oci/digest.js'
import type { WrittenManifest } from '../oci/write-manifest.js'
import { assertThere, type LayerPushParts, pushLayer } from './push-layer.js'
import { type LayerBlob, type ManifestSource, manifestOf } from './push-manifest.js'

/** A tag that a registry has taken. */
export interface Pushed {
  /** Canonical: `docker.io/library/app:v1`. */
  readonly reference: string
  /** Of the manifest. */
  readonly digest: Digest
  /** Of the manifest. */
  readonly sizeBytes: number
}

export interface PushTargetParts extends LayerPushParts {
  /** Layers at once. */
  readonly uploads: number
  /** Ends everything that has the signal of `op`, which then tells this. */
  readonly fail: (error: unknown) => void
  /** Where the manifest of an image comes from. */
  readonly manifestSource: (imageId: ImageId) => ManifestSource
  /** A tag is there now, of that image. */
  readonly onTag: (tag: string, imageId: ImageId, manifest: WrittenManifest) => Promise<void>
}

export class PushTarget implements ImageTarget {
  readonly #parts: PushTargetParts
  /** Of the layers that the registry has. */
  readonly #blobs = new Map<DiffId, LayerBlob>()

  constructor(parts: PushTargetParts) {
    this.#parts = parts
  }

  async write(images: readonly StoredImage[]): Promise<void> {
    const { onTag } = this.#parts
    for (const image of images) {
      const manifest = await this.#content(image)
      for (const { tag } of image.references) {
        if (tag === undefined) continue
        await this.#put(manifest, tag)
        await onTag(tag, image.imageId, manifest)
      }
    }
  }

  /** All that the manifest refers to, and then the manifest that does. */
  async #content(image: StoredImage): Promise<WrittenManifest> {
    const { op, manifestSource } = this.#parts
    await op.stage('layers', () => this.#layers(image))
    await op.stage('config', () => this.#config(image))
    const layers = image.layers.map(({ diffId }) => this.#blobs.get(diffId)!)
    return manifestOf(image, layers, manifestSource(image.imageId))
  }

  async #layers({ layers }: StoredImage): Promise<void> {
    const { op, uploads } = this.#parts
    const distinct = new Map([...layers].reverse().map(layer => [layer.diffId, layer]))
    const missing = [...distinct.values()].filter(({ diffId }) => !this.#blobs.has(diffId))
    const tell = ({ diffId }: LayerTar, message: string) => {
      op.emit({ type: 'layer', subject: shortId(diffId), message })
    }
    for (const layer of missing) tell(layer, 'Preparing')
    for (const layer of missing.slice(uploads)) tell(layer, 'Waiting')
    const turn = callLimit(uploads)
    await together(missing.map(layer => turn(() => this.#layer(layer))))
  }

  async #layer(layer: LayerTar): Promise<void> {
    const { op, fail } = this.#parts
    try {
      op.signal.throwIfAborted()
      this.#blobs.set(layer.diffId, await pushLayer(layer, this.#parts))
    } catch (error) {
      fail(error)
      throw error
    }
  }

  async #config({ imageId, config }: StoredImage): Promise<void> {
    const { repository, op } = this.#parts
    const { signal } = op
    const blob = { digest: imageId, sizeBytes: config.length }
    if ((await repository.stat(imageId, { pushing: true, signal })) === config.length) return
    await repository.upload(
      blob,
      async function* () {
        yield config
      },
      { signal },
    )
    assertThere(repository.name, blob, await repository.stat(imageId, { pushing: true, signal }))
    op.report.bytesWritten += config.length
  }

  async #put({ bytes, mediaType }: WrittenManifest, tag: string): Promise<void> {
    const { repository, op } = this.#parts
    await op.stage('manifest', () => repository.put(bytes, mediaType, { tag, signal: op.signal }))
    op.report.bytesWritten += bytes.length
  }
}
