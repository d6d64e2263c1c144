/** Images as registries have them, small and made up: for what looks at manifests and blobs alone. */

import type { Digest } from '../../src/oci/digest.js'
import { mediaTypes } from '../../src/oci/media-type.js'
import { type FakeRegistry, sha256 } from './fake-registry.js'

export interface MadeBlob {
  readonly bytes: Buffer
  readonly mediaType: string
}

export interface MadeIndex {
  readonly bytes: Buffer
  readonly mediaType: string
  readonly digest: Digest
}

export interface MadeManifest extends MadeIndex {
  readonly blobs: readonly MadeBlob[]
}

const described = ({ bytes, mediaType }: MadeBlob) => ({ mediaType, digest: sha256(bytes), size: bytes.length })

/** With the spacing of no serialiser, so that one that writes it anew is noticed. */
const written = (document: object) => Buffer.from(`${JSON.stringify(document, undefined, 3)}\n`)

/** A manifest whose blobs are these texts; `more` is what it has besides. */
export function madeManifest(name: string, layers: readonly (string | Buffer)[], more: object = {}): MadeManifest {
  const config = { bytes: Buffer.from(JSON.stringify({ name })), mediaType: mediaTypes.ociConfig }
  const blobs = layers.map(text => ({ bytes: Buffer.from(text), mediaType: mediaTypes.ociLayer }))
  const mediaType = mediaTypes.ociManifest
  const bytes = written({
    ...{ schemaVersion: 2, mediaType, config: described(config), layers: blobs.map(described) },
    ...more,
  })
  return { bytes, mediaType, digest: sha256(bytes), blobs: [config, ...blobs] }
}

/** An index of one image for each platform, and what else is to stand in it. */
export function madeIndex(images: Readonly<Record<string, MadeManifest>>, more: readonly object[] = []): MadeIndex {
  const manifests = Object.entries(images).map(([platform, made]) => {
    const [os, architecture] = platform.split('/')
    return { ...described(made), platform: { os, architecture } }
  })
  const mediaType = mediaTypes.ociIndex
  const bytes = written({ schemaVersion: 2, mediaType, manifests: [...manifests, ...more] })
  return { bytes, mediaType, digest: sha256(bytes) }
}

/** Puts what was made into a fake. */
export function give(
  fake: FakeRegistry,
  { bytes, mediaType, blobs = [] }: Omit<MadeManifest, 'blobs' | 'digest'> & { readonly blobs?: readonly MadeBlob[] },
  tag?: string,
): void {
  for (const blob of blobs) fake.addBlob(blob.bytes)
  fake.addManifest(bytes, { type: mediaType, ...(tag !== undefined && { tag }) })
}
