/**
 * A layer of the overlay2 driver: the Layer interface over a `diff/` directory, whoever wrote it.
 *
 * Invariants:
 * - A directory is read when it is first asked for, whole, and never again: nobody changes a layer. Opening reads the root alone.
 * - What is seen of a directory is all of it: a layer that somebody may be deleting is asked for afterwards, and is an error then.
 * - Inode numbers are given as inodes are found. Names of one inode have one number.
 * - Nothing is followed, and nothing outside of the directory is read (confined-directory.ts).
 */
import type { BigIntStats } from 'node:fs'
import type { ByteString } from '../../byte-string.js'
import { PhylloError } from '../../errors.js'
import type { SystemCalls } from '../../native/system-calls.js'
import type { DiffId } from '../../oci/digest.js'
import type { Xattr } from '../../tar/entry.js'
import { ABSENT, type Inode, type Layer, WHITEOUT } from '../layer.js'
import { ConfinedDirectory } from './confined-directory.js'
import { deviceOf, directoryType, isWhiteout, sizeOf, symlinkType, timeOf, typeOf } from './entry-attributes.js'

export interface DirectoryLayerOptions {
  readonly calls: SystemCalls
  readonly diffId: DiffId
  /** What statfs counts for it: Docker's size of the layer. */
  readonly sizeBytes: number
  /** Whether nobody has begun to take it away; asked after each look at a directory, where nothing else holds the layer. */
  readonly isThere?: () => boolean
}

/** No file system has room for more inodes of one layer, and 125 layers stay below 2^53. */
const inodeBound = 2 ** 32

const none = '' as ByteString

const nothing: ReadonlyMap<ByteString, number> = new Map()

/** An inode, and the first of its names that was found. */
interface Found {
  readonly attributes: Inode
  /** Of the directory that it was found in. */
  readonly parent: number
  readonly name: ByteString
  /** Of a directory that was read, in byte order. */
  children: ReadonlyMap<ByteString, number> | undefined
}

/** Throws STORE_IO when there is no such directory, or it is a symlink. */
export async function openDirectoryLayer(diff: string, options: DirectoryLayerOptions): Promise<DirectoryLayer> {
  const directory = new ConfinedDirectory(diff, options.calls)
  try {
    return new DirectoryLayer(diff, directory, options)
  } catch (error) {
    directory.close()
    throw error
  }
}

/** What was found stays known after close(); what has yet to be read throws STORE_CLOSED then. */
export class DirectoryLayer implements Layer {
  readonly diffId: DiffId
  readonly sizeBytes: number
  readonly inodeBound = inodeBound
  /** Its path. */
  readonly directory: string
  readonly #directory: ConfinedDirectory
  readonly #isThere: (() => boolean) | undefined
  readonly #found: Found[]
  /** By st_ino: inodes with several names. */
  readonly #linked = new Map<bigint, number>()

  constructor(path: string, directory: ConfinedDirectory, options: DirectoryLayerOptions) {
    const { diffId, sizeBytes, isThere } = options
    this.diffId = diffId
    this.#isThere = isThere
    this.directory = path
    this.sizeBytes = sizeBytes
    this.#directory = directory
    const attributes = attributesOf(directory.rootStats(), false)
    this.#found = [{ attributes, parent: 0, name: none, children: undefined }]
  }

  get inodeCount(): number {
    return this.#found.length
  }

  lookup(dir: number, name: ByteString): number {
    return this.#children(dir).get(name) ?? ABSENT
  }

  list(dir: number, visit: (name: ByteString, inode: number) => void): void {
    for (const [name, inode] of this.#children(dir)) visit(name, inode)
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
    const { attributes, parent, name } = this.#at(inode)
    return typeOf(attributes.mode) === symlinkType ? this.#directory.readlink(this.#path(parent), name) : none
  }

  xattrs(inode: number): readonly Xattr[] {
    const { parent, name } = this.#at(inode)
    return this.#directory.xattrs(this.#path(parent), inode === 0 ? undefined : name)
  }

  /** As they were found: directories lie together on the disk. */
  contentOffset(inode: number): number {
    return inode
  }

  readSync(inode: number, position: number, into: Uint8Array): number {
    return this.#directory.readSync(this.#path(inode), position, into)
  }

  contentSync(inode: number, most: number): Buffer | undefined {
    return this.#directory.contentSync(this.#path(inode), most)
  }

  read(inode: number, position: number, into: Uint8Array): Promise<number> {
    return this.#directory.read(this.#path(inode), position, into)
  }

  /** Where the inode stands below `diff/`, for whoever copies or packs it. */
  path(inode: number): ByteString {
    return this.#path(inode)
  }

  /** Lends a path at which the content of a file can be opened, for as long as the work takes. */
  withContent<T>(inode: number, work: (path: string) => Promise<T>): Promise<T> {
    return this.#directory.withFile(this.#path(inode), work)
  }

  async close(): Promise<void> {
    this.#directory.close()
  }

  #at(inode: number): Found {
    const found = this.#found[inode]
    if (found === undefined) throw new RangeError(`layer ${this.diffId} has no inode ${inode}`)
    return found
  }

  #path(inode: number): ByteString {
    const names: ByteString[] = []
    for (let at = inode; at !== 0; at = this.#at(at).parent) names.push(this.#at(at).name)
    return names.reverse().join('/') as ByteString
  }

  #children(dir: number): ReadonlyMap<ByteString, number> {
    const found = this.#at(dir)
    if (typeOf(found.attributes.mode) !== directoryType) return nothing
    found.children ??= this.#read(dir)
    return found.children
  }

  #read(dir: number): Map<ByteString, number> {
    const entries: { readonly name: ByteString; readonly stats: BigIntStats; readonly opaque: boolean }[] = []
    this.#directory.list(this.#path(dir), ({ name, stats }, at) => {
      const opaque = typeOf(stats.mode) === directoryType && this.#directory.isOpaque(at)
      entries.push({ name, stats, opaque })
    })
    if (this.#isThere?.() === false) {
      const path = this.directory
      throw new PhylloError('STORE_CORRUPT', `${path}: the layer is being removed by somebody else`, { path })
    }
    entries.sort((a, b) => (a.name < b.name ? -1 : 1))
    return new Map(entries.map(({ name, stats, opaque }) => [name, this.#add(dir, name, stats, opaque)]))
  }

  #add(parent: number, name: ByteString, stats: BigIntStats, opaque: boolean): number {
    if (isWhiteout(stats)) return WHITEOUT
    const several = stats.nlink > 1n && typeOf(stats.mode) !== directoryType
    const known = several ? this.#linked.get(stats.ino) : undefined
    if (known !== undefined) return known
    const inode = this.#found.length
    this.#found.push({ attributes: attributesOf(stats, opaque), parent, name, children: undefined })
    if (several) this.#linked.set(stats.ino, inode)
    return inode
  }
}

function attributesOf(stats: BigIntStats, opaque: boolean): Inode {
  const { sec, nsec } = timeOf(stats.mtimeNs)
  return {
    mode: Number(stats.mode),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    nlink: typeOf(stats.mode) === directoryType ? 1 : Number(stats.nlink),
    sizeBytes: sizeOf(stats),
    mtimeSec: sec,
    mtimeNsec: nsec,
    ...deviceOf(stats),
    opaque,
    implied: false,
  }
}
