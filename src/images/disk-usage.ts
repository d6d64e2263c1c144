/**
 * `docker system df`: Docker's figures, which count layers by their chain and files by their length (facts of Docker's store, 9.9),
 * and what is really on the disk, which is what du(1) says of the store's directory.
 */
import { RoomMeter, totalBytes } from '../disk/usage.js'
import type { ChainId } from '../oci/digest.js'
import type { Image } from './image.js'

/** One line of `docker system df`. */
export interface DiskUsageRow {
  readonly total: number
  /** Images that containers were made from; containers that run, which none does. */
  readonly active: number
  readonly sizeBytes: number
  /** Docker's: of images, everything but what images in use have to themselves. */
  readonly reclaimableBytes: number
}

export interface ImageUsage {
  readonly image: Image
  /** Of layers that another image of the list has, too. */
  readonly sharedBytes: number
  readonly uniqueBytes: number
  readonly containers: number
}

/** What the images take, each layer once; `containers`: how many an image has. */
export function usageOfImages(
  images: readonly Image[],
  containers: (image: Image) => number,
): { readonly row: DiskUsageRow; readonly images: readonly ImageUsage[] } {
  const users = new Map<ChainId, number>()
  const sizes = new Map<ChainId, number>()
  for (const { layers } of images)
    for (const { chainId, sizeBytes } of layers) {
      users.set(chainId, (users.get(chainId) ?? 0) + 1)
      sizes.set(chainId, sizeBytes)
    }
  const usages = images.map(image => {
    const shared = image.layers.filter(({ chainId }) => users.get(chainId)! > 1)
    const sharedBytes = shared.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    return { image, sharedBytes, uniqueBytes: image.sizeBytes - sharedBytes, containers: containers(image) }
  })
  const used = usages.filter(usage => usage.containers > 0)
  const sizeBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  const usedBytes = used.reduce((sum, { uniqueBytes }) => sum + uniqueBytes, 0)
  const row = { total: images.length, active: used.length, sizeBytes, reclaimableBytes: sizeBytes - usedBytes }
  return { row, images: usages }
}

/**
 * Allocated bytes of a directory and of all that is below it, every inode once: `du -s --block-size=1`.
 *
 * @throws STORE_IO for what may not be looked at
 */
export async function bytesOnDisk(directory: string): Promise<number> {
  return totalBytes(await new RoomMeter().of([directory]))
}
