/**
 * Sets of xattrs, each once as long as equal ones come near each other (a label that all files carry, say). A set is a
 * count, then for each xattr the lengths of name and value and their bytes; offset 0 is the empty set.
 *
 * Invariant: `trusted.overlay.*` and `user.overlay.*` are not kept. They are the kernel's own notes about a layer, and
 * from an archive they could hide or resurrect files (threats C2 to C5). The tar still has them.
 */
import { type ByteString, byteString } from '../../byte-string.js'
import type { TarEntry, Xattr } from '../entry.js'
import { ByteArena } from './column.js'

const overlayXattr = /^(?:trusted|user)\.overlay\./

/** How many sets are remembered for reuse, and how large one may be. */
const rememberedSets = 256
const rememberedBytes = 512

export class XattrArena {
  readonly arena = new ByteArena()
  readonly #remembered = new Map<string, number>()

  constructor() {
    this.arena.addBytes(uint32(0))
  }

  /** Where the entry's xattrs stand. */
  add({ xattrs }: TarEntry): number {
    return xattrs.length === 0 ? 0 : this.#store(xattrs.filter(isKept))
  }

  /** The set at `ref` with the entry's xattrs set on top, as a hard link's header does. */
  merge(ref: number, { xattrs }: TarEntry): number {
    if (xattrs.length === 0) return ref
    const merged = new Map(decodeXattrs(this.arena.content(), ref).map(xattr => [xattr.name, xattr]))
    for (const xattr of xattrs) if (isKept(xattr)) merged.set(xattr.name, xattr)
    return this.#store([...merged.values()])
  }

  #store(xattrs: readonly Xattr[]): number {
    if (xattrs.length === 0) return 0
    const key = encodeXattrs(xattrs)
    const text = key.length <= rememberedBytes ? key.toString('latin1') : undefined
    const known = text === undefined ? undefined : this.#remembered.get(text)
    if (known !== undefined) return known
    const at = this.arena.addBytes(key)
    if (text !== undefined) {
      if (this.#remembered.size === rememberedSets) this.#remembered.clear()
      this.#remembered.set(text, at)
    }
    return at
  }
}

export function isKept({ name }: Xattr): boolean {
  return !overlayXattr.test(name)
}

function encodeXattrs(xattrs: readonly Xattr[]): Buffer {
  const parts: Uint8Array[] = [uint32(xattrs.length)]
  for (const { name, value } of xattrs)
    parts.push(uint32(name.length), uint32(value.length), Buffer.from(name, 'latin1'), value)
  return Buffer.concat(parts)
}

/** Values are copies. */
export function decodeXattrs(arena: Buffer, ref: number): Xattr[] {
  const xattrs: Xattr[] = []
  let at = ref + 4
  for (let left = arena.readUInt32LE(ref); left > 0; left--) {
    const nameEnd = at + 8 + arena.readUInt32LE(at)
    const valueEnd = nameEnd + arena.readUInt32LE(at + 4)
    const name: ByteString = byteString(arena, at + 8, nameEnd)
    xattrs.push({ name, value: Buffer.from(arena.subarray(nameEnd, valueEnd)) })
    at = valueEnd
  }
  return xattrs
}

function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32LE(value)
  return bytes
}
