/** What a store takes: its images, its containers, and the disk. */
import type { Root } from '../disk/root.js'
import { bytesOnDisk, type DiskUsageRow, type ImageUsage, usageOfImages } from '../images/disk-usage.js'
import type { ImageCatalog } from '../images/image-catalog.js'
import type { LayerStore } from '../layers/layer-store.js'
import type { Limits } from '../limits.js'
import type { ImageId } from '../oci/digest.js'
import type { OperationContext } from '../operation.js'
import { ContainerStore } from './container-store.js'
import { imageUsers } from './image-users.js'
import type { ContainerInfo } from './record.js'

export interface DiskUsage {
  readonly images: DiskUsageRow & { readonly list: readonly ImageUsage[] }
  readonly containers: DiskUsageRow & { readonly list: readonly ContainerInfo[] }
  /** Allocated bytes of the store's directory and of all that is below it: what `du -s --block-size=1` says of it. */
  readonly diskBytes: number
}

export interface DiskUsageOptions {
  readonly signal?: AbortSignal
}

export interface DiskUsageParts {
  readonly root: Root
  readonly layers: LayerStore
  readonly catalog: Pick<ImageCatalog, 'list'>
  readonly limits: Limits
  /** Newest first, with their sizes. */
  readonly containers: () => Promise<readonly ContainerInfo[]>
}

export async function diskUsage(parts: DiskUsageParts, op: OperationContext): Promise<DiskUsage> {
  const { root, layers, limits } = parts
  const images = await op.stage('images', () => parts.catalog.list({}))
  const users = await imageUsers(root, new ContainerStore(root, layers, limits))
  const counts = new Map<ImageId, number>()
  for (const { imageId } of users) counts.set(imageId, (counts.get(imageId) ?? 0) + 1)
  const ofImages = usageOfImages(images, ({ id }) => counts.get(id) ?? 0)
  op.signal.throwIfAborted()
  const list = await op.stage('containers', parts.containers)
  const sizeBytes = list.reduce((sum, container) => sum + (container.sizeBytes ?? 0), 0)
  op.signal.throwIfAborted()
  const diskBytes = await op.stage('disk', () => bytesOnDisk(root.paths.root))
  return {
    images: { ...ofImages.row, list: ofImages.images },
    containers: { total: list.length, active: 0, sizeBytes, reclaimableBytes: sizeBytes, list },
    diskBytes,
  }
}
