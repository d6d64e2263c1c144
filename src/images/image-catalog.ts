/** Images read as their users see them: configs, references and layers of one store put together. */
import { together } from '../endings.js'
import type { LayerStore } from '../layers/layer-store.js'
import type { OpenLayers } from '../layers/open-layers.js'
import type { LayerRecord } from '../layers/record.js'
import type { ImageId } from '../oci/digest.js'
import { parseReference, withDefaultTag } from '../oci/reference.js'
import { type HistoryItem, Image, ImageLayer, namesOf } from './image.js'
import type { ImageRecord, ImageStore } from './image-store.js'
import { type Association, checkTaggable, type ReferenceStore } from './reference-store.js'
import { imageNotFound, type Resolved, resolveImage } from './resolve.js'

export interface CatalogParts {
  readonly images: ImageStore
  readonly references: ReferenceStore
  readonly layers: LayerStore
  readonly open: OpenLayers
}

export interface ListOptions {
  /** Also images without a name that others are built on. */
  readonly all?: boolean
  /** `name=value` words of `docker images --filter`: dangling, label, before, since, reference, until. */
  readonly filters?: readonly string[]
}

export class ImageCatalog {
  readonly #parts: CatalogParts

  constructor(parts: CatalogParts) {
    this.#parts = parts
  }

  /** Newest first. */
  async list({ all = false, filters = [] }: ListOptions): Promise<Image[]> {
    const { filterImages, parseListFilters } = await import('./filter.js')
    const parsed = parseListFilters(filters)
    const { images, references, layers } = this.#parts
    const associations = groupByImage(await references.list())
    const records = await images.getAll(await images.list())
    const chains = await layers.chainsOf(records.map(({ config }) => config.diffIds))
    const put = records.map((record, at) => {
      const [own, chain] = [associations.get(record.id) ?? [], chains[at]]
      return chain === undefined ? this.#ifThere(record, own) : this.#imageOf(record, own, chain)
    })
    const listed = (await together(put)).filter(image => image !== undefined)
    const created = new Map(listed.map(image => [image, Date.parse(image.config.created ?? '') || 0]))
    listed.sort((a, b) => created.get(b)! - created.get(a)!)
    return filterImages({ images: listed, all, filters: parsed, resolve: name => this.find(name) })
  }

  /** The image that a reference, an id or the beginning of an id names. */
  async find(name: string): Promise<Image | undefined> {
    const found = await resolveImage(name, this.#parts.images, this.#parts.references)
    return found && this.#put(found.image, await this.#parts.references.list())
  }

  /** Undefined for an image that is not there. */
  async history(name: string): Promise<HistoryItem[] | undefined> {
    const { historyOf } = await import('./history.js')
    const image = await this.find(name)
    return image && historyOf(image, id => this.find(id))
  }

  /** The stored image that a name means. @throws IMAGE_NOT_FOUND */
  async resolve(name: string): Promise<Resolved> {
    const found = await resolveImage(name, this.#parts.images, this.#parts.references)
    if (found === undefined) throw imageNotFound(name)
    return found
  }

  /** Gives a reference to an image, taking it from whichever had it. */
  async tag(source: string, target: string): Promise<void> {
    const { images, references, layers } = this.#parts
    const reference = withDefaultTag(parseReference(target))
    checkTaggable(reference)
    const { image } = await this.resolve(source)
    await using _lease = await layers.lease({ stacks: [image.config.diffIds], images: [image.id] })
    if (!(await images.has(image.id))) throw imageNotFound(source)
    await references.tag(reference, image.id)
    await images.touch(image.id)
  }

  /** `chain`: its layers, base first, as they were just now. */
  async get(id: ImageId, chain: readonly LayerRecord[]): Promise<Image> {
    const record = await this.#parts.images.get(id)
    if (record === undefined) throw imageNotFound(id)
    return this.#imageOf(record, await this.#parts.references.list(), chain)
  }

  /** Undefined for one that somebody has removed since it was read: then its layers are gone as well. */
  async #ifThere(record: ImageRecord, associations: readonly Association[]): Promise<Image | undefined> {
    try {
      return await this.#put(record, associations)
    } catch (error) {
      if (await this.#parts.images.has(record.id)) throw error
      return undefined
    }
  }

  async #put(record: ImageRecord, associations: readonly Association[]): Promise<Image> {
    return this.#imageOf(record, associations, await this.#parts.layers.chainOf(record.config.diffIds))
  }

  #imageOf(record: ImageRecord, associations: readonly Association[], chain: readonly LayerRecord[]): Image {
    const { open, layers } = this.#parts
    const { driver } = layers
    const graph = { Data: driver.graphData(chain.map(({ cacheId }) => cacheId).toReversed()), Name: driver.name }
    const opened = chain.map(layer => new ImageLayer(layer, open))
    return new Image(record, namesOf(record.id, associations), opened, graph)
  }
}

function groupByImage(associations: readonly Association[]): Map<ImageId, Association[]> {
  const groups = new Map<ImageId, Association[]>()
  for (const association of associations) {
    const group = groups.get(association.imageId)
    if (group === undefined) groups.set(association.imageId, [association])
    else group.push(association)
  }
  return groups
}
