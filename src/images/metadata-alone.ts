/**
 * What Docker keeps beside an image config (parent, time of the last tag), where there is no config any more: the trace of somebody
 * who died while an image was removed, or was tagged at the same time.
 *
 * Invariant: whoever writes such metadata has a lease for the image, so the second look sees the lease or the config.
 */
import { ifThere } from '../disk/io.js'
import type { Root } from '../disk/root.js'
import { type ImageId, isDigest } from '../oci/digest.js'
import type { ImageStore } from './image-store.js'

/** Images that have metadata and nothing else. */
export async function metadataAlone(root: Root, images: ImageStore): Promise<ImageId[]> {
  const { io, paths } = root
  const needed = await neededMetadata(root, images)
  return ((await ifThere(io.readdir(paths.imageMetadatas))) ?? [])
    .map(name => `sha256:${name}`)
    .filter((id): id is ImageId => isDigest(id) && !needed.has(id as ImageId))
    .sort()
}

/** Takes it to the trash; false when it has gone by itself, or somebody needs it after all. */
export function takeMetadata(root: Root, images: ImageStore, id: ImageId): Promise<boolean> {
  return root.withLock(async () => {
    const aside = await root.setAside(root.paths.imageMetadata(id))
    if (aside === undefined) return false
    let needed = true
    try {
      needed = (await neededMetadata(root, images)).has(id)
    } finally {
      if (needed) await root.restore(aside)
    }
    return !needed && (await root.condemn(aside))
  })
}

/** Leases first, then images, also those that somebody has set aside. */
async function neededMetadata(root: Root, images: ImageStore): Promise<Set<ImageId>> {
  const leased = (await root.readLeases()).images
  return new Set([...leased, ...(await images.listAll())])
}
