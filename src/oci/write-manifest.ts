/**
 * The manifest of an image, byte for byte as others write it, so that the same image has the same digest whoever sends it: Docker's
 * schema 2 as `docker push` does (three spaces, sizes before digests), OCI's as skopeo and containers/image do.
 */
import type { Descriptor } from './descriptor.js'
import { type Digest, type ImageId, sha256Digest } from './digest.js'
import { goJson } from './go-json.js'
import { mediaTypes } from './media-type.js'

export type ManifestFormat = 'docker' | 'oci'

/** How the bytes of a layer are compressed. */
export type LayerForm = 'gzip' | 'zstd' | 'plain'

/** A manifest and what it is called by. */
export interface WrittenManifest {
  readonly bytes: Buffer
  readonly mediaType: string
  readonly digest: Digest
}

const layerTypes = {
  docker: {
    gzip: mediaTypes.dockerLayerGzip,
    plain: mediaTypes.dockerLayer,
    // Seen, and in nobody's specification.
    zstd: mediaTypes.dockerLayerZstd,
  },
  oci: { gzip: mediaTypes.ociLayerGzip, plain: mediaTypes.ociLayer, zstd: mediaTypes.ociLayerZstd },
} as const satisfies Record<ManifestFormat, Record<LayerForm, string>>

export function layerType(format: ManifestFormat, form: LayerForm): string {
  return layerTypes[format][form]
}

type Described = Pick<Descriptor, 'mediaType' | 'digest' | 'sizeBytes'>

export interface ManifestParts {
  readonly config: { readonly digest: ImageId; readonly sizeBytes: number }
  /** Base first. */
  readonly layers: readonly Described[]
}

export function writeManifest(format: ManifestFormat, { config, layers }: ManifestParts): WrittenManifest {
  const isOci = format === 'oci'
  const mediaType = isOci ? mediaTypes.ociManifest : mediaTypes.dockerManifest
  const configType = isOci ? mediaTypes.ociConfig : mediaTypes.dockerConfig
  const fields = ({ mediaType, digest, sizeBytes: size }: Described) =>
    isOci ? { mediaType, digest, size } : { mediaType, size, digest }
  const document = {
    schemaVersion: 2,
    mediaType,
    config: fields({ mediaType: configType, ...config }),
    layers: layers.map(fields),
  }
  // No character of it is one that Go escapes.
  const bytes = Buffer.from(isOci ? goJson(document) : JSON.stringify(document, null, 3))
  return { bytes, mediaType, digest: sha256Digest(bytes) }
}
