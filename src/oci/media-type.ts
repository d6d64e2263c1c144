/** Media types of the OCI image spec and of Docker's schema 2, and what each of them is. */

export const mediaTypes = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerLayerZstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
  dockerForeignLayer: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
} as const

export type ManifestKind = 'index' | 'manifest' | 'schema1'

const manifestKinds = new Map<string, ManifestKind>([
  [mediaTypes.ociIndex, 'index'],
  [mediaTypes.dockerList, 'index'],
  [mediaTypes.ociManifest, 'manifest'],
  [mediaTypes.dockerManifest, 'manifest'],
  ['application/vnd.docker.distribution.manifest.v1+json', 'schema1'],
  ['application/vnd.docker.distribution.manifest.v1+prettyjws', 'schema1'],
])

/** Of a manifest's or index's media type; undefined for every other type. */
export function manifestKindOf(mediaType: string): ManifestKind | undefined {
  return manifestKinds.get(mediaType)
}

/** The last five were written for image configs by clients of old, and Docker takes them still. */
const configTypes = new Set<string>([
  mediaTypes.ociConfig,
  mediaTypes.dockerConfig,
  'application/octet-stream',
  'application/json',
  'text/plain',
  'text/html',
  '',
])

export function isImageConfigType(mediaType: string): boolean {
  return configTypes.has(mediaType)
}

const layerTypes = new Set<string>([
  mediaTypes.ociLayer,
  mediaTypes.ociLayerGzip,
  mediaTypes.ociLayerZstd,
  mediaTypes.dockerLayer,
  mediaTypes.dockerLayerGzip,
  mediaTypes.dockerLayerZstd,
])

/** Layers whose bytes may be elsewhere, behind the descriptor's `urls`. */
const foreignLayerTypes = new Set<string>([
  mediaTypes.dockerForeignLayer,
  'application/vnd.oci.image.layer.nondistributable.v1.tar',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd',
])

/** What the type says of compression is not believed: the bytes are sniffed. */
export function isLayerType(mediaType: string): boolean {
  return layerTypes.has(mediaType) || foreignLayerTypes.has(mediaType)
}

export function isForeignLayerType(mediaType: string): boolean {
  return foreignLayerTypes.has(mediaType)
}
