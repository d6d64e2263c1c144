/** A Layer in memory, made from a tree that is written as a literal. Contents lie one after the other, each behind 512 bytes. */
import { createHash } from 'node:crypto'
import { type ByteString, byteString, fromText } from '../../src/byte-string.js'
import { ABSENT, type Inode, type Layer, type LayerTar, WHITEOUT } from '../../src/drivers/layer.js'
import type { DiffId } from '../../src/oci/digest.js'
import type { Xattr } from '../../src/tar/entry.js'

/** Hides a name of lower layers. */
export const whiteout = Symbol('whiteout')

export interface Attributes extends Partial<Omit<Inode, 'nlink' | 'sizeBytes'>> {
  readonly xattrs?: readonly Xattr[]
}

type Special =
  | { readonly kind: 'file'; readonly content: Buffer; readonly attributes: Attributes }
  | { readonly kind: 'directory'; readonly children: Children; readonly attributes: Attributes }
  | { readonly kind: 'symlink'; readonly target: ByteString; readonly attributes: Attributes }
  /** Another name of what stands earlier at this path of the same layer. */
  | { readonly kind: 'hardlink'; readonly path: string }
  | { readonly kind: 'node'; readonly attributes: Attributes }

/** A string or Buffer is a file, a plain object or Map a directory. */
export type Literal = string | Buffer | typeof whiteout | MadeNode | Children
export type Children = { readonly [name: string]: Literal } | ReadonlyMap<ByteString, Literal>

class MadeNode {
  readonly special: Special

  constructor(special: Special) {
    this.special = special
  }
}

export function file(content: string | Buffer, attributes: Attributes = {}): MadeNode {
  return new MadeNode({ kind: 'file', content: Buffer.from(content as string), attributes })
}

export function directory(children: Children = {}, attributes: Attributes = {}): MadeNode {
  return new MadeNode({ kind: 'directory', children, attributes })
}

export function opaque(children: Children = {}): MadeNode {
  return directory(children, { opaque: true })
}

/** A target that is no text is a Buffer. */
export function symlink(target: string | Buffer, attributes: Attributes = {}): MadeNode {
  const bytes = typeof target === 'string' ? fromText(target) : byteString(target)
  return new MadeNode({ kind: 'symlink', target: bytes, attributes })
}

export function hardlink(path: string): MadeNode {
  return new MadeNode({ kind: 'hardlink', path })
}

/** A device, fifo or socket: `mode` with its type bits. */
export function node(mode: number, attributes: Attributes = {}): MadeNode {
  return new MadeNode({ kind: 'node', attributes: { ...attributes, mode } })
}

interface Record {
  readonly attributes: Inode
  readonly xattrs: readonly Xattr[]
  readonly children: Map<ByteString, number>
  readonly target: ByteString
  readonly content: Buffer
  offset: number
}

const headerBytes = 512

export class MemoryLayer implements Layer, LayerTar {
  readonly diffId: DiffId
  readonly source = { layerFile: 'none' }
  /** How often each method was called, for tests of cost. */
  readonly calls = { lookup: 0, list: 0, readSync: 0, read: 0, readTar: 0 }
  readonly #records: Record[] = []
  readonly #links = new Map<string, number>()
  readonly #tar: Buffer

  constructor(root: Children | MadeNode) {
    this.#add(root instanceof MadeNode ? root : directory(root), '')
    const pieces: Buffer[] = []
    let offset = 0
    for (const record of this.#records) {
      const padding = (512 - (record.content.length % 512)) % 512
      record.offset = offset + headerBytes
      pieces.push(Buffer.alloc(headerBytes, 0x68), record.content, Buffer.alloc(padding))
      offset += headerBytes + record.content.length + padding
    }
    this.#tar = Buffer.concat(pieces)
    this.diffId = `sha256:${createHash('sha256').update(this.#tar).digest('hex')}` as DiffId
  }

  get inodeCount(): number {
    return this.#records.length
  }

  get tarBytes(): number {
    return this.#tar.length
  }

  get inodeBound(): number {
    return this.inodeCount
  }

  get sizeBytes(): number {
    return this.tarBytes
  }

  get tar(): LayerTar {
    return this
  }

  lookup(dir: number, name: ByteString): number {
    this.calls.lookup++
    return this.#at(dir).children.get(name) ?? ABSENT
  }

  list(dir: number, visit: (name: ByteString, inode: number) => void): void {
    this.calls.list++
    const { children } = this.#at(dir)
    for (const name of [...children.keys()].sort()) visit(name, children.get(name)!)
  }

  inode(inode: number): Inode {
    return { ...this.#at(inode).attributes }
  }

  mode(inode: number): number {
    return this.#at(inode).attributes.mode
  }

  opaque(inode: number): boolean {
    return this.#at(inode).attributes.opaque
  }

  readlink(inode: number): ByteString {
    return this.#at(inode).target
  }

  xattrs(inode: number): readonly Xattr[] {
    return this.#at(inode).xattrs
  }

  contentOffset(inode: number): number {
    return this.#at(inode).offset
  }

  readSync(inode: number, position: number, into: Uint8Array): number {
    this.calls.readSync++
    return copy(this.#at(inode).content, position, into)
  }

  async read(inode: number, position: number, into: Uint8Array): Promise<number> {
    this.calls.read++
    await new Promise(setImmediate)
    return copy(this.#at(inode).content, position, into)
  }

  async readTar(position: number, into: Uint8Array): Promise<number> {
    this.calls.readTar++
    await new Promise(setImmediate)
    return copy(this.#tar, position, into)
  }

  #at(inode: number): Record {
    const record = this.#records[inode]
    if (record === undefined) throw new RangeError(`No inode ${inode}`)
    return record
  }

  #add(literal: Literal, path: string): number {
    if (literal === whiteout) return WHITEOUT
    if (!(literal instanceof MadeNode)) {
      const made = typeof literal === 'string' || Buffer.isBuffer(literal) ? file(literal) : directory(literal)
      return this.#add(made, path)
    }
    const { special } = literal
    if (special.kind === 'hardlink') {
      const inode = this.#links.get(special.path)!
      const { attributes } = this.#at(inode)
      Object.assign(attributes, { nlink: attributes.nlink + 1 })
      return inode
    }
    const inode = this.#records.length
    this.#links.set(path, inode)
    const record = recordOf(special)
    this.#records.push(record)
    if (special.kind !== 'directory') return inode
    const children: Iterable<[ByteString, Literal]> =
      special.children instanceof Map
        ? special.children
        : Object.entries(special.children).map(([name, child]): [ByteString, Literal] => [fromText(name), child])
    for (const [name, child] of children) record.children.set(name, this.#add(child, `${path}/${name}`))
    return inode
  }
}

const types = { file: 0o100644, directory: 0o040755, symlink: 0o120777, node: 0 } as const

function recordOf(special: Exclude<Special, { kind: 'hardlink' }>): Record {
  const { xattrs = [], mode = types[special.kind], ...attributes } = special.attributes
  const content = special.kind === 'file' ? special.content : Buffer.alloc(0)
  const target = special.kind === 'symlink' ? special.target : ('' as ByteString)
  const typed = mode > 0o7777 ? mode : (types[special.kind] & 0o170000) | mode
  return {
    attributes: {
      uid: 0,
      gid: 0,
      mtimeSec: 0,
      mtimeNsec: 0,
      deviceMajor: 0,
      deviceMinor: 0,
      opaque: false,
      implied: false,
      ...attributes,
      mode: typed,
      nlink: 1,
      sizeBytes: content.length + target.length,
    },
    xattrs,
    children: new Map(),
    target,
    content,
    offset: 0,
  }
}

function copy(from: Buffer, position: number, into: Uint8Array): number {
  const piece = from.subarray(position, position + into.length)
  into.set(piece)
  return piece.length
}

/** Layers from literals, base first. */
export function layersOf(...roots: (Children | MadeNode)[]): MemoryLayer[] {
  return roots.map(root => new MemoryLayer(root))
}
