/**
 * Layers that are open, each once however many views look at it, and closed when the last one lets go.
 *
 * Invariant: a file is open from `acquire` to `release`, so a collector that unlinks it takes nothing away from a reader.
 */
import type { Layer, LayerTar } from '../drivers/layer.js'
import type { LayerRecord } from './record.js'

export type OpenLayer = Layer & { close(): Promise<void> }

export interface LayerHandle extends AsyncDisposable {
  readonly layer: Layer
  /** Idempotent. */
  release(): Promise<void>
}

interface Entry {
  readonly opening: Promise<OpenLayer>
  users: number
}

export class OpenLayers {
  readonly #open: (record: LayerRecord) => Promise<OpenLayer>
  readonly #entries = new Map<string, Entry>()

  constructor(open: (record: LayerRecord) => Promise<OpenLayer>) {
    this.#open = open
  }

  async acquire(record: LayerRecord): Promise<LayerHandle> {
    const { cacheId } = record
    const entry = this.#entries.get(cacheId) ?? { opening: this.#open(record), users: 0 }
    this.#entries.set(cacheId, entry)
    entry.users++
    let released: Promise<void> | undefined
    const release = () => (released ??= this.#release(cacheId, entry))
    try {
      return { layer: await entry.opening, release, [Symbol.asyncDispose]: release }
    } catch (error) {
      entry.users--
      if (this.#entries.get(cacheId) === entry) this.#entries.delete(cacheId)
      throw error
    }
  }

  /** All layers of a stack, in its order; either all or none. */
  async acquireAll(records: readonly LayerRecord[]): Promise<LayerHandle[]> {
    const acquired = await Promise.allSettled(records.map(record => this.acquire(record)))
    const handles = acquired.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
    const failed = acquired.find(result => result.status === 'rejected')
    if (failed === undefined) return handles
    await releaseAll(handles)
    throw failed.reason
  }

  async #release(cacheId: string, entry: Entry): Promise<void> {
    if (--entry.users > 0) return
    if (this.#entries.get(cacheId) === entry) this.#entries.delete(cacheId)
    await (await entry.opening).close()
  }
}

/** The exact tar of a layer that is read out of it. The tars of others are their driver's to open. */
export function tarOf({ layer }: LayerHandle): LayerTar {
  if (layer.tar === undefined) throw new TypeError(`layer ${layer.diffId} is not kept as a tar`)
  return layer.tar
}

export async function releaseAll(handles: readonly LayerHandle[]): Promise<void> {
  await Promise.all(handles.map(handle => handle.release()))
}
