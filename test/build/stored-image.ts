/** Images as a store hands them to a target, with layers that are nothing but their tar bytes. */
import type { Layer } from '../../src/drivers/layer.js'
import type { StoredImage } from '../../src/images/target.js'
import type { DiffId, ImageId } from '../../src/oci/digest.js'
import { parseReference } from '../../src/oci/reference.js'
import { configOf, digestOf, imageIdOf, type MadeImage } from './image.js'

const notATree = (): never => {
  throw new Error('a target has no business in the tree of a layer')
}

/** `maxRead`: bytes that one readTar answers with at most, as a real one stops at the end of a block. */
export function tarLayer(tar: Buffer, maxRead = 100_000): Layer {
  return {
    diffId: digestOf(tar) as DiffId,
    inodeCount: 1,
    tarBytes: tar.length,
    lookup: notATree,
    list: notATree,
    inode: notATree,
    mode: notATree,
    opaque: notATree,
    readlink: notATree,
    xattrs: notATree,
    contentOffset: notATree,
    readSync: notATree,
    read: notATree,
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
