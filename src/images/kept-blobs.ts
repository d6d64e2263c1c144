/**
 * Blobs that were kept as they came, `blobs/<algorithm>/<digest>`: a layer for as long as it lives, a manifest or index for as long as an
 * image is known by it. They are copies: what goes too early is fetched, compressed or written once more.
 */
import { ifThere } from '../disk/io.js'
import type { Root } from '../disk/root.js'
import { PhylloError } from '../errors.js'
import type { BlobNotes } from '../layers/blob-notes.js'
import type { LayerStore } from '../layers/layer-store.js'
import type { Limits } from '../limits.js'
import { type ChainId, type DiffId, type Digest, isDigest } from '../oci/digest.js'
import { parseManifestOrIndex } from '../oci/index-manifest.js'
import type { ReferenceStore } from './reference-store.js'

export interface KeptBlobsParts {
  readonly root: Root
  readonly layers: LayerStore
  readonly blobNotes: BlobNotes
  readonly references: ReferenceStore
  readonly limits: Limits
}

/** Those that nothing lives for: no layer that is leased, none of the store but for `gone`, no name. */
export async function blobsAlone(parts: KeptBlobsParts, gone: ReadonlySet<ChainId>): Promise<Digest[]> {
  const { root, layers, blobNotes: notes } = parts
  const blobs = await keptBlobs(root)
  if (blobs.length === 0) return []
  const named = await namedDocuments(parts)
  const living = new Set<string>((await root.readLeases()).diffIds)
  for (const { chainId, diffId } of await layers.list()) if (!gone.has(chainId)) living.add(diffId)
  const alone: Digest[] = []
  for (const blob of blobs) {
    // One that is not compressed is its layer itself.
    const diffId: DiffId | Digest = (await notes.diffIdOf(blob)) ?? blob
    if (!living.has(diffId) && !named.has(blob)) alone.push(blob)
  }
  return alone
}

/** What images are known by, and what is in an index of these. */
async function namedDocuments({ root, references, limits }: KeptBlobsParts): Promise<Set<Digest>> {
  const named = new Set((await references.list()).flatMap(({ reference }) => reference.digest ?? []))
  for (const digest of [...named]) {
    try {
      const bytes = await ifThere(root.io.readFile(root.paths.blob(digest), limits.jsonBytes))
      const document = bytes && parseManifestOrIndex(bytes, { limits, what: digest })
      if (document?.kind === 'index') for (const child of document.manifests) named.add(child.digest)
    } catch (error) {
      // What cannot be read has nothing in it.
      if (!(error instanceof PhylloError)) throw error
    }
  }
  return named
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
