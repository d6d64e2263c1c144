/**
 * imagedb: image configs by their digest, and the little that Docker keeps beside them.
 *
 * Invariants:
 * - Config bytes are stored as they came; the id is their sha256, and every read verifies it.
 * - A config is published after all of its layers.
 */
import { ifThere } from '../disk/io.js'
import type { Root } from '../disk/root.js'
import { PhylloError } from '../errors.js'
import type { Limits } from '../limits.js'
import { type ImageConfig, parseImageConfig } from '../oci/config.js'
import { type ImageId, isDigest, parseDigest, sha256Digest } from '../oci/digest.js'

export interface ImageRecord {
  readonly id: ImageId
  readonly configBytes: Buffer
  readonly config: ImageConfig
  /** The image it was built from, if that is known: metadata, no part of the config. */
  readonly parent: ImageId | undefined
  /** When it was last tagged by hand, RFC 3339; not set by load. */
  readonly lastUpdated: string | undefined
}

const metadataBytes = 1024

export class ImageStore {
  readonly #root: Root
  readonly #limits: Limits

  constructor(root: Root, limits: Limits) {
    this.#root = root
    this.#limits = limits
  }

  /** @throws STORE_CORRUPT when the bytes are not what the name says, CONFIG_INVALID when they are no config */
  async get(id: ImageId): Promise<ImageRecord | undefined> {
    const path = this.#root.paths.imageConfig(id)
    const configBytes = await ifThere(this.#root.io.readFile(path, this.#limits.jsonBytes))
    if (configBytes === undefined) return undefined
    if (sha256Digest(configBytes) !== id)
      throw new PhylloError('STORE_CORRUPT', `${path}: the image config does not hash to its name`, { path, image: id })
    const config = parseImageConfig(configBytes, { limits: this.#limits, what: id })
    const parent = await this.#metadata(id, 'parent')
    const lastUpdated = await this.#metadata(id, 'lastUpdated')
    return { id, configBytes, config, parent: isDigest(parent) ? (parent as ImageId) : undefined, lastUpdated }
  }

  async has(id: ImageId): Promise<boolean> {
    return (await ifThere(this.#root.io.status(this.#root.paths.imageConfig(id)))) !== undefined
  }

  /** Ids of all images. Names that are no digest are leftovers and not looked at. */
  async list(): Promise<ImageId[]> {
    const names = (await ifThere(this.#root.io.readdir(this.#root.paths.imageConfigs))) ?? []
    return names
      .map(name => `sha256:${name}`)
      .filter((id): id is ImageId => isDigest(id))
      .sort()
  }

  /** Ids that begin with these hex digits. */
  async search(prefix: string): Promise<ImageId[]> {
    const wanted = prefix.startsWith('sha256:') ? prefix : `sha256:${prefix}`
    if (!/^sha256:[0-9a-f]+$/.test(wanted)) return []
    return (await this.list()).filter(id => id.startsWith(wanted))
  }

  /** Publishes a config; its layers are there already. */
  async put(configBytes: Buffer): Promise<ImageId> {
    const id = sha256Digest<ImageId>(configBytes)
    await this.#root.publishBytes(this.#root.paths.imageConfig(id), configBytes, 0o600)
    return id
  }

  async setParent(id: ImageId, parent: ImageId): Promise<void> {
    await this.#setMetadata(id, 'parent', parseDigest<ImageId>(parent, 'parent image'))
  }

  /** Notes that a tag was given by hand, as `docker tag` does. */
  async touch(id: ImageId, now = new Date()): Promise<void> {
    await this.#setMetadata(id, 'lastUpdated', now.toISOString())
  }

  async #metadata(id: ImageId, key: string): Promise<string | undefined> {
    const { io, paths } = this.#root
    const bytes = await ifThere(io.readFile(paths.below(paths.imageMetadata(id), key), metadataBytes))
    return bytes?.toString('utf8').trim()
  }

  async #setMetadata(id: ImageId, key: string, value: string): Promise<void> {
    const { paths } = this.#root
    await this.#root.replaceFile(paths.below(paths.imageMetadata(id), key), value, 0o600)
  }
}
