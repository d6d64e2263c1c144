/**
 * What a store has to do with registries: pull and push, and all around them. A part of Store, apart from what is local.
 *
 * Nothing of it is loaded before it is asked for.
 */

import type { PullOptions } from './distribution/pull.js'
import type { Pushed, PushOptions } from './distribution/push.js'
import type { Image } from './images/image.js'
import type { Lifetime } from './lifetime.js'
import type { Operation } from './operation.js'
import type { StoreParts } from './store-parts.js'
import { StoreUpkeep } from './store-upkeep.js'

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
   * Sends the image of a tag, `latest` if none is named, to the registry that its name says. What is there already is not sent; what
   * another repository there has is mounted; a layer that is kept as it came is sent so; all else is compressed while it is sent. The
   * tag comes last. See docs/push.md.
   *
   * @throws REGISTRY_ codes, IMAGE_NOT_FOUND, REFERENCE_INVALID, STORE_CORRUPT, DIGEST_MISMATCH, DISK_FULL
   */
  push(reference: string, { signal, ...options }: PushOptions = {}): Operation<Pushed> {
    return this.#life.operation(async op => {
      const { pushImage } = await import('./distribution/push.js')
      return pushImage(reference, options, this.#parts, op)
    }, signal)
  }

  /** The same of every tag that a repository has here. What several of them have is sent once. */
  pushAll(repository: string, { signal, ...options }: PushOptions = {}): Operation<readonly Pushed[]> {
    return this.#life.operation(async op => {
      const { pushRepository } = await import('./distribution/push.js')
      return pushRepository(repository, options, this.#parts, op)
    }, signal)
  }
}
