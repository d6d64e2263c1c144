/**
 * The first look at a manifest or an index: which of the two it is. A document that could be both is refused
 * (CVE-2021-41190), and so is one whose own `mediaType` is not the one it was announced with.
 */
import { PhylloError } from '../errors.js'
import type { DocumentOptions } from './descriptor.js'
import { type JsonObject, parseJson } from './json.js'
import { asObject, countField, own, refuseField, stringField, type Where } from './json-field.js'
import { type ManifestKind, manifestKindOf, mediaTypes } from './media-type.js'
import { quoted } from './quoted.js'

export interface Document {
  readonly kind: 'index' | 'manifest'
  /** The document's own, else the announced one, else OCI's by the shape. */
  readonly mediaType: string
  readonly object: JsonObject
  readonly where: Where
}

const documentKeys = [
  'schemaVersion',
  'mediaType',
  'artifactType',
  'config',
  'layers',
  'manifests',
  'fsLayers',
  'subject',
  'annotations',
] as const

/** Keys that a document of the kind must not have. */
const foreignKeys: Readonly<Record<ManifestKind, readonly string[]>> = {
  manifest: ['manifests', 'fsLayers'],
  index: ['config', 'layers', 'fsLayers'],
  schema1: [],
}

/** Throws MANIFEST_INVALID, MANIFEST_AMBIGUOUS or LIMIT_EXCEEDED. */
export function readDocument(bytes: Uint8Array, options: DocumentOptions): Document {
  const where: Where = { what: options.what, code: 'MANIFEST_INVALID' }
  const object = asObject(parseJson(bytes, { limits: options.limits, what: options.what, keys: documentKeys }), where)
  const stated = stringField(object, 'mediaType', where) ?? ''
  const announced = options.mediaType !== undefined && manifestKindOf(options.mediaType) ? options.mediaType : ''
  if (stated !== '' && announced !== '' && stated !== announced) {
    throw ambiguous(where, `says to be ${quoted(stated)} and was announced as ${announced}`)
  }
  const mediaType = stated || announced || mediaTypeByShape(object, where)
  const kind = manifestKindOf(mediaType)
  if (kind === undefined) refuseField(where, `media type ${quoted(mediaType)} is not that of an image or an index`)
  for (const key of foreignKeys[kind]) {
    if (own(object, key) !== undefined) throw ambiguous(where, `${mediaType} has a key "${key}"`)
  }
  const version = countField(object, 'schemaVersion', where)
  if (kind === 'schema1' || version === 1) refuseField(where, 'Docker manifests of schema 1 are not supported')
  if (version !== 2) refuseField(where, `schemaVersion is ${version ?? 'missing'}, not 2`)
  return { kind, mediaType, object, where }
}

function mediaTypeByShape(object: JsonObject, where: Where): string {
  const has = (key: string) => own(object, key) !== undefined
  if (has('manifests') && (has('config') || has('layers'))) throw ambiguous(where, 'is both an image and an index')
  if (has('fsLayers')) return 'application/vnd.docker.distribution.manifest.v1+json'
  if (has('config') || has('layers')) return mediaTypes.ociManifest
  if (has('manifests')) return mediaTypes.ociIndex
  return refuseField(where, 'has neither config and layers nor manifests')
}

function ambiguous(where: Where, reason: string): PhylloError {
  return new PhylloError('MANIFEST_AMBIGUOUS', `${where.what}: ${reason}`)
}
