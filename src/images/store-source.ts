/**
 * A store as a source: the images that words mean, for another store.
 *
 * Invariants:
 * - A lease in the store keeps what was selected until the source is disposed of. A store that is open for reading only holds
 *   nothing: what somebody else removes meanwhile fails the copy.
 * - Nothing of it is believed: ids and diffIds are verified by whoever takes the images, within its own limits.
 */
import { together } from '../endings.js'
import type { LayerStore } from '../layers/layer-store.js'
import type { LayerRecord } from '../layers/record.js'
import type { Limits } from '../limits.js'
import { parseImageConfig } from '../oci/config.js'
import type { ImageId } from '../oci/digest.js'
import type { StoredTar } from '../pool/jobs.js'
import { type Leased, type Selected, type SelectSource, selectLeased } from './select.js'
import type { ImageSource, SourceImage } from './source.js'

export interface StoreSourceParts extends SelectSource {
  /** Its directory, for messages. */
  readonly name: string
}

export class StoreSource implements ImageSource {
  readonly #parts: StoreSourceParts
  readonly #words: readonly string[]
  readonly #limits: Limits
  #leased: Promise<Leased> | undefined

  /** `limits`: of whoever takes the images. */
  constructor(parts: StoreSourceParts, words: readonly string[], limits: Limits) {
    this.#parts = parts
    this.#words = words
    this.#limits = limits
  }

  get name(): string {
    return this.#parts.name
  }

  /** @throws IMAGE_NOT_FOUND, STORE_CORRUPT, CONFIG_INVALID, LIMIT_EXCEEDED */
  async images(): Promise<readonly SourceImage[]> {
    const { selected } = await (this.#leased ??= selectLeased(this.#words, this.#parts))
    const ids = new Set(selected.map(({ image }) => image.id))
    return await together(selected.map(item => this.#image(item, ids)))
  }

  /** The jobs count what they read. */
  bytesRead(): number {
    return 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const [leased] = await Promise.allSettled([this.#leased])
    if (leased.status === 'fulfilled') await leased.value?.[Symbol.asyncDispose]()
  }

  async #image({ image, references }: Selected, copied: ReadonlySet<ImageId>): Promise<SourceImage> {
    const { layers, name } = this.#parts
    const { diffIds } = parseImageConfig(image.configBytes, { limits: this.#limits, what: `${name}: ${image.id}` })
    const records = await layers.chainOf(diffIds)
    return {
      imageId: image.id,
      config: image.configBytes,
      references,
      // One that is not copied would be a name of nothing.
      ...(image.parent !== undefined && copied.has(image.parent) && { parent: image.parent }),
      layers: records.map(record => ({
        diffId: record.diffId,
        member: `layer ${record.diffId}`,
        stored: { sizeBytes: record.sizeBytes, tar: () => storedTar(layers, record) },
      })),
    }
  }
}

async function storedTar({ driver }: LayerStore, record: LayerRecord): Promise<StoredTar> {
  const tar = await driver.openTar(record)
  try {
    return { tar: tar.source, sizeBytes: tar.tarBytes }
  } finally {
    await tar.close()
  }
}
