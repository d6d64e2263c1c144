/**
 * Layers that are open, each once however many views look at it, and closed when the last one lets go.
 *
 * Invariant: a file is open from `acquire` to `release`, so a collector that unlinks it takes nothing away from a reader.
 */
import type { Driver, OpenLayer, TarOptions } from '../drivers/driver.js'
import type { Layer, LayerTar } from '../drivers/layer.js'
import { inTurn, together } from '../endings.js'
import { callLimit } from '../native/call-limit.js'
import type { LayerRecord } from './record.js'

/** Tars whose size has to be counted take some MiB each meanwhile. */
const countedAtOnce = 4

export interface LayerHandle extends AsyncDisposable {
  readonly layer: Layer
  /** Idempotent. */
  release(): Promise<void>
}

/** The exact tar of a layer, which is held for as long. */
export interface TarHandle {
  readonly tar: LayerTar
  /** Idempotent. */
  release(): Promise<void>
}

interface Entry {
  readonly opening: Promise<OpenLayer>
  users: number
}

export class OpenLayers {
  readonly #driver: Pick<Driver, 'open' | 'openTar'>
  readonly #entries = new Map<string, Entry>()

  constructor(driver: Pick<Driver, 'open' | 'openTar'>) {
    this.#driver = driver
  }

  async acquire(record: LayerRecord): Promise<LayerHandle> {
    const { cacheId } = record
    const entry = this.#entries.get(cacheId) ?? { opening: this.#driver.open(record), users: 0 }
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
  acquireAll(records: readonly LayerRecord[]): Promise<LayerHandle[]> {
    return allOrNone(records.map(record => this.acquire(record)))
  }

  /** The same of their tars. */
  acquireTars(records: readonly LayerRecord[], options?: TarOptions): Promise<TarHandle[]> {
    const turn = callLimit(countedAtOnce)
    return allOrNone(records.map(record => turn(() => this.acquireTar(record, options))))
  }

  /** Where the tar is what the layer is read out of, that one. */
  async acquireTar(record: LayerRecord, options?: TarOptions): Promise<TarHandle> {
    const { layer, release } = await this.acquire(record)
    if (layer.tar !== undefined) return { tar: layer.tar, release }
    try {
      const tar = await this.#driver.openTar(record, options)
      return { tar, release: () => inTurn([() => tar.close(), release]) }
    } catch (error) {
      await release()
      throw error
    }
  }

  async #release(cacheId: string, entry: Entry): Promise<void> {
    if (--entry.users > 0) return
    if (this.#entries.get(cacheId) === entry) this.#entries.delete(cacheId)
    await (await entry.opening).close()
  }
}

async function allOrNone<H extends { release(): Promise<void> }>(handles: readonly Promise<H>[]): Promise<H[]> {
  const acquired = await Promise.allSettled(handles)
  const held = acquired.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  const failed = acquired.find(result => result.status === 'rejected')
  if (failed === undefined) return held
  await releaseAll(held).catch(() => undefined)
  throw failed.reason
}

export async function releaseAll(handles: readonly { release(): Promise<void> }[]): Promise<void> {
  await together(handles.map(handle => handle.release()))
}
