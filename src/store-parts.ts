/** What a store is composed of. Nothing of it starts a thread before somebody asks for the workers. */
import type { Root } from './disk/root.js'
import { Space } from './disk/space.js'
import type { Registries } from './distribution/connect.js'
import { Downloads } from './distribution/downloads.js'
import type { Mirrors } from './distribution/mirrors.js'
import type { Driver } from './drivers/driver.js'
import type { Layer } from './drivers/layer.js'
import { inTurn } from './endings.js'
import type { CopyTarget } from './images/copy.js'
import { ImageCatalog } from './images/image-catalog.js'
import { ImageStore } from './images/image-store.js'
import { ReferenceStore } from './images/reference-store.js'
import { Views } from './images/views.js'
import { BlobNotes } from './layers/blob-notes.js'
import { LayerStore } from './layers/layer-store.js'
import { OpenLayers } from './layers/open-layers.js'
import { defaultLimits, type Limits } from './limits.js'
import type { ContentSource } from './pool/jobs.js'
import { Pool } from './pool/pool.js'
import type { RegistryClient } from './registry/client.js'
import type { StoreOptions } from './store-options.js'

export class StoreParts {
  readonly root: Root
  readonly limits: Limits
  /** On the disk of the store. */
  readonly space: Space
  readonly images: ImageStore
  readonly references: ReferenceStore
  readonly layers: LayerStore
  readonly blobNotes: BlobNotes
  readonly downloads: Downloads
  readonly open: OpenLayers
  readonly catalog: ImageCatalog
  readonly views: Views
  readonly contentSource: (layer: Layer) => ContentSource
  /** For whoever may need none of them. */
  readonly pool: () => Pool = () => this.workers()
  readonly #options: StoreOptions
  #pool: Pool | undefined
  #registries: Promise<Registries> | undefined

  constructor(root: Root, driver: Driver, options: StoreOptions) {
    this.root = root
    this.limits = { ...defaultLimits, ...options.limits }
    this.#options = options
    this.space = new Space({
      io: root.io,
      path: root.paths.root,
      limits: this.limits,
      countsInodes: root.paths.driver === 'overlay2',
    })
    const images = new ImageStore(root, this.limits)
    const references = new ReferenceStore(root)
    const layers = new LayerStore(root, driver)
    const open = new OpenLayers(driver)
    this.blobNotes = new BlobNotes(root)
    const { concurrentDownloads: atOnce = 3, blobs = 'drop' } = options
    if (blobs !== 'keep' && blobs !== 'drop') throw new TypeError(`blobs: ${String(blobs)} is not keep or drop`)
    this.downloads = new Downloads({ root, pool: this.pool }, { atOnce, keep: blobs === 'keep' })
    const catalog = new ImageCatalog({ images, references, layers, open })
    this.images = images
    this.references = references
    this.layers = layers
    this.open = open
    this.catalog = catalog
    this.views = new Views({ layers, open, catalog })
    this.contentSource = layer => driver.contentSource(layer)
  }

  /** Where images are copied to. */
  copyTarget(): CopyTarget {
    const { layers, images, references, limits, space } = this
    return { layers, images, references, limits, space, pool: this.workers() }
  }

  workers(): Pool {
    const { pool, workers, workersDir } = this.#options
    if (pool !== undefined) return pool
    return (this.#pool ??= new Pool({ ...(workers !== undefined && { workers }), ...(workersDir && { workersDir }) }))
  }

  /** Loaded when the first registry is asked; one for the life of the store, which keeps connections and tokens. */
  async registries(): Promise<RegistryClient> {
    return (await this.connected()).client
  }

  /** What pulls ask before a registry. */
  async mirrors(): Promise<Mirrors> {
    return (await this.connected()).mirrors
  }

  /** The same with all that belongs to it. Where that failed (a daemon.json that cannot be read), the next call tries again. */
  connected(): Promise<Registries> {
    this.#registries ??= import('./distribution/connect.js')
      .then(({ connect }) => connect(this.#options.registry ?? {}, this.limits))
      .catch(error => {
        this.#registries = undefined
        throw error
      })
    return this.#registries
  }

  /** Connections, views, its own threads, the root. */
  async close(): Promise<void> {
    const registries = await this.#registries?.catch(() => undefined)
    await inTurn([
      () => registries?.client.close(),
      () => this.views.close(),
      () => this.#pool?.close(),
      () => this.root.close(),
    ])
  }
}
