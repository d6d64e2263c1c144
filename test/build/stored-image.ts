/** Images as a store hands them to a target, with layers that are nothing but their tar bytes. */
import type { LayerTar } from '../../src/drivers/layer.js'
import type { StoredImage } from '../../src/images/target.js'
import type { DiffId, ImageId } from '../../src/oci/digest.js'
import { parseReference } from '../../src/oci/reference.js'
import { configOf, digestOf, imageIdOf, type MadeImage } from './image.js'

/** `maxRead`: bytes that one readTar answers with at most, as a real one stops at the end of a block. */
export function tarLayer(tar: Buffer, maxRead = 100_000): LayerTar {
  return {
    diffId: digestOf(tar) as DiffId,
    tarBytes: tar.length,
    source: { layerFile: 'none' },
    readTar: async (position, into) =>
      tar.copy(into, 0, position, Math.min(position + into.length, position + maxRead)),
  }
}

export function storedImage(made: MadeImage, parent?: MadeImage): StoredImage {
  return {
    imageId: imageIdOf(made) as ImageId,
    config: configOf(made),
    references: (made.tags ?? []).map(parseReference),
    layers: made.layers.map(tar => tarLayer(tar)),
    ...(parent && { parent: imageIdOf(parent) as ImageId }),
  }
}
