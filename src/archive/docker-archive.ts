/**
 * Images of a docker-archive, as `docker save` writes it: `manifest.json` names each image's config and layers by
 * archive member. Both layouts are read: the legacy one (`<v1 id>/layer.tar`, links between them) and the OCI-compatible
 * one (`blobs/sha256/…`). Where `index.json` stands beside it, manifest.json decides, as it does for `docker load`.
 *
 * Invariants:
 * - An image's id is the digest of its config's bytes; the member's name means nothing.
 * - A layer member that is not there gives a layer without a range: fine while the store has that layer.
 */
import { printable } from '../byte-string.js'
import { PhylloError } from '../errors.js'
import type { SourceImage, SourceLayer } from '../images/source.js'
import type { Limits } from '../limits.js'
import { type ImageConfig, parseImageConfig } from '../oci/config.js'
import { type ImageId, sha256Digest } from '../oci/digest.js'
import { type DockerManifestItem, parseDockerManifest } from '../oci/docker-manifest.js'
import { matchPlatform, type Platform, selectPlatform } from '../oci/platform.js'
import { parseReference, type Reference } from '../oci/reference.js'
import { type ArchiveContent, readNeeded } from './content.js'

export const dockerManifestMember = 'manifest.json'

interface Item {
  readonly manifest: DockerManifestItem
  readonly imageId: ImageId
  readonly bytes: Buffer
  readonly config: ImageConfig
}

/** Throws ARCHIVE_INVALID, MANIFEST_INVALID, CONFIG_INVALID, REFERENCE_INVALID, PLATFORM_NOT_FOUND or LIMIT_EXCEEDED. */
export async function dockerImages(
  content: ArchiveContent,
  limits: Limits,
  platform: Platform | undefined,
): Promise<SourceImage[]> {
  const what = `${content.name}: ${dockerManifestMember}`
  const bytes = await readNeeded(content, dockerManifestMember, 'it says which images there are')
  const items: Item[] = []
  for (const manifest of parseDockerManifest(bytes, { limits, what }))
    items.push(await readItem(content, limits, manifest))
  const wanted = platform === undefined ? items : items.filter(({ config }) => matchPlatform(platform, config))
  if (platform !== undefined && wanted.length === 0 && items.length > 0)
    selectPlatform(
      items.map(({ config }) => ({ platform: config })),
      platform,
      content.name,
    )
  const parents = new Map(wanted.map(item => [item.imageId, item]))
  const images: SourceImage[] = []
  for (const item of wanted) images.push(await imageOf(content, item, parents))
  return images
}

async function readItem(content: ArchiveContent, limits: Limits, manifest: DockerManifestItem): Promise<Item> {
  const member = printable(manifest.config)
  const what = `${content.name}: ${member}`
  const bytes = await readNeeded(content, manifest.config, `${dockerManifestMember} names it as the config of an image`)
  const config = parseImageConfig(bytes, { limits, what })
  const [expected, got] = [manifest.layers.length, config.diffIds.length]
  if (expected !== got) {
    const reason = `invalid manifest, layers length mismatch: expected ${expected}, got ${got}`
    throw new PhylloError('MANIFEST_INVALID', `${what}: ${reason}`, { member, expected, seen: got })
  }
  return { manifest, imageId: sha256Digest<ImageId>(bytes), bytes, config }
}

async function imageOf(content: ArchiveContent, item: Item, all: ReadonlyMap<ImageId, Item>): Promise<SourceImage> {
  const { manifest, imageId, bytes, config } = item
  const layers: SourceLayer[] = []
  for (const [index, member] of manifest.layers.entries()) {
    const range = await content.range(member)
    layers.push({ diffId: config.diffIds[index]!, member, ...(range && { range }) })
  }
  // A parent that is not in the archive is left out, and so is one's own self: what docker load does.
  const parent = manifest.parent === imageId ? undefined : all.get(manifest.parent as ImageId)
  if (parent !== undefined) checkParent(content, item, parent)
  return {
    imageId,
    config: bytes,
    references: manifest.repoTags.map(tag => tagged(content, tag)),
    ...(parent && { parent: parent.imageId }),
    layers,
  }
}

function tagged(content: ArchiveContent, text: string): Reference {
  const reference = parseReference(text)
  if (reference.tag !== undefined && reference.digest === undefined) return reference
  const reason = reference.tag === undefined ? 'has no tag' : 'has a digest'
  throw new PhylloError(
    'REFERENCE_INVALID',
    `${content.name}: ${dockerManifestMember}: RepoTags: ${printable(text)} ${reason}`,
  )
}

/** A child's history is its parent's and one entry more, or neither has one. */
function checkParent(content: ArchiveContent, child: Item, parent: Item): void {
  const [mine, theirs] = [historyOf(child), historyOf(parent)]
  if (mine.length === 0 && theirs.length === 0) return
  if (mine.length === theirs.length + 1 && theirs.every((entry, at) => entry === mine[at])) return
  const reason = `Parent ${parent.imageId} of ${child.imageId} is not one: the histories do not continue`
  throw new PhylloError('MANIFEST_INVALID', `${content.name}: ${dockerManifestMember}: ${reason}`)
}

function historyOf({ config }: Item): string[] {
  return config.history.map(entry =>
    JSON.stringify([entry.created, entry.createdBy, entry.author, entry.comment, entry.emptyLayer]),
  )
}
