/**
 * Blobs that were kept as they came, `blobs/<algorithm>/<digest>`: each for as long as a layer lives that it is. They are copies: what goes
 * too early is fetched, or compressed, once more.
 */
import { ifThere } from '../disk/io.js'
import type { Root } from '../disk/root.js'
import type { BlobNotes } from '../layers/blob-notes.js'
import type { LayerStore } from '../layers/layer-store.js'
import { type ChainId, type DiffId, type Digest, isDigest } from '../oci/digest.js'

/** Those of which no layer lives: none that is leased, and none of the store but for `gone`. */
export async function blobsAlone(
  root: Root,
  layers: LayerStore,
  notes: BlobNotes,
  gone: ReadonlySet<ChainId>,
): Promise<Digest[]> {
  const blobs = await keptBlobs(root)
  if (blobs.length === 0) return []
  const living = new Set<string>((await root.readLeases()).diffIds)
  for (const { chainId, diffId } of await layers.list()) if (!gone.has(chainId)) living.add(diffId)
  const alone: Digest[] = []
  for (const blob of blobs) {
    // One that is not compressed is its layer itself.
    const diffId: DiffId | Digest = (await notes.diffIdOf(blob)) ?? blob
    if (!living.has(diffId)) alone.push(blob)
  }
  return alone
}

/** All of them, in order. What has no digest for a name is not ours. */
async function keptBlobs({ io, paths }: Root): Promise<Digest[]> {
  const found: Digest[] = []
  for (const algorithm of ['sha256', 'sha512'])
    for (const name of ((await ifThere(io.readdir(paths.below(paths.blobs, algorithm)))) ?? []).sort()) {
      const digest: unknown = `${algorithm}:${name}`
      if (isDigest(digest)) found.push(digest)
    }
  return found
}
