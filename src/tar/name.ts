/**
 * Entry names as paths below a layer's root. Lexical only: symlinks are not followed here.
 *
 * Leading `/` and `./`, doubled and trailing slashes mean nothing, `a/../b` is `b`, and a name that climbs above the
 * root is refused, never clamped to it: it would no longer be the name that the archive's digest stands for.
 */
import type { ByteString } from '../byte-string.js'
import { PhylloError } from '../errors.js'
import { type Limits, limitError } from '../limits.js'

/**
 * The components of a name; none for the root itself. Throws PATH_ESCAPE, LIMIT_EXCEEDED, and TAR_INVALID for the
 * empty name. For the target of a hard link as well, which counts from the layer's root, too.
 */
export function normalizeName(name: ByteString, limits: Limits): ByteString[] {
  if (name === '') throw new PhylloError('TAR_INVALID', 'the name is empty')
  const parts = name.split('/') as ByteString[]
  let kept = 0
  for (const part of parts) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts[kept++] = part
    else if (--kept < 0) throw new PhylloError('PATH_ESCAPE', 'the name climbs above the root of its layer')
  }
  parts.length = kept
  if (!isShort(name, limits)) checkParts(parts, limits)
  return parts
}

export function isRoot(components: readonly ByteString[]): boolean {
  return components.length === 0
}

/** Throws LIMIT_EXCEEDED for a name that is too long or too deep; `.`, empty parts and trailing slashes do not count. */
export function checkNameLimits(name: ByteString, limits: Limits): void {
  if (isShort(name, limits)) return
  checkParts(
    name.split('/').filter(part => part !== '' && part !== '.'),
    limits,
  )
}

/** True when no bound can be passed, which is so for nearly every name. */
export function isShort(name: ByteString, limits: Limits): boolean {
  const { length } = name
  return length <= limits.nameBytes && length <= limits.pathBytes && length < 2 * limits.pathDepth
}

function checkParts(parts: readonly string[], limits: Limits): void {
  if (parts.length > limits.pathDepth)
    throw limitError('pathDepth', limits.pathDepth, parts.length, 'components of the name')
  let bytes = Math.max(0, parts.length - 1)
  for (const { length } of parts) {
    if (length > limits.nameBytes) throw limitError('nameBytes', limits.nameBytes, length, 'bytes of one component')
    bytes += length
  }
  if (bytes > limits.pathBytes) throw limitError('pathBytes', limits.pathBytes, bytes, 'bytes of the name')
}
