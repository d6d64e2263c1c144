/**
 * The xattrs that overlayfs keeps its own notes in (facts: overlay.md 1.5). Users never see them; one of that name that a user has
 * set stands under an escaped name, as the kernel does it since 6.7 (R-XA-3).
 */
import type { ByteString } from '../../byte-string.js'

export const privatePrefix = 'trusted.overlay.'
const escapedPrefix = 'trusted.overlay.overlay.'

export const opaqueName = 'trusted.overlay.opaque' as ByteString
/** Exactly this (R-OP-6): `x` says something else. */
export const opaqueValue = Buffer.from('y')

/** What users call the xattr that stands under this name; undefined: a note of overlayfs. */
export function shownName(stored: ByteString): ByteString | undefined {
  if (stored.startsWith(escapedPrefix)) return (privatePrefix + stored.slice(escapedPrefix.length)) as ByteString
  return stored.startsWith(privatePrefix) ? undefined : stored
}

/** Where an xattr stands that users call so. */
export function storedName(shown: ByteString): ByteString {
  return shown.startsWith(privatePrefix) ? ((escapedPrefix + shown.slice(privatePrefix.length)) as ByteString) : shown
}
