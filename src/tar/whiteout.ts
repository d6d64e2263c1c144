/**
 * Whiteouts, by their names alone: OCI image-spec layer.md, "Whiteouts". `.wh.x` hides `x` of the layers below,
 * `.wh..wh..opq` hides all that they have in its directory. Names that would hide a directory itself, its parent or
 * nothing, and the private names of AUFS, are refused: what they remove depends on who reads them.
 */
import type { ByteString } from '../byte-string.js'
import { PhylloError } from '../errors.js'

export type NameClass =
  | { readonly kind: 'plain' }
  | { readonly kind: 'opaque' }
  | { readonly kind: 'whiteout'; readonly name: ByteString }

export const whiteoutPrefix = '.wh.'
export const opaqueName = '.wh..wh..opq' as ByteString

const plain: NameClass = { kind: 'plain' }
const opaque: NameClass = { kind: 'opaque' }

/** What the last component of an entry's name stands for. Throws WHITEOUT_INVALID. */
export function classifyName(base: ByteString): NameClass {
  if (!base.startsWith(whiteoutPrefix)) return plain
  if (base === opaqueName) return opaque
  const name = base.slice(whiteoutPrefix.length) as ByteString
  if (name === '' || name === '.' || name === '..')
    throw new PhylloError('WHITEOUT_INVALID', `the whiteout ${base} hides nothing that has a name`)
  if (name.startsWith(whiteoutPrefix))
    throw new PhylloError('WHITEOUT_INVALID', 'a whiteout of a whiteout, or metadata of AUFS')
  return { kind: 'whiteout', name }
}

/** Throws WHITEOUT_INVALID when a component before the last is a whiteout: nothing can lie below one. */
export function checkParents(components: readonly ByteString[]): void {
  for (let i = 0; i < components.length - 1; i++)
    if (components[i]!.startsWith(whiteoutPrefix))
      throw new PhylloError('WHITEOUT_INVALID', 'a whiteout is used as a directory')
}
