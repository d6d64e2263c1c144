/**
 * Identities of bytes. Branded, so that a diffId where a chainId belongs does not compile.
 * Grammar: OCI image-spec descriptor.md, "Digests". Only sha256 and sha512 are registered, and only they are accepted.
 */
import * as crypto from 'node:crypto'
import { PhylloError } from '../errors.js'

declare const brand: unique symbol
type Brand<Name extends string> = { readonly [brand]: { readonly [K in Name]: true } }

/** Hash of bytes as they are stored or sent: `sha256:` and 64 lower-case hex digits (or `sha512:` and 128). */
export type Digest = string & Brand<'Digest'>
/** Digest of a layer's uncompressed tar. */
export type DiffId = string & Brand<'Digest' | 'DiffId'>
/** Digest of an image config's bytes. */
export type ImageId = string & Brand<'Digest' | 'ImageId'>
/** Identity of a stack of layers; see chain-id.ts. Not the digest of anything that is stored. */
export type ChainId = string & Brand<'ChainId'>

const grammar = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/

export function isDigest(text: unknown): text is Digest {
  // `$` of a JavaScript regular expression without the m flag matches at the very end alone: no trailing newline passes.
  return typeof text === 'string' && text.length <= 135 && grammar.test(text)
}

/** The text as a digest of the kind that the caller asks for. Throws DIGEST_SYNTAX, naming `what`. */
export function parseDigest<D extends Digest = Digest>(text: unknown, what = 'digest'): D {
  if (isDigest(text)) return text as D
  const shown = typeof text === 'string' ? JSON.stringify(text.slice(0, 160)) : typeof text
  throw new PhylloError(
    'DIGEST_SYNTAX',
    `${what}: ${shown} is not sha256 with 64 lower-case hex digits or sha512 with 128`,
  )
}

/** In one call where Node has it (20.12 and later): half the cost for what is short. */
const sha256Hex: (bytes: Uint8Array | string) => string =
  'hash' in crypto
    ? bytes => crypto.hash('sha256', bytes, 'hex')
    : bytes => crypto.createHash('sha256').update(bytes).digest('hex')

export function sha256Digest<D extends Digest = Digest>(bytes: Uint8Array | string): D {
  return `sha256:${sha256Hex(bytes)}` as D
}

export function algorithmOf(digest: Digest): 'sha256' | 'sha512' {
  return digest.slice(0, 6) as 'sha256' | 'sha512'
}

/** The hex digits alone: a file name that is safe by its grammar. */
export function hexOf(digest: Digest | ChainId): string {
  return digest.slice(7)
}

/** The first 12 hex digits, as Docker shows ids. */
export function shortId(digest: Digest | ChainId): string {
  return digest.slice(7, 19)
}
