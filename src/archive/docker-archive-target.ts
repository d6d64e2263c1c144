/**
 * Writes images as `docker save` of Docker 25 does: an OCI layout of uncompressed layers with manifest.json beside it.
 * Docker since 1.10, podman and skopeo load it. The v1 `json` documents, which nothing refers to, are left out.
 *
 * The bytes of a layer are verified by whoever gives them: `LayerTar.readTar` checks every block it reads, so they are not
 * hashed a second time here.
 */
import type { Writable } from 'node:stream'
import type { ImageTarget, StoredImage } from '../images/target.js'
import { type DiffId, hexOf, shortId } from '../oci/digest.js'
import { type GoJsonValue, sortedMap } from '../oci/go-json.js'
import { mediaTypes } from '../oci/media-type.js'
import { familiarName, familiarRepository } from '../oci/reference.js'
import type { Content } from './archive-layout.js'
import { type WriteOptions, writeArchive } from './archive-writer.js'
import { dockerManifestMember } from './docker-archive.js'
import {
  fields,
  json,
  layoutDocument,
  mergeImages,
  ociIndex,
  ociManifest,
  tagsOf,
  type WrittenDescriptor,
} from './image-documents.js'
import { blobMember, indexMember } from './layout-names.js'

export type DockerArchiveTargetOptions = WriteOptions

export class DockerArchiveTarget implements ImageTarget {
  readonly #output: string | Writable
  readonly #options: DockerArchiveTargetOptions
  #bytesWritten = 0

  /** A path, or a stream, which is ended after the last byte unless it is the process's own output. */
  constructor(output: string | Writable, options: DockerArchiveTargetOptions = {}) {
    this.#output = output
    this.#options = options
  }

  /** Size of the archive, once `write` has resolved. */
  get bytesWritten(): number {
    return this.#bytesWritten
  }

  /** Throws OUTPUT_IO, what layers throw (STORE_CORRUPT, STORE_IO), and the signal's reason; then there is no file. */
  async write(stored: readonly StoredImage[]): Promise<void> {
    const images = mergeImages(stored).map(image => ({ image, manifest: ociManifest(image, layersOf(image)) }))
    const members = new Map<string, Buffer | Content>([
      layoutDocument,
      [indexMember, ociIndex(images, ({ tag }) => tag)],
      [dockerManifestMember, dockerManifest(images.map(({ image }) => image))],
    ])
    const repositories = repositoriesOf(stored)
    if (repositories !== undefined) members.set('repositories', repositories)
    for (const { image, manifest } of images) {
      members.set(blobMember(image.imageId), image.config)
      members.set(blobMember(manifest.descriptor.digest), manifest.bytes)
      for (const layer of image.layers) {
        const read = (position: number, into: Uint8Array) => layer.readTar(position, into)
        const subject = shortId(layer.diffId)
        members.set(blobMember(layer.diffId), { sizeBytes: layer.tarBytes, subject, layer, read })
      }
    }
    this.#bytesWritten = await writeArchive(this.#output, members, this.#options)
  }
}

function layersOf({ layers }: StoredImage): WrittenDescriptor[] {
  return layers.map(({ diffId, tarBytes }) => ({ mediaType: mediaTypes.ociLayer, digest: diffId, size: tarBytes }))
}

function dockerManifest(images: readonly StoredImage[]): Buffer {
  const ids = new Set(images.map(({ imageId }) => imageId))
  const items = images.map(image => {
    const tags = tagsOf(image).map(familiarName)
    const sources = new Map<DiffId, GoJsonValue>(layersOf(image).map(layer => [layer.digest as DiffId, fields(layer)]))
    return {
      Config: blobMember(image.imageId),
      RepoTags: tags.length === 0 ? null : tags,
      Layers: image.layers.map(({ diffId }) => blobMember(diffId)),
      Parent: image.parent !== undefined && ids.has(image.parent) ? image.parent : undefined,
      LayerSources: sources.size === 0 ? undefined : sortedMap(sources),
    }
  })
  return json(items, '\n')
}

/** Repository → tag → hex of the top layer. Undefined without tags, and an image without layers has no place in it. */
function repositoriesOf(images: readonly StoredImage[]): Buffer | undefined {
  const repositories = new Map<string, Map<string, string>>()
  for (const image of images) {
    const top = image.layers.at(-1)
    if (top === undefined) continue
    for (const reference of tagsOf(image)) {
      const name = familiarRepository(reference)
      repositories.set(name, (repositories.get(name) ?? new Map()).set(reference.tag, hexOf(top.diffId)))
    }
  }
  if (repositories.size === 0) return undefined
  return json(sortedMap(new Map([...repositories].map(([name, tags]) => [name, sortedMap(tags)]))), '\n')
}
