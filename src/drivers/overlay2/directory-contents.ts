/**
 * Contents of an upper of real directories: each in the file that its node is.
 *
 * Invariants:
 * - What a snapshot reads is not written over: the node gets a file of its own first, under all of its names, and the snapshot
 *   keeps the one that there was, by a hard link in `work`.
 * - A file whose content is taken from a draft is replaced in one rename for each of its names.
 */

import fs from 'node:fs'
import { type ByteString, fromText } from '../../byte-string.js'
import { inTurnNow } from '../../endings.js'
import { MiB } from '../../limits.js'
import type { Member, Tree } from '../layer.js'
import type { ContentPlace, Lowers, UpperNode } from '../upper.js'
import type { SnapshotContents } from '../upper-snapshot.js'
import type { UpperTree } from '../upper-tree.js'
import type { ConfinedDirectory } from './confined-directory.js'
import { DirectoryDraft } from './directory-draft.js'
import { DirectoryLayer } from './directory-layer.js'
import type { UpperDisk } from './upper-disk.js'
import type { UpperPlaces } from './upper-places.js'

/** What the tree knows of the content of a file. */
export interface StoredFile {
  /** The node. */
  readonly id: number
  bytes: number
  /** Snapshots from this number on may have the very file. */
  since: number
}

/** What a snapshot knows of a content that has changed since. */
interface KeptFile extends StoredFile {
  readonly file: ByteString | undefined
}

/** Bytes copied at once. */
const copyBytes = MiB
const zeros = Buffer.alloc(copyBytes)

export interface ContentsParts {
  readonly tree: UpperTree
  readonly places: UpperPlaces
  /** Undefined of an upper that is only looked at. */
  readonly disk: UpperDisk
  readonly reading: ConfinedDirectory
  readonly lowers: Lowers
  /** Names of the node have come to another inode in these directories. */
  readonly touched: (directories: Iterable<number>) => void
}

export class DirectoryContents {
  usedBytes = 0
  readonly #parts: ContentsParts
  /** Of the latest snapshot. */
  #snapshots = 0
  readonly #held = new Set<number>()

  constructor(parts: ContentsParts) {
    this.#parts = parts
  }

  storedOf(node: UpperNode): StoredFile | undefined {
    return this.#parts.tree.storedOf(node) as StoredFile | undefined
  }

  /** The node has a new file of so many bytes. */
  told(node: UpperNode, bytes: number): void {
    this.usedBytes += bytes
    this.#parts.tree.setContent(node, bytes, { id: node.id, bytes, since: this.#snapshots + 1 })
  }

  letGo({ bytes }: StoredFile): void {
    this.usedBytes -= bytes
  }

  /** Copies content of a layer into an empty file in `work`; zeros are left out. */
  copyUp(path: ByteString, { lower, inode }: Member, sizeBytes: number): void {
    const { disk, lowers } = this.#parts
    const tree = lowers.tree(lower)
    const buffer = Buffer.allocUnsafe(Math.min(copyBytes, sizeBytes))
    const fd = disk.open(path)
    const copy = () => {
      for (let done = 0; done < sizeBytes; ) {
        const count = tree.readSync(inode, done, buffer.subarray(0, Math.min(buffer.length, sizeBytes - done)))
        if (count === 0) break
        const slice = buffer.subarray(0, count)
        if (!slice.equals(zeros.subarray(0, count))) disk.write(path, fd, slice, done)
        done += count
      }
      disk.truncate(path, fd, sizeBytes)
    }
    inTurnNow([copy, () => disk.close(path, fd)])
  }

  readSync(node: UpperNode, position: number, into: Uint8Array): number {
    return this.storedOf(node) === undefined ? 0 : this.#parts.reading.readSync(this.#path(node), position, into)
  }

  async read(node: UpperNode, position: number, into: Uint8Array): Promise<number> {
    return this.storedOf(node) === undefined ? 0 : this.#parts.reading.read(this.#path(node), position, into)
  }

  write(node: UpperNode, position: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return
    const stored = this.#own(node)
    const sizeBytes = Math.max(stored.bytes, position + bytes.length)
    this.#change(node, stored, sizeBytes, (path, fd) => this.#parts.disk.write(path, fd, bytes, position))
  }

  truncate(node: UpperNode, sizeBytes: number): void {
    const stored = this.#own(node)
    this.#change(node, stored, sizeBytes, (path, fd) => this.#parts.disk.truncate(path, fd, sizeBytes))
  }

  draft(): DirectoryDraft {
    const { disk } = this.#parts
    const path = disk.fresh()
    disk.make(path, { ...plainFile, ...noTimes })
    return new DirectoryDraft(disk, path, 0)
  }

  /** Of a layer that is a directory, too. */
  async copyOf(layer: Tree, inode: number): Promise<DirectoryDraft | undefined> {
    if (!(layer instanceof DirectoryLayer)) return undefined
    const { disk } = this.#parts
    const path = disk.fresh()
    await layer.withContent(inode, from => disk.copyIn(from, path))
    return new DirectoryDraft(disk, path, layer.inode(inode).sizeBytes)
  }

  adopt(node: UpperNode, draft: DirectoryDraft): void {
    draft.finish()
    this.#parts.tree.keep(node)
    this.#replace(node, draft.path)
    this.told(node, draft.bytes)
  }

  reflink(node: UpperNode): DirectoryDraft | undefined {
    const { disk } = this.#parts
    const path = disk.fresh()
    if (node.sizeBytes === 0 || !disk.reflink(this.#path(node), path)) return undefined
    return new DirectoryDraft(disk, path, node.sizeBytes)
  }

  isKept(node: UpperNode): boolean {
    const stored = this.storedOf(node)
    return stored !== undefined && stored.bytes > 0 && [...this.#held].some(number => number >= stored.since)
  }

  async copyKept(node: UpperNode): Promise<void> {
    if (!this.isKept(node)) return
    const { disk, tree } = this.#parts
    const stored = this.storedOf(node)!
    const { since } = stored
    const copy = disk.fresh()
    await disk.copyLater(this.#path(node), copy)
    if (tree.find(node.id) !== node || this.storedOf(node) !== stored || stored.since !== since) disk.unlink(copy)
    else this.#leave(node, stored, copy)
  }

  /** For a snapshot that is being taken. */
  snapshot(): SnapshotContents {
    const { disk } = this.#parts
    const number = ++this.#snapshots
    const directory = disk.fresh()
    disk.makeDirectory(directory)
    this.#held.add(number)
    const keep = ({ id, bytes }: StoredFile): ByteString | undefined => {
      if (bytes === 0) return undefined
      const file = `${directory}/${id}` as ByteString
      if (fs.lstatSync(disk.hostPath(file), { throwIfNoEntry: false }) === undefined)
        disk.link(this.#parts.places.path(id), file)
      return file
    }
    return {
      copy: (stored): KeptFile => ({ ...(stored as StoredFile), file: keep(stored as StoredFile) }),
      place: (stored): ContentPlace => {
        const content = stored as StoredFile | KeptFile
        const file = 'file' in content ? content.file : keep(content)
        return { file: fromText(disk.hostPath(file!)), offset: 0, bytes: content.bytes }
      },
      release: () => {
        this.#held.delete(number)
        disk.deleteTree(directory)
      },
    }
  }

  #path(node: UpperNode): ByteString {
    return this.#parts.places.path(node.id)
  }

  #change(
    node: UpperNode,
    stored: StoredFile,
    sizeBytes: number,
    change: (path: ByteString, fd: number) => void,
  ): void {
    const { disk, tree } = this.#parts
    tree.keep(node)
    const path = this.#path(node)
    const fd = disk.open(path)
    const changeOrNot = () => {
      try {
        change(path, fd)
      } catch (error) {
        // A full disk: what was appended so far is nothing that anybody asked for
        inTurnNow([() => fail(error), () => disk.truncate(path, fd, stored.bytes)])
      }
    }
    inTurnNow([changeOrNot, () => disk.close(path, fd)])
    this.usedBytes += sizeBytes - stored.bytes
    stored.bytes = sizeBytes
    tree.setContent(node, sizeBytes, stored)
  }

  /** The content, in a file that no snapshot reads. */
  #own(node: UpperNode): StoredFile {
    const stored = this.storedOf(node)!
    if (!this.isKept(node)) return stored
    const { disk } = this.#parts
    const copy = disk.fresh()
    disk.copy(this.#path(node), copy)
    return this.#leave(node, stored, copy)
  }

  /** Leaves the file to the snapshots. `copy`: of it, in `work`. */
  #leave(node: UpperNode, stored: StoredFile, copy: ByteString): StoredFile {
    this.#parts.tree.keep(node)
    this.#replace(node, copy)
    stored.since = this.#snapshots + 1
    return stored
  }

  /** Puts a file in `work` under all names of the node, with its attributes. */
  #replace(node: UpperNode, file: ByteString): void {
    const { disk, places, touched } = this.#parts
    disk.setOwner(file, node)
    disk.setMode(file, node.mode)
    if (node.xattrs.length > 0) disk.setXattrs(file, node.xattrs)
    disk.setTimes(file, node)
    const work = places.inWork(node.id)
    if (work !== undefined) return void disk.rename(file, work)
    const [first, ...others] = places.spots(node.id)
    for (const spot of others) {
      const link = disk.fresh()
      disk.link(file, link)
      disk.rename(link, places.at(spot))
    }
    disk.rename(file, places.at(first!))
    touched(places.spots(node.id).map(({ directory }) => directory))
  }
}

function fail(error: unknown): never {
  throw error
}

const plainFile = { mode: 0o100600, uid: 0, gid: 0 } as const
const epoch = { sec: 0, nsec: 0 } as const
const noTimes = { atime: epoch, mtime: epoch, ctime: epoch, birthtime: epoch } as const
