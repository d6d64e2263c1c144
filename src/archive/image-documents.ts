/** The documents that both kinds of archive have: OCI manifests and index, and which images they speak of. */

import type { StoredImage } from '../images/target.js'
import type { Digest, ImageId } from '../oci/digest.js'
import { type GoJsonValue, goJson } from '../oci/go-json.js'
import { mediaTypes } from '../oci/media-type.js'
import { canonicalName, type Reference } from '../oci/reference.js'
import { writeManifest } from '../oci/write-manifest.js'
import { containerdName, layoutMember, layoutVersion, refName } from './layout-names.js'

/** A descriptor as Go writes it. */
export interface WrittenDescriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
}

export interface WrittenManifest {
  readonly descriptor: WrittenDescriptor
  readonly bytes: Buffer
}

/** Each image once, with all references under which it was asked for, in the order given. */
export function mergeImages(images: readonly StoredImage[]): StoredImage[] {
  const merged = new Map<ImageId, StoredImage>()
  for (const image of images) {
    const before = merged.get(image.imageId)
    const references = new Map([...(before?.references ?? []), ...image.references].map(r => [canonicalName(r), r]))
    merged.set(image.imageId, { ...(before ?? image), references: [...references.values()] })
  }
  return [...merged.values()]
}

/** References that an archive can carry: those with a tag. A digest is the registry's business. */
export function tagsOf({ references }: StoredImage): Required<Pick<Reference, 'domain' | 'path' | 'tag'>>[] {
  return references.flatMap(({ domain, path, tag }) => (tag === undefined ? [] : [{ domain, path, tag }]))
}

export function ociManifest(image: StoredImage, layers: readonly WrittenDescriptor[]): WrittenManifest {
  const { bytes, mediaType, digest } = writeManifest('oci', {
    config: { digest: image.imageId, sizeBytes: image.config.length },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, sizeBytes: size })),
  })
  return { bytes, descriptor: { mediaType, digest, size: bytes.length } }
}

/** One descriptor for each tag, or one without a name for an image without tags. `nameOf` gives ref.name's value. */
export function ociIndex(
  images: readonly { readonly image: StoredImage; readonly manifest: WrittenManifest }[],
  nameOf: (reference: Reference & { readonly tag: string }) => string,
): Buffer {
  const manifests = images.flatMap(({ image, manifest: { descriptor } }): GoJsonValue[] => {
    const named = tagsOf(image).map(reference => ({
      ...fields(descriptor),
      annotations: { [containerdName]: canonicalName(reference), [refName]: nameOf(reference) },
    }))
    return named.length > 0 ? named : [fields(descriptor)]
  })
  return json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests })
}

/** `oci-layout`, as Docker and skopeo write it, with its one space. */
export const layoutDocument: readonly [string, Buffer] = [
  layoutMember,
  Buffer.from(`{"imageLayoutVersion": "${layoutVersion}"}`),
]

export function json(value: GoJsonValue, end = ''): Buffer {
  return Buffer.from(goJson(value) + end)
}

export function fields({ mediaType, digest, size }: WrittenDescriptor): Record<string, GoJsonValue> {
  return { mediaType, digest, size }
}
