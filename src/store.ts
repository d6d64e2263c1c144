/**
 * The composition root: opens the driver, the pool and the stores below one directory, and owns their lifetimes.
 *
 * Invariants:
 * - Opening starts no thread and loads no codec; reading needs neither.
 * - close() ends what the store has opened, views included, and waits for operations that still run. It is idempotent.
 */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import type { ImportOptions } from './archive/import.js'
import type { LoadOptions } from './archive/load.js'
import type { ArchiveInput } from './archive/open.js'
import type { SaveOptions } from './archive/save-target.js'
import type {
  Container,
  Containers,
  CreateOptions,
  InspectOptions,
  ListContainersOptions,
  OpenContainerOptions,
} from './containers/containers.js'
import type { DockerContainer } from './containers/docker-containers.js'
import type { ContainerInfo } from './containers/record.js'
import { openRoot } from './disk/open-root.js'
import type { DriverName } from './disk/paths.js'
import { removeAtExit } from './disk/remove-at-exit.js'
import { driverOf, probeDriver } from './drivers/open-driver.js'
import { inTurn, together } from './endings.js'
import type { CopyOptions } from './images/copy-images.js'
import type { HistoryItem, Image } from './images/image.js'
import type { ListOptions } from './images/image-catalog.js'
import type { UnpackOptions, UnpackReport } from './images/unpack.js'
import { Lifetime } from './lifetime.js'
import type { JsonObject } from './oci/json.js'
import type { Operation } from './operation.js'
import type { View } from './overlay/face/view.js'
import type { StoreOptions } from './store-options.js'
import { StoreParts } from './store-parts.js'
import { StoreRegistries } from './store-registries.js'

export class Store extends StoreRegistries implements AsyncDisposable {
  readonly #parts: StoreParts
  readonly #life: Lifetime
  #containers: Promise<Containers> | undefined
  /** Of a temporary store: removes it. */
  #forget: (() => Promise<void>) | undefined

  private constructor(parts: StoreParts) {
    const life = new Lifetime(parts.root.paths.root)
    super(parts, life)
    this.#parts = parts
    this.#life = life
  }

  /**
   * Opens the store in a directory, and makes it if it is not there. With driver `overlay2`, or where one is found, that is the
   * root of a dockerd, which must not be using it; `readOnly` works also while it does.
   *
   * @throws DRIVER_MISMATCH, DRIVER_UNSUPPORTED, STORE_BUSY, STORE_CORRUPT, STORE_IO, STORE_VERSION
   */
  static async open(root: string, options: StoreOptions = {}): Promise<Store> {
    const { driver, readOnly, durability, tidy = true, compression = 'lz4' } = options
    const opened = await openRoot(root, {
      ...{ prepare: probeDriver, tidy },
      ...(driver && { driver }),
      ...(readOnly && { readOnly }),
      ...(durability && { durability }),
    })
    try {
      return new Store(new StoreParts(opened, await driverOf(opened, { compression }), { ...options }))
    } catch (error) {
      await opened.close().catch(() => undefined)
      throw error
    }
  }

  /** Before a repair: sets a store.json that cannot be read aside; the next opening for writing makes it anew. Answers where it is. */
  static async restore(root: string): Promise<string | undefined> {
    const { restoreStoreFile } = await import('./check/restore.js')
    return restoreStoreFile(root)
  }

  /** A store in a new temporary directory, which close(), or the end of the process, removes. Nothing in it has to survive: durability is none. */
  static async temporary(options: Omit<StoreOptions, 'readOnly' | 'durability'> = {}): Promise<Store> {
    // One below what mkdtemp makes, so that the store directory has the mode of a store.
    const folder = await mkdtemp(join(tmpdir(), 'phyllo-'))
    const store = await Store.open(join(folder, 'store'), { ...options, durability: 'none' })
    store.#forget = removeAtExit(folder)
    return store
  }

  /** The directory. */
  get root(): string {
    return this.#parts.root.paths.root
  }

  get driver(): DriverName {
    return this.#parts.root.paths.driver
  }

  /** Why the store can only be read, or undefined. */
  get readOnlyReason(): string | undefined {
    return this.#parts.root.readOnlyReason
  }

  /**
   * Loads every image of an archive: a docker-archive, an OCI archive or an OCI layout directory, in a file, a stream or
   * `-` for standard input, compressed or not. Published only when every layer of every image is verified.
   */
  load(input: ArchiveInput, { signal, platform, name }: LoadOptions = {}): Operation<readonly Image[]> {
    return this.#life.operation(async op => {
      const { loadArchive } = await import('./archive/load.js')
      const { root, limits, space } = this.#parts
      const target = { root, limits, space, to: () => this.#parts.copyTarget() }
      const copied = await loadArchive(input, { platform, name }, target, op)
      return together(copied.map(({ id, layers }) => this.#parts.catalog.get(id, layers)))
    }, signal)
  }

  /**
   * Makes an image of one layer out of the tar of a root file system, compressed or not: in a file, a stream, `-` for standard input,
   * or what an http or https URL answers. As `docker import`: see docs/images.md.
   *
   * @throws CHANGE_INVALID, INPUT_IO, REFERENCE_INVALID, STORE_READ_ONLY, TAR_INVALID
   */
  import(input: ArchiveInput, { signal, ...options }: ImportOptions = {}): Operation<Image> {
    return this.#life.operation(async op => {
      return (await import('./store-images.js')).importImage(this.#parts, input, options, op)
    }, signal)
  }

  /**
   * Writes images into one archive: by `repository:tag`, by repository (all of its tags) or by id. The same images give
   * the same bytes. A file is written beside its name and renamed when it is whole.
   */
  save(words: string | readonly string[], output: string | Writable, options: SaveOptions = {}): Operation<void> {
    const { signal, format = 'docker-archive' } = options
    return this.#life.operation(async op => {
      const [{ saveImages }, { createSaveTarget }] = await Promise.all([
        import('./images/save.js'),
        import('./archive/save-target.js'),
      ])
      const pool = () => this.#parts.workers()
      await using target = createSaveTarget(output, {
        format,
        durable: this.#parts.root.durability === 'full',
        operation: op,
        pool,
      })
      const { signal } = op
      await saveImages(typeof words === 'string' ? [words] : words, this.#parts, target, { pool, signal })
      op.report.bytesWritten += target.bytesWritten
    }, signal)
  }

  /**
   * Writes all that an image shows into a directory that is not there yet, or empty; it gets its name when it is whole. As root
   * with full fidelity, else with a report of what could not be set: see docs/unpack.md.
   */
  unpack(image: string, directory: string, { signal, links }: UnpackOptions = {}): Operation<UnpackReport> {
    return this.#life.operation(async op => {
      const { unpackImage } = await import('./images/unpack.js')
      return unpackImage({ image, directory, links }, this.#parts, op)
    }, signal)
  }

  /** Mounts an overlay2 store's image, read-only. @throws DRIVER_MISMATCH, IMAGE_NOT_FOUND, LIMIT_EXCEEDED, MOUNT_FAILED */
  async mount(image: string, directory: string): Promise<void> {
    this.#life.assertOpen()
    const { mountImage } = await import('./images/mount.js')
    const { layers, catalog, root } = this.#parts
    await mountImage(image, directory, { layers, catalog, paths: root.paths })
  }

  /** Undoes `mount`. @throws MOUNT_FAILED, also for what is no mount of Phyllo */
  async unmount(directory: string): Promise<void> {
    await (await import('./drivers/overlay2/mount.js')).unmountLayers(directory)
  }

  /**
   * Copies images into another store, of whichever driver: what words mean, and which names come along, is as for save. Published
   * there only when every layer of every image is verified. A store that has all of them already stays as it is.
   */
  copy(words: string | readonly string[], to: Store, { signal }: CopyOptions = {}): Operation<readonly Image[]> {
    if (!(#parts in to)) throw new TypeError('copy: the target is not a Store, or one of another copy of Phyllo')
    to.#life.assertOpen()
    const operation = this.#life.operation(async op => {
      to.#parts.root.assertWritable()
      const { copyImages } = await import('./images/copy-images.js')
      const { layers, images, references } = this.#parts
      const from = { layers, images, references, name: this.root }
      const target = { root: to.#parts.root, to: to.#parts.copyTarget() }
      const copied = await copyImages(typeof words === 'string' ? [words] : words, from, target, op)
      return together(copied.map(({ id, layers }) => to.#parts.catalog.get(id, layers)))
    }, signal)
    return to.#life.hold(operation)
  }

  /** The images, newest first: without those that only others are built on, unless `all`. */
  images(options: ListOptions = {}): Promise<Image[]> {
    return this.#parts.catalog.list(options)
  }

  /** The image that a reference, an id or the beginning of an id names. */
  image(name: string): Promise<Image | undefined> {
    return this.#parts.catalog.find(name)
  }

  /** How an image was made, newest step first, with the ids of the images it was built from. Undefined if it is not there. */
  history(name: string): Promise<readonly HistoryItem[] | undefined> {
    return this.#parts.catalog.history(name)
  }

  /** Docker's `inspect` document of the container, or else of the image, that a name or an id names; undefined if there is none. */
  async inspect(name: string, options: InspectOptions = {}): Promise<JsonObject | undefined> {
    return (await import('./store-images.js')).inspectNamed(this.#parts, await this.#boxes(), name, options)
  }

  /**
   * The union of an image's layers, read-only, with the shape of node:fs. Nothing is unpacked; the view holds its layers
   * until it is closed, whatever happens to the image.
   *
   * @throws IMAGE_NOT_FOUND, STORE_CORRUPT
   */
  async view(name: string, { cwd }: { readonly cwd?: string } = {}): Promise<View> {
    this.#life.assertOpen()
    return this.#parts.views.open(name, cwd)
  }

  /**
   * Makes a container: a writable layer over an image, or over nothing (`scratch`), with the shape of node:fs. It outlives this
   * process, until it is removed; closing it removes nothing.
   *
   * @throws IMAGE_NOT_FOUND, CONTAINER_NAME_INVALID, CONTAINER_NAME_TAKEN, STORE_READ_ONLY
   */
  async create(image: string, options: CreateOptions = {}): Promise<Container> {
    this.#life.assertOpen()
    return (await this.#boxes()).create(image, options)
  }

  /**
   * Opens the container that a name, an id or the beginning of an id names. Nobody else can open it until it is closed; with
   * `readOnly` everybody can, also while somebody has it open for writing.
   *
   * @throws CONTAINER_NOT_FOUND; CONTAINER_BUSY, STORE_READ_ONLY unless it is opened with `readOnly`
   */
  async container(name: string, options: OpenContainerOptions = {}): Promise<Container> {
    this.#life.assertOpen()
    return (await this.#boxes()).open(name, options)
  }

  /** All containers, newest first. */
  async containers(options: ListContainersOptions = {}): Promise<ContainerInfo[]> {
    return (await this.#boxes()).list(options)
  }

  /** Those that a dockerd has in this root, newest first: it alone opens and removes them. None with driver packed. */
  async dockerContainers(options: ListContainersOptions = {}): Promise<DockerContainer[]> {
    return (await this.#boxes()).listDockers(options)
  }

  /** @throws CONTAINER_NOT_FOUND, CONTAINER_BUSY while it is open, here or elsewhere */
  async removeContainer(name: string): Promise<void> {
    this.#life.assertOpen()
    await (await this.#boxes()).remove(name)
  }

  /** Gives a reference to an image, taking it from whichever had it. */
  async tag(source: string, target: string): Promise<void> {
    await this.#parts.catalog.tag(source, target)
  }

  /** Idempotent. Running operations are waited for; abort them by their signals first if that should not take long. */
  close(): Promise<void> {
    return this.#life.close(() =>
      inTurn([async () => (await this.#containers)?.close(), () => this.#parts.close(), () => this.#forget?.()]),
    )
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Loaded when the first container is asked for. */
  #boxes(): Promise<Containers> {
    return (this.#containers ??= import('./store-containers.js').then(({ containersOf }) =>
      containersOf(this.#parts, this.#life),
    ))
  }
}
