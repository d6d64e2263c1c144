/** Views of the images of one store: each holds its layers until it is closed, whatever happens to the image. */
import { inTurn, together } from '../endings.js'
import type { LayerStore } from '../layers/layer-store.js'
import { type OpenLayers, releaseAll } from '../layers/open-layers.js'
import type { View } from '../overlay/face/view.js'
import type { ImageCatalog } from './image-catalog.js'

export interface ViewsParts {
  readonly layers: LayerStore
  readonly open: OpenLayers
  readonly catalog: ImageCatalog
}

export class Views {
  readonly #parts: ViewsParts
  readonly #views = new Set<View>()

  constructor(parts: ViewsParts) {
    this.#parts = parts
  }

  /** @throws IMAGE_NOT_FOUND, STORE_CORRUPT */
  async open(name: string, cwd: string | undefined): Promise<View> {
    const { layers, open, catalog } = this.#parts
    const [{ createView }, { image }] = await Promise.all([import('../overlay/face/view.js'), catalog.resolve(name)])
    const { diffIds } = image.config
    const lease = await layers.lease({ stacks: [diffIds] })
    try {
      const handles = await open.acquireAll(await layers.chainOf(diffIds))
      const onClose = async () => {
        this.#views.delete(view)
        await inTurn([() => releaseAll(handles), () => lease.release()])
      }
      const opened = handles.map(({ layer }) => layer)
      const view = createView(opened, { label: name, onClose, ...(cwd !== undefined && { cwd }) })
      this.#views.add(view)
      return view
    } catch (error) {
      await lease.release()
      throw error
    }
  }

  async close(): Promise<void> {
    await together([...this.#views].map(view => view.close()))
  }
}
