/**
 * Descriptors: what a document says of bytes elsewhere (OCI image-spec descriptor.md). A descriptor that was parsed has
 * a digest of good syntax and a size that is a number; that the bytes agree is `verifyBytes`.
 */
import { createHash } from 'node:crypto'
import { PhylloError } from '../errors.js'
import type { Limits } from '../limits.js'
import { algorithmOf, type Digest, hexOf, parseDigest } from './digest.js'
import { type JsonValue, refuseCaseVariants } from './json.js'
import {
  asObject,
  countField,
  inside,
  objectField,
  own,
  refuseField,
  stringField,
  stringMapField,
  stringsField,
  type Where,
} from './json-field.js'
import type { Platform } from './platform.js'

export interface Descriptor {
  /** Empty where the document says none. */
  readonly mediaType: string
  readonly digest: Digest
  readonly sizeBytes: number
  readonly platform?: Platform
  readonly annotations?: Readonly<Record<string, string>>
  readonly urls?: readonly string[]
  readonly artifactType?: string
  /** The bytes themselves, embedded; verified against digest and size. */
  readonly data?: Buffer
}

const keys = ['mediaType', 'digest', 'size', 'urls', 'annotations', 'data', 'platform', 'artifactType'] as const
const platformKeys = ['architecture', 'os', 'os.version', 'os.features', 'variant'] as const

/**
 * The descriptor that `value` is. Throws MANIFEST_INVALID, DIGEST_SYNTAX, MANIFEST_AMBIGUOUS (case variants of keys),
 * and for embedded data SIZE_MISMATCH or DIGEST_MISMATCH.
 */
export function parseDescriptor(value: JsonValue | undefined, where: Where): Descriptor {
  const object = asObject(value, where)
  refuseCaseVariants(object, keys, where.what)
  const digest = parseDigest(own(object, 'digest'), `${where.what} digest`)
  const sizeBytes = countField(object, 'size', where) ?? refuseField(where, 'has no size')
  const platform = objectField(object, 'platform', where)
  const annotations = stringMapField(object, 'annotations', where)
  const urls = stringsField(object, 'urls', where)
  const artifactType = stringField(object, 'artifactType', where)
  const data = stringField(object, 'data', where)
  return {
    mediaType: stringField(object, 'mediaType', where) ?? '',
    digest,
    sizeBytes,
    ...(platform && { platform: parsePlatformObject(platform, inside(where, 'platform')) }),
    ...(annotations && { annotations }),
    ...(urls && { urls }),
    ...(artifactType !== undefined && { artifactType }),
    ...(data !== undefined && { data: embedded(data, { digest, sizeBytes }, where) }),
  }
}

/** Throws SIZE_MISMATCH or DIGEST_MISMATCH unless the bytes are those that the descriptor speaks of. */
export function verifyBytes(
  { digest, sizeBytes }: Pick<Descriptor, 'digest' | 'sizeBytes'>,
  bytes: Uint8Array,
  what: string,
): void {
  if (bytes.length !== sizeBytes) {
    const facts = { expected: sizeBytes, seen: bytes.length }
    throw new PhylloError('SIZE_MISMATCH', `${what}: ${bytes.length} bytes instead of ${sizeBytes}`, facts)
  }
  const seen = createHash(algorithmOf(digest)).update(bytes).digest('hex')
  if (seen !== hexOf(digest)) {
    const facts = { expected: digest, seen: `${algorithmOf(digest)}:${seen}` }
    throw new PhylloError('DIGEST_MISMATCH', `${what}: the bytes hash to ${facts.seen}, not to ${digest}`, facts)
  }
}

/** What every parser of a manifest or index is told. */
export interface DocumentOptions {
  readonly limits: Limits
  /** Name of the document in messages. */
  readonly what: string
  /** The media type that whoever refers to it gave: a descriptor or a Content-Type. */
  readonly mediaType?: string
}

function embedded(base64: string, descriptor: Pick<Descriptor, 'digest' | 'sizeBytes'>, where: Where): Buffer {
  const bytes = Buffer.from(base64, 'base64')
  // Buffer skips what is not base64; only what it would have written itself is taken.
  if (bytes.toString('base64') !== base64) return refuseField(where, 'data is not base64')
  verifyBytes(descriptor, bytes, `${where.what} data`)
  return bytes
}

function parsePlatformObject(object: ReturnType<typeof asObject>, where: Where): Platform {
  refuseCaseVariants(object, platformKeys, where.what)
  const variant = stringField(object, 'variant', where)
  const osVersion = stringField(object, 'os.version', where)
  const osFeatures = stringsField(object, 'os.features', where)
  return {
    os: stringField(object, 'os', where) ?? '',
    architecture: stringField(object, 'architecture', where) ?? '',
    ...(variant !== undefined && variant !== '' && { variant }),
    ...(osVersion !== undefined && osVersion !== '' && { osVersion }),
    ...(osFeatures && { osFeatures }),
  }
}
