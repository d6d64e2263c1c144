/**
 * What a store has to do with registries: pull and push, and all around them. A part of Store, apart from what is local.
 *
 * Nothing of it is loaded before it is asked for.
 */

import type { PullOptions } from './distribution/pull.js'
import type { Pushed, PushOptions } from './distribution/push.js'
import { together } from './endings.js'
import type { Image } from './images/image.js'
import type { Lifetime } from './lifetime.js'
import type { Operation } from './operation.js'
import type { StoreParts } from './store-parts.js'
import { StoreUpkeep } from './store-upkeep.js'

/** What became of one tag. */
export interface PulledTag {
  /** `repository:tag`, familiar. */
  readonly reference: string
  readonly image?: Image
  readonly error?: unknown
}

export abstract class StoreRegistries extends StoreUpkeep {
  readonly #parts: StoreParts
  readonly #life: Lifetime

  constructor(parts: StoreParts, life: Lifetime) {
    super(parts, life)
    this.#parts = parts
    this.#life = life
  }

  /**
   * Brings an image from a registry, by tag or digest; out of an index the one for the platform. Every layer is verified, and in the
   * store as soon as it is; the names come last. See docs/pull.md.
   *
   * @throws REGISTRY_ codes, DIGEST_MISMATCH, DIFF_ID_MISMATCH, DISK_FULL, PLATFORM_NOT_FOUND, REFERENCE_INVALID, STORE_READ_ONLY
   */
  pull(reference: string, { signal, ...options }: PullOptions = {}): Operation<Image> {
    return this.#life.operation(async op => {
      this.#parts.root.assertWritable()
      const { pullImage } = await import('./distribution/pull.js')
      const { id, layers } = await pullImage(reference, options, this.#parts, op)
      return this.#parts.catalog.get(id, layers)
    }, signal)
  }

  /**
   * The same of every tag of a repository, one after the other. One that fails, or is no image, does not keep the others: `error` says why.
   *
   * @throws what ends them all: REGISTRY_ codes for the list of tags, DISK_FULL, REFERENCE_INVALID for a name with a tag
   */
  pullAll(repository: string, { signal, ...options }: PullOptions = {}): Operation<readonly PulledTag[]> {
    return this.#life.operation(async op => {
      this.#parts.root.assertWritable()
      const { pullAllTags } = await import('./distribution/pull.js')
      const results = await pullAllTags(repository, options, this.#parts, op)
      return together(
        results.map(async ({ reference, pulled, error }) =>
          pulled === undefined
            ? { reference, error }
            : { reference, image: await this.#parts.catalog.get(pulled.id, pulled.layers) },
        ),
      )
    }, signal)
  }

  /**
   * Sends an image to the registry that its name says. What is there already is not sent; what another repository there has is
   * mounted. See docs/push.md.
   *
   * @throws REGISTRY_ codes, IMAGE_NOT_FOUND, REFERENCE_INVALID, STORE_CORRUPT
   */
  push(reference: string, { signal, ...options }: PushOptions = {}): Operation<Pushed> {
    return this.#life.operation(async op => {
      const { pushImage } = await import('./distribution/push.js')
      return pushImage(reference, options, this.#parts, op)
    }, signal)
  }
}
