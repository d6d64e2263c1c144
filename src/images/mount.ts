/** An image of an overlay2 store mounted by the kernel. */
import type { StorePaths } from '../disk/paths.js'
import { mountLayers } from '../drivers/overlay2/mount.js'
import { PhylloError } from '../errors.js'
import type { LayerStore } from '../layers/layer-store.js'
import type { ImageCatalog } from './image-catalog.js'

export interface MountSource {
  readonly layers: LayerStore
  readonly catalog: ImageCatalog
  readonly paths: StorePaths
}

/** @throws DRIVER_MISMATCH, IMAGE_NOT_FOUND, LIMIT_EXCEEDED, MOUNT_FAILED */
export async function mountImage(name: string, directory: string, from: MountSource): Promise<void> {
  const { driver, root, content } = from.paths
  if (driver !== 'overlay2') {
    const reason = `its layers are files, which no kernel mounts (driver ${driver}): unpack the image, or use a store of driver overlay2`
    throw new PhylloError('DRIVER_MISMATCH', `${root}: ${reason}`, { path: root })
  }
  const { image } = await from.catalog.resolve(name)
  const { diffIds } = image.config
  if (diffIds.length === 0)
    throw new PhylloError('MOUNT_FAILED', `${name}: has no layers`, { operation: 'mount', path: directory })
  // For the time of the call: from then on the mount itself says what it stands on
  await using _lease = await from.layers.lease({ stacks: [diffIds], images: [image.id] })
  const records = await from.layers.chainOf(diffIds)
  await mountLayers({ home: content, cacheIds: records.map(({ cacheId }) => cacheId).reverse() }, directory)
}
