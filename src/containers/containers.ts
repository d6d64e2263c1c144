/**
 * The containers of a store as its users see them: made, opened, listed and removed, and closed when the store is.
 */

import type { Uppers } from '../drivers/driver.js'
import { finishing, together } from '../endings.js'
import { PhylloError } from '../errors.js'
import type { ImageCatalog } from '../images/image-catalog.js'
import type { LayerStore } from '../layers/layer-store.js'
import { type LayerHandle, type OpenLayers, releaseAll } from '../layers/open-layers.js'
import type { Limits } from '../limits.js'
import type { ImageConfig } from '../oci/config.js'
import type { JsonObject } from '../oci/json.js'
import type { ContainerFs } from '../overlay/face/container-face.js'
import { lowersBelow } from '../overlay/union/lowers.js'
import { type ContainerExtras, openContainer, rootOf } from './container.js'
import { ContainerStore, type HeldContainer } from './container-store.js'
import { type DockerContainer, dockerContainers } from './docker-containers.js'
import { dockerSizes } from './docker-sizes.js'
import { inspectContainer } from './inspect.js'
import { containerNotFound, findContainer } from './names.js'
import { type ContainerBounds, type ContainerInfo, type ContainerRecord, checkBounds, infoOf } from './record.js'
import { type ContainerSizes, sizesOf } from './sizes.js'
import { type ContainerWork, containerWork, type WorkParts } from './work.js'

export interface CreateOptions extends ContainerBounds {
  /** Two characters or more of `[a-zA-Z0-9_.-]`. Default: two random words. */
  readonly name?: string
  /** Where relative paths begin while it is open this time; `/` by default. */
  readonly cwd?: string
}

export interface OpenContainerOptions {
  /** Where relative paths begin while it is open this time; `/` by default. */
  readonly cwd?: string
  /**
   * Opens it for looking: whoever has it open goes on, and every change here is EROFS. What is shown is what was there a moment ago
   * (20 ms at most), and stays that. Contents are read when they are asked for: CONTAINER_CHANGED if they are gone by then; a file
   * of more than 64 KiB that is being written to may show newer bytes.
   */
  readonly readOnly?: boolean
}

export interface ListContainersOptions {
  /** Adds `sizeBytes` and `virtualBytes`, which have to be counted. */
  readonly size?: boolean
}

export interface InspectOptions extends ListContainersOptions {
  /** Default: a container, if there is one of that name, else an image. */
  readonly type?: 'container' | 'image'
}

/** A named writable layer over an image, with the shape of node:fs. */
export type Container = ContainerFs & ContainerExtras & ContainerWork

export interface ContainersParts extends WorkParts {
  readonly limits: Limits
  readonly catalog: Pick<ImageCatalog, 'resolve' | 'get'>
  readonly layers: LayerStore
  readonly open: OpenLayers
}

export class Containers {
  readonly #parts: ContainersParts
  readonly #containers: ContainerStore
  /** With what lets go of them when they cannot be closed. */
  readonly #opened = new Map<Container, () => Promise<void>>()
  #closed = false

  constructor(parts: ContainersParts) {
    this.#parts = parts
    this.#containers = new ContainerStore(parts.root, parts.layers, parts.limits)
  }

  /**
   * Makes a container over an image, or over nothing (`scratch`), and opens it.
   *
   * @throws IMAGE_NOT_FOUND, CONTAINER_NAME_INVALID, CONTAINER_NAME_TAKEN, STORE_READ_ONLY
   */
  async create(image: string, { name, cwd, ...bounds }: CreateOptions): Promise<Container> {
    const checked = checkBounds(bounds)
    const base =
      image === 'scratch' ? undefined : { image: (await this.#parts.catalog.resolve(image)).image, name: image }
    const wanted = { bounds: checked, ...(base && { base }), ...(name !== undefined && { name }) }
    const below: LayerHandle[] = []
    const begin = async (directory: string, created: string, top: string | undefined) => {
      below.push(...(await this.#layersOf(base?.image.config)))
      const root = rootOf(
        below.map(({ layer }) => layer),
        Date.parse(created),
      )
      await this.#uppers.make(directory, root, top)
    }
    try {
      const held = await this.#containers.create({ ...wanted, begin })
      return await this.#open(held, cwd === undefined ? {} : { cwd }).catch(async (error: unknown) => {
        await this.#containers.remove(held)
        throw error
      })
    } finally {
      await releaseAll(below)
    }
  }

  /** @throws CONTAINER_NOT_FOUND, CONTAINER_BUSY, STORE_READ_ONLY */
  async open(name: string, options: OpenContainerOptions): Promise<Container> {
    const held = await (options.readOnly ? this.#containers.look(name) : this.#containers.hold(name))
    try {
      return await this.#open(held, options)
    } catch (error) {
      await held.release()
      // It may have been removed since it was found.
      if (options.readOnly && !(await this.#isThere(held.record))) throw containerNotFound(name)
      throw error
    }
  }

  /** Newest first. */
  async list({ size }: ListContainersOptions = {}): Promise<ContainerInfo[]> {
    const infos: ContainerInfo[] = []
    for (const record of await this.#containers.list()) {
      const sizes = size ? await this.#sizesOf(record) : {}
      if (sizes !== undefined) infos.push({ ...infoOf(record), ...sizes })
    }
    return infos.sort((a, b) => Date.parse(b.created) - Date.parse(a.created))
  }

  /** Newest first. */
  async listDockers({ size }: ListContainersOptions = {}): Promise<DockerContainer[]> {
    const listed: DockerContainer[] = []
    for (const container of await dockerContainers(this.#parts.root))
      listed.push({ ...container, ...(size && (await dockerSizes(container, this.#parts))) })
    return listed.sort((a, b) => Date.parse(b.created) - Date.parse(a.created))
  }

  /** Docker's document of a container; undefined if there is none of that name. */
  async inspect(name: string, { size }: ListContainersOptions): Promise<JsonObject | undefined> {
    const record = findContainer(name, await this.#containers.list())
    if (record === undefined) return undefined
    const driver = this.#parts.layers.driver.name
    if (!size) return inspectContainer(record, driver)
    const sizes = await this.#sizesOf(record)
    return sizes && inspectContainer(record, driver, sizes)
  }

  /** @throws CONTAINER_NOT_FOUND, CONTAINER_BUSY while it is open, here or elsewhere */
  async remove(name: string): Promise<void> {
    await this.#containers.remove(await this.#containers.hold(name))
  }

  /** Closes what is open. Nothing stays so: what a container cannot write is lost then, and told. */
  async close(): Promise<void> {
    this.#closed = true
    const close = async (container: Container, abandon: () => Promise<void>) => {
      try {
        await container.close()
      } catch (error) {
        await abandon()
        throw error
      }
    }
    await together([...this.#opened].map(([container, abandon]) => close(container, abandon)))
  }

  async #layersOf(config: ImageConfig | undefined): Promise<LayerHandle[]> {
    const { layers, open } = this.#parts
    return open.acquireAll(await layers.chainOf(config?.diffIds ?? []))
  }

  async #open(held: HeldContainer, { cwd, readOnly = false }: OpenContainerOptions): Promise<Container> {
    const containers = this.#containers
    const { record } = held
    const handles = await this.#layersOf(record.config)
    try {
      const directory = await containers.upperDirectory(record)
      const lowers = async () => lowersBelow(handles.map(({ layer }) => layer))
      const upper = await (readOnly ? this.#uppers.look(directory, lowers) : this.#uppers.open(directory, lowers))
      const onClose = () => void this.#opened.delete(container)
      const { face, union, abandon } = openContainer({ held, handles, upper, containers, readOnly, cwd, onClose })
      const container: Container = Object.assign(face, containerWork(union, record, this.#parts))
      this.#opened.set(container, abandon)
      if (!this.#closed) return container
      await container.close()
      throw new PhylloError('STORE_CLOSED', `${this.#parts.root.paths.root} is closed`)
    } catch (error) {
      await releaseAll(handles)
      throw error
    }
  }

  get #uppers(): Uppers {
    return this.#parts.layers.driver.uppers
  }

  async #isThere({ id }: ContainerRecord): Promise<boolean> {
    return (await this.#containers.list()).some(record => record.id === id)
  }

  /** Undefined for a container that is gone by now. */
  async #sizesOf(record: ContainerRecord): Promise<ContainerSizes | undefined> {
    const handles: LayerHandle[] = []
    const lowers = async () => {
      handles.push(...(await this.#layersOf(record.config)))
      return lowersBelow(handles.map(({ layer }) => layer))
    }
    try {
      const upper = await this.#uppers.look(await this.#containers.upperDirectory(record), lowers)
      const chain = () => this.#parts.layers.chainOf(record.config?.diffIds ?? [])
      return await finishing(
        async () => sizesOf(upper, await chain()),
        () => upper.close(),
      )
    } catch (error) {
      if (await this.#isThere(record)) throw error
      return undefined
    } finally {
      await releaseAll(handles)
    }
  }
}
