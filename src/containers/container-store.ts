/**
 * The containers of a store as what is on the disk: a record, Docker's mount, and a directory for what a container changes.
 *
 * Invariants:
 * - The record comes last and goes first: a container that can be seen is whole, and what a death leaves behind belongs to no
 *   record. Whoever makes or removes the next container takes it away.
 * - Names are given, and containers are taken hold of and removed, under the root lock: nobody comes between.
 * - A container is held by a lock on its record, for as long as it is open. Who is held is not removed.
 */
import { ifThere } from '../disk/io.js'
import { randomId } from '../disk/random-id.js'
import type { Root } from '../disk/root.js'
import type { ContainerPlace, UpperLeftover, Uppers } from '../drivers/driver.js'
import { PhylloError } from '../errors.js'
import type { ImageRecord } from '../images/image-store.js'
import type { LayerStore } from '../layers/layer-store.js'
import type { Limits } from '../limits.js'
import { chainIdsOf } from '../oci/chain-id.js'
import { dockerContainers } from './docker-containers.js'
import { assertFree, checkName, containerNotFound, findContainer, newName } from './names.js'
import { type ContainerBounds, type ContainerRecord, containerText, idOfFile, readContainer } from './record.js'

export interface NewContainer {
  /** The image, and the words that named it. Absent: from scratch. */
  readonly base?: { readonly image: ImageRecord; readonly name: string }
  /** Default: two random words. */
  readonly name?: string
  readonly bounds: ContainerBounds
  /**
   * Writes into the container's directory what has to be there from the beginning. `created`: RFC 3339; `below`: cache-id of the
   * topmost layer.
   */
  readonly begin?: (directory: string, created: string, below: string | undefined) => Promise<void>
}

/** A container that nobody else can open or remove; or one to look into, whose layers stay. */
export interface HeldContainer {
  readonly record: ContainerRecord
  /** Idempotent. */
  readonly release: () => Promise<void>
}

export interface ContainerScan {
  readonly records: readonly ContainerRecord[]
  /** Records that are there and cannot be read, with the reason. */
  readonly damaged: readonly { readonly id: string; readonly error: PhylloError }[]
}

export class ContainerStore {
  readonly #root: Root
  readonly #layers: LayerStore
  readonly #limits: Limits

  constructor(root: Root, layers: LayerStore, limits: Limits) {
    this.#root = root
    this.#layers = layers
    this.#limits = limits
  }

  /** Every container that can be read, in order of id. */
  async list(): Promise<readonly ContainerRecord[]> {
    return (await this.scan()).records
  }

  async scan(): Promise<ContainerScan> {
    const records: ContainerRecord[] = []
    const damaged: { id: string; error: PhylloError }[] = []
    for (const id of await this.#ids()) {
      try {
        const record = await readContainer(this.#root, id, this.#limits)
        if (record !== undefined) records.push(record)
      } catch (error) {
        if (!(error instanceof PhylloError) || error.code === 'STORE_IO') throw error
        damaged.push({ id, error })
      }
    }
    return { records, damaged }
  }

  /**
   * The container that a name, an id or the beginning of an id means.
   *
   * @throws CONTAINER_NOT_FOUND for the beginning of several ids; STORE_CORRUPT when it is the full id of a damaged one
   */
  async find(text: string): Promise<ContainerRecord | undefined> {
    const { records, damaged } = await this.scan()
    const broken = damaged.find(({ id }) => id === text)
    if (broken !== undefined) throw broken.error
    return findContainer(text, records)
  }

  /**
   * Makes a container and holds it.
   *
   * @throws CONTAINER_NAME_INVALID, CONTAINER_NAME_TAKEN, STORE_CORRUPT when a layer of the image is not there
   */
  async create(made: NewContainer): Promise<HeldContainer> {
    this.#root.assertWritable()
    let held: HeldContainer | undefined
    try {
      await this.#create(made, now => (held = now))
    } catch (error) {
      await held?.release()
      throw error
    }
    return held!
  }

  /** Tells who is held before it lets go of lease and stage, which may fail. */
  async #create({ base, name, bounds, begin }: NewContainer, tell: (held: HeldContainer) => void): Promise<void> {
    const wanted = name === undefined ? undefined : checkName(name)
    const diffIds = base?.image.config.diffIds ?? []
    await using _lease = await this.#layers.lease({
      stacks: [diffIds],
      images: base === undefined ? [] : [base.image.id],
    })
    const below = (await this.#layers.settle(diffIds)).at(-1)?.cacheId
    const id = randomId(this.#root.io)
    const mountId = randomId(this.#root.io)
    const created = new Date().toISOString()
    await using stage = await this.#root.stage()
    const upper = stage.file('upper')
    await this.#root.io.mkdir(upper, 0o700)
    await begin?.(upper, created, below)
    await this.#root.withLock(async () => {
      const { records, damaged } = await this.scan()
      const others = [...records, ...(await dockerContainers(this.#root))]
      if (wanted !== undefined) assertFree(wanted, others)
      if (damaged.length === 0) await this.#clear(records)
      const record: ContainerRecord = {
        id,
        name: wanted ?? newName(id, others),
        image: base?.name ?? 'scratch',
        imageId: base?.image.id,
        chainId: chainIdsOf(diffIds).at(-1),
        created,
        config: base?.image.config,
        configBytes: base?.image.configBytes,
        mountId,
        bounds,
      }
      await this.#publish(record, stage, below)
      tell(await this.#hold(record))
    })
  }

  /**
   * Takes hold of a container.
   *
   * @throws CONTAINER_NOT_FOUND, CONTAINER_BUSY
   */
  async hold(text: string): Promise<HeldContainer> {
    this.#root.assertWritable()
    const record = await this.#found(text)
    return this.#root.withLock(() => this.#hold(record))
  }

  /** A container to look into, whoever holds it: its layers are there until the release. Works on a root for reading. */
  async look(text: string): Promise<HeldContainer> {
    const record = await this.#found(text)
    const lease = await this.#layers.lease({ stacks: [record.config?.diffIds ?? []] })
    return { record, release: () => lease.release() }
  }

  /** @throws CONTAINER_NOT_FOUND, also for one that only a dockerd can open */
  async #found(text: string): Promise<ContainerRecord> {
    const record = await this.find(text)
    if (record !== undefined) return record
    const theirs = findContainer(text, await dockerContainers(this.#root))
    throw containerNotFound(text, theirs && ': one of a dockerd, which alone can open or remove it')
  }

  /** Removes a container that the caller holds, and lets go of it. */
  async remove({ record, release }: HeldContainer): Promise<void> {
    const { io, paths } = this.#root.freeing
    const trashed: (string | undefined)[] = []
    try {
      await this.#root.withLock(async () => {
        const upper = await this.#uppers.remove(placeOf(record))
        try {
          trashed.push(await this.#root.toTrash(paths.container(record.id)))
          // On the disk it goes before the rest, too.
          await this.#root.flush(paths.containers)
          trashed.push(await this.#root.toTrash(paths.mount(record.id)))
          trashed.push(await upper.done())
        } catch (error) {
          await upper.abandoned()
          throw error
        }
      })
    } finally {
      await release()
    }
    for (const path of trashed) if (path !== undefined) await io.deleteTree(path)
  }

  /**
   * Takes away what belongs to no container: the traces of processes that died while they made or removed one. Nothing while a
   * record cannot be read, for what it names is not known.
   */
  async tidy(): Promise<void> {
    await this.clear()
    await this.#root.sweep()
  }

  /** The same, and the bytes go with the next sweep. Answers with what went. */
  clear(): Promise<readonly UpperLeftover[]> {
    return this.#exclusively(records => this.#clear(records))
  }

  /** What `clear` would take away. */
  leftovers(): Promise<readonly UpperLeftover[]> {
    return this.#exclusively(records => this.#uppers.leftovers(records.map(placeOf)))
  }

  #exclusively(work: (records: readonly ContainerRecord[]) => Promise<UpperLeftover[]>): Promise<UpperLeftover[]> {
    this.#root.assertWritable()
    return this.#root.withLock(async () => {
      const { records, damaged } = await this.scan()
      return damaged.length === 0 ? work(records) : []
    })
  }

  /** Where the container's own directory is. @throws STORE_CORRUPT when it is gone */
  async upperDirectory({ id, mountId }: ContainerRecord): Promise<string> {
    const path = this.#root.paths.containerUpper(mountId)
    if ((await ifThere(this.#root.io.status(path))) !== undefined) return path
    throw new PhylloError('STORE_CORRUPT', `${path}: what container ${id} has changed is gone`, { path })
  }

  async #ids(): Promise<string[]> {
    const names = (await ifThere(this.#root.io.readdir(this.#root.paths.containers))) ?? []
    return names
      .map(idOfFile)
      .filter(id => id !== undefined)
      .sort()
  }

  /** Under the root lock: what is published first is what the record speaks of. */
  async #publish(
    record: ContainerRecord,
    stage: { file(name: string): string },
    below: string | undefined,
  ): Promise<void> {
    const { io, paths } = this.#root
    const [upper, mount] = [stage.file('upper'), stage.file('mount')]
    const published = await this.#uppers.publish(upper, placeOf(record), below)
    const { mountId, chainId } = record
    try {
      await io.mkdir(mount, 0o755)
      await this.#root.writeStaged(paths.below(mount, 'mount-id'), mountId, 0o644)
      if (chainId !== undefined) await this.#root.writeStaged(paths.below(mount, 'parent'), chainId, 0o644)
      await this.#root.publishDirectory(mount, paths.mount(record.id))
      await this.#root.replaceFile(paths.container(record.id), containerText(record), 0o600)
      await published.done()
    } catch (error) {
      await published.abandoned()
      throw error
    }
  }

  /** Under the root lock. */
  async #hold(record: ContainerRecord): Promise<HeldContainer> {
    const path = this.#root.paths.container(record.id)
    if ((await ifThere(this.#root.io.status(path))) === undefined) throw containerNotFound(record.name)
    const release = await this.#root.tryHold(path)
    if (release !== undefined) return { record, release }
    const message = `container ${record.name} (${record.id.slice(0, 12)}) is open for writing elsewhere`
    throw new PhylloError('CONTAINER_BUSY', message, { container: record.id, name: record.name })
  }

  /** Under the root lock, so that nothing of it is of a container that is being made. */
  #clear(records: readonly ContainerRecord[]): Promise<UpperLeftover[]> {
    return this.#uppers.clear(records.map(placeOf))
  }

  get #uppers(): Uppers {
    return this.#layers.driver.uppers
  }
}

function placeOf({ id, mountId }: ContainerRecord): ContainerPlace {
  return { container: id, mountId }
}
