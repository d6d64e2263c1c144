/**
 * imagedb: image configs by their digest, and the little that Docker keeps beside them.
 *
 * Invariants:
 * - Config bytes are stored as they came; the id is their sha256, and every read verifies it.
 * - A config is published after all of its layers.
 */
import { dirname } from 'node:path'
import { ifThere } from '../disk/io.js'
import type { Root } from '../disk/root.js'
import { together } from '../endings.js'
import { PhylloError } from '../errors.js'
import type { Limits } from '../limits.js'
import { type ImageConfig, viewImageConfig } from '../oci/config.js'
import { type DiffId, hexOf, type ImageId, isDigest, parseDigest, sha256Digest } from '../oci/digest.js'

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
/** Configs read at once. */
const batch = 32

export class ImageStore {
  readonly #root: Root
  readonly #limits: Limits

  constructor(root: Root, limits: Limits) {
    this.#root = root
    this.#limits = limits
  }

  /** @throws STORE_CORRUPT when the bytes are not what the name says, CONFIG_INVALID when they are no config */
  async get(id: ImageId): Promise<ImageRecord | undefined> {
    return this.#read(id, this.#root.paths.imageConfig(id))
  }

  /** Those of these images that are there. Quick where there are many. @throws as `get` */
  async getAll(ids: readonly ImageId[]): Promise<ImageRecord[]> {
    const { io, paths } = this.#root
    const noted = new Set((await ifThere(io.readdir(paths.imageMetadatas))) ?? [])
    const records: ImageRecord[] = []
    for (let at = 0; at < ids.length; at += batch) {
      const some = ids.slice(at, at + batch).map(id => ({ id, path: paths.imageConfig(id) }))
      const configs = await io.readFiles(
        some.map(({ path }) => path),
        this.#limits.jsonBytes,
      )
      for (const [index, { id, path }] of some.entries()) {
        const bytes = configs[index]
        if (bytes !== undefined) records.push(await this.#parse(id, path, { bytes, noted: noted.has(hexOf(id)) }))
      }
    }
    return records
  }

  async #read(id: ImageId, path: string): Promise<ImageRecord | undefined> {
    const bytes = await ifThere(this.#root.io.readFile(path, this.#limits.jsonBytes))
    return bytes && this.#parse(id, path, { bytes, noted: true })
  }

  /** `noted`: it may have metadata. */
  async #parse(
    id: ImageId,
    path: string,
    { bytes: configBytes, noted }: { readonly bytes: Buffer; readonly noted: boolean },
  ): Promise<ImageRecord> {
    if (sha256Digest(configBytes) !== id)
      throw new PhylloError('STORE_CORRUPT', `${path}: the image config does not hash to its name`, { path, image: id })
    const config = viewImageConfig(configBytes, { limits: this.#limits, what: id })
    const parent = noted ? await this.#metadata(id, 'parent') : undefined
    const lastUpdated = noted ? await this.#metadata(id, 'lastUpdated') : undefined
    return { id, configBytes, config, parent: isDigest(parent) ? (parent as ImageId) : undefined, lastUpdated }
  }

  /** Under a lease, and not under the root lock: waits for a remover who has set it aside and will see the lease. */
  async has(id: ImageId): Promise<boolean> {
    const { io, paths } = this.#root
    const path = paths.imageConfig(id)
    const look = async () => (await ifThere(io.status(path))) !== undefined
    if (await look()) return true
    const aside = this.#root.readOnlyReason === undefined && (await this.#root.inLimbo(path)).length > 0
    return aside ? this.#root.withLock(look) : look()
  }

  /** Ids of all images. Names that are no digest are leftovers and not looked at. */
  async list(): Promise<ImageId[]> {
    await this.#root.settleRemains()
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

  /** Images that say that they were built from this one. Most say nothing at all, and have no directory to look into. */
  async children(id: ImageId): Promise<ImageId[]> {
    const { io, paths } = this.#root
    const all = await this.list()
    const saying = new Set(await ifThere(io.readdir(dirname(paths.imageMetadata(id)))))
    const ids = all.filter(other => other !== id && saying.has(hexOf(other)))
    const parents = await together(ids.map(other => this.#metadata(other, 'parent')))
    return ids.filter((_, at) => parents[at] === id)
  }

  /**
   * Removes an image that no reference names, unless `inUse` says, once it is set aside, that somebody needs it: then it comes
   * back, and the answer is false. Under the root lock, so that only the dead have one set aside for longer. Layers stay.
   */
  async remove(id: ImageId, inUse: () => Promise<boolean>): Promise<boolean> {
    const { paths } = this.#root
    const config = await this.#root.setAside(paths.imageConfig(id))
    if (config === undefined) return false
    // The config last: what a death leaves in between comes back, and metadata alone would belong to nobody.
    const aside = [config]
    try {
      const metadata = await this.#root.setAside(paths.imageMetadata(id))
      if (metadata !== undefined) aside.unshift(metadata)
      const needed = await inUse()
      // On the disk it is gone before its layers are.
      if (!needed) await this.#root.flush(paths.imageConfigs)
      for (const name of aside) await (needed ? this.#root.restore(name) : this.#root.condemn(name))
      return !needed
    } catch (error) {
      await this.#root.restoreAll(aside)
      throw error
    }
  }

  /**
   * diffIds of every image, also of those that somebody has set aside and may put back: what a collector has to keep.
   * `known`: what was read before, added to.
   *
   * @throws STORE_CORRUPT, CONFIG_INVALID for an image that cannot be read: nothing may be collected then
   */
  async stacks(known = new Map<ImageId, readonly DiffId[]>()): Promise<(readonly DiffId[])[]> {
    const ids = await this.listAll()
    const stacks: (readonly DiffId[])[] = []
    for (const { id, config } of await this.getAll([...ids].filter(id => !known.has(id)))) known.set(id, config.diffIds)
    for (const id of ids) {
      const read = async () => (await this.get(id)) ?? (await this.#getAside(id)) ?? (await this.get(id))
      const stack = known.get(id) ?? (await read())?.config.diffIds
      if (stack === undefined) continue
      known.set(id, stack)
      stacks.push(stack)
    }
    return stacks
  }

  /** Ids of all images, also of those that somebody has set aside and may put back. */
  async listAll(): Promise<ReadonlySet<ImageId>> {
    return new Set([...(await this.list()), ...(await this.#aside()), ...(await this.list())])
  }

  async #aside(): Promise<ImageId[]> {
    const { io, paths } = this.#root
    const prefix = `${paths.placeOf(paths.imageConfigs)}!`
    const names = (await ifThere(io.readdir(paths.limbo))) ?? []
    return names
      .filter(name => name.startsWith(prefix))
      .map(name => `sha256:${name.slice(prefix.length, name.lastIndexOf('@'))}`)
      .filter((id): id is ImageId => isDigest(id))
  }

  async #getAside(id: ImageId): Promise<ImageRecord | undefined> {
    const { paths } = this.#root
    for (const name of await this.#root.inLimbo(paths.imageConfig(id))) {
      const image = await this.#read(id, paths.below(paths.limbo, name))
      if (image !== undefined) return image
    }
    return undefined
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
