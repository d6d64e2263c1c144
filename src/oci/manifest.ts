/** Image manifests: OCI image-spec manifest.md and Docker's image manifest version 2, schema 2. */
import { limitError } from '../limits.js'
import { type Descriptor, type DocumentOptions, parseDescriptor } from './descriptor.js'
import { type Document, readDocument } from './document.js'
import { asArray, inside, own, refuseField, stringField, stringMapField } from './json-field.js'

export interface ImageManifest {
  readonly kind: 'manifest'
  readonly mediaType: string
  readonly config: Descriptor
  /** Base first. */
  readonly layers: readonly Descriptor[]
  readonly annotations?: Readonly<Record<string, string>>
  readonly subject?: Descriptor
  readonly artifactType?: string
}

/**
 * An image manifest from its bytes. Throws MANIFEST_INVALID, MANIFEST_AMBIGUOUS, DIGEST_SYNTAX or LIMIT_EXCEEDED. That
 * the bytes hash to what they were asked for is the caller's to check, before (`verifyBytes`).
 */
export function parseImageManifest(bytes: Uint8Array, options: DocumentOptions): ImageManifest {
  return imageManifestOf(readDocument(bytes, options), options)
}

export function imageManifestOf({ kind, mediaType, object, where }: Document, options: DocumentOptions): ImageManifest {
  if (kind !== 'manifest') refuseField(where, 'is an index, not an image manifest')
  const layers = asArray(own(object, 'layers') ?? [], inside(where, 'layers'))
  const { imageLayers } = options.limits
  if (layers.length > imageLayers) throw limitError('imageLayers', imageLayers, layers.length, where.what)
  const annotations = stringMapField(object, 'annotations', where)
  const subject = own(object, 'subject')
  const artifactType = stringField(object, 'artifactType', where)
  return {
    kind,
    mediaType,
    config: parseDescriptor(own(object, 'config'), inside(where, 'config')),
    layers: layers.map((layer, index) => parseDescriptor(layer, inside(where, `layers[${index}]`))),
    ...(annotations && { annotations }),
    ...(subject !== undefined && { subject: parseDescriptor(subject, inside(where, 'subject')) }),
    ...(artifactType !== undefined && { artifactType }),
  }
}
