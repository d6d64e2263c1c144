/** Names of an OCI image layout: members, version, annotations (image-spec image-layout.md, annotations.md). */
import { algorithmOf, type Digest, hexOf } from '../oci/digest.js'

export const layoutMember = 'oci-layout'
export const layoutVersion = '1.0.0'
export const indexMember = 'index.json'

/** containerd and Docker: the whole canonical name. */
export const containerdName = 'io.containerd.image.name'
/** image-spec: a name within the layout. skopeo and podman write `app:v1`, Docker and BuildKit the tag alone. */
export const refName = 'org.opencontainers.image.ref.name'

/** Where the layout keeps the blob. Safe as a path: a digest is `sha256` or `sha512` and hex digits. */
export function blobMember(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest)}`
}
