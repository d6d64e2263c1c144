/** Opens layers of the packed driver; all that one opener opens share their decompressed blocks. */
import type { BlockCache } from '../layerfile/block-cache.js'
import type { LayerStore } from './layer-store.js'
import type { OpenLayer } from './open-layers.js'
import type { LayerRecord } from './record.js'

export function packedOpener(layers: LayerStore): (record: LayerRecord) => Promise<OpenLayer> {
  let cache: BlockCache | undefined
  return async record => {
    const [{ BlockCache }, { openPackedLayer }] = await Promise.all([
      import('../layerfile/block-cache.js'),
      import('../drivers/packed/packed-layer.js'),
    ])
    cache ??= new BlockCache()
    return openPackedLayer(layers.contentPath(record), { cache })
  }
}
