/**
 * What a store has to do with registries: pull and push, and all around them. A part of Store, apart from what is local.
 *
 * Nothing of it is loaded before it is asked for.
 */

import type { Registries } from './distribution/connect.js'
import type { CopiedRemote, CopyRemoteOptions } from './distribution/copy-remote.js'
import type { LoggedIn, LoggedOut, LoginOptions } from './distribution/login.js'
import type { PullOptions } from './distribution/pull.js'
import type { Pushed, PushOptions } from './distribution/push.js'
import type { SearchOptions, SearchResult } from './distribution/search.js'
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

  /**
   * Copies an image from registry to registry, byte for byte, with all platforms of an index unless one is named. Nothing of
   * it comes into the store. See docs/registry.md.
   *
   * @throws REGISTRY_ codes, DIGEST_MISMATCH, SIZE_MISMATCH, PLATFORM_NOT_FOUND, REFERENCE_INVALID
   */
  copyRemote(from: string, to: string, { signal, ...options }: CopyRemoteOptions = {}): Operation<CopiedRemote> {
    return this.#life.operation(async op => {
      const { copyRemote } = await import('./distribution/copy-remote.js')
      return copyRemote(from, to, options, await this.#registries(), op)
    }, signal)
  }

  /**
   * Asks a registry whether it takes the credentials, and keeps them where Docker's command line would. `registry` is
   * `host[:port]` or a URL; undefined is Docker Hub. Without a user name and a password those that are kept are tried.
   *
   * @throws REGISTRY_AUTH, REGISTRY_CREDENTIALS and other REGISTRY_ codes, REFERENCE_INVALID
   */
  login(registry?: string, { signal, ...options }: LoginOptions = {}): Operation<LoggedIn> {
    return this.#life.operation(async op => {
      const { login } = await import('./distribution/login.js')
      return login(registry, { ...options, signal: op.signal }, await this.#registries())
    }, signal)
  }

  /** Forgets the credentials for a registry. Nothing is asked of the registry. @throws REGISTRY_CREDENTIALS */
  logout(registry?: string, { signal }: Pick<LoginOptions, 'signal'> = {}): Operation<LoggedOut> {
    return this.#life.operation(async op => {
      const { logout } = await import('./distribution/login.js')
      return logout(registry, { signal: op.signal }, await this.#registries())
    }, signal)
  }

  /** The user name whose credentials are kept for a registry; empty for a ready token; undefined: none. @throws REGISTRY_CREDENTIALS */
  registryUser(registry?: string, { signal }: Pick<LoginOptions, 'signal'> = {}): Operation<string | undefined> {
    return this.#life.operation(async op => {
      const { userOf } = await import('./distribution/login.js')
      return userOf(registry, { signal: op.signal }, await this.#registries())
    }, signal)
  }

  /**
   * Repositories that a registry finds, as Docker searches: on Docker Hub, or on the one that the term names before its first
   * slash. @throws REGISTRY_ codes, REFERENCE_INVALID
   */
  search(term: string, { signal, ...options }: SearchOptions = {}): Operation<SearchResult> {
    return this.#life.operation(async op => {
      const { searchImages } = await import('./distribution/search.js')
      return searchImages(term, { ...options, signal: op.signal }, (await this.#registries()).client)
    }, signal)
  }

  async #registries(): Promise<Registries & { readonly limits: StoreParts['limits'] }> {
    return { ...(await this.#parts.connected()), limits: this.#parts.limits }
  }
}
