/**
 * Makes the nodes of a plan in a directory of our own.
 *
 * Invariants:
 * - Nothing is ever followed or replaced: every parent is a directory that a job of this tree has made, names come from the plan
 *   once each, and a name that is there already is an error. So no name leads out of the directory.
 * - A node is whole before the next one is begun. Directories get their attributes last, when nothing is made in them any more.
 */
import { closeSync, constants, fsyncSync, linkSync, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs'
import { type ByteString, isAscii, toBytes } from '../byte-string.js'
import { closeRead } from '../disk/descriptors.js'
import { inTurnNow } from '../endings.js'
import { isErrno } from '../errors.js'
import type { SystemCalls } from '../native/system-calls.js'
import type { Born } from '../pool/jobs.js'
import { birthMode, bornMode, NodeAttributes } from './node-attributes.js'
import type { NotSetCounter, NotSetKind } from './not-set.js'
import { treeError } from './tree-error.js'
import { type PlannedNode, typeBits } from './tree-plan.js'

/** Contents of files, by the sources of the tree. */
export interface TreeContents {
  /** Some bytes from `position` on, at least one; they stand there until the next call. Throws what is wrong with the store. */
  read(node: PlannedNode, position: number): Buffer
  /** Makes the file share its content with the source. `linked`: it is the source's own file. False: it cannot be. */
  share(node: PlannedNode, path: string | Buffer): 'linked' | 'cloned' | false
}

export interface TreeOptions {
  /** Is there, is ours alone. */
  readonly tree: string
  readonly born: Born
  readonly contents: TreeContents
  readonly calls: SystemCalls | undefined
  readonly notSet: NotSetCounter
  /** Whether each file and directory goes to the disk. */
  readonly sync: boolean
  /** Told of bytes that were written. Throws when the work is to end. */
  readonly onBytes: (count: number) => void
}

export interface WrittenNodes {
  /** Names. */
  entries: number
  /** Of contents. */
  bytes: number
  /** Files that share their content with the store. */
  shared: number
}

/** No permissions are these: they are set whatever they are. */
const unknownMode = -1

export class TreeWriter {
  readonly written: WrittenNodes = { entries: 0, bytes: 0, shared: 0 }
  readonly #options: TreeOptions
  readonly #top: string
  readonly #topBytes: Buffer
  readonly #attributes: NodeAttributes

  constructor(options: TreeOptions) {
    this.#options = options
    this.#top = `${options.tree}/`
    this.#topBytes = Buffer.from(this.#top)
    this.#attributes = new NodeAttributes(options.born, options.calls, options.notSet)
  }

  /** Without its attributes. Of the root, which is there, nothing is made. */
  makeDirectory(node: PlannedNode): void {
    if (node.path === '') return
    this.#work(node, () => {
      this.#attributes.operation = 'mkdir'
      mkdirSync(this.#at(node.path), birthMode(node))
      this.written.entries++
    })
  }

  /** To be called children first: an ordinary user may shut himself out. */
  finishDirectory(node: PlannedNode): void {
    this.#work(node, () => {
      const path = this.#at(node.path)
      // The root was there before, with whatever mode
      const mode = node.path === '' ? unknownMode : bornMode(node, this.#options.born)
      const set = () => this.#attributes.set(node, { path, mode })
      if (this.#options.sync) this.#synced(path, set)
      else set()
    })
  }

  /** Anything but a directory, with all of its names. */
  make(node: PlannedNode): void {
    this.#work(node, () => {
      const path = this.#at(node.path)
      const type = node.mode & typeBits.mask
      if (type === typeBits.file) this.#makeFile(node, path)
      else if (type === typeBits.symlink) this.#makeSymlink(node, path)
      else if (!this.#makeSpecial(node, path)) return
      this.written.entries++
      for (const name of node.links) this.#link(node, path, name)
    })
  }

  #makeFile(node: PlannedNode, path: string | Buffer): void {
    const { contents, born, sync } = this.#options
    this.#attributes.operation = 'link'
    const shared = node.sizeBytes > 0 && contents.share(node, path)
    if (shared !== false) this.written.shared++
    if (shared === 'linked') return
    this.#attributes.operation = 'open'
    const flags = shared === 'cloned' ? constants.O_WRONLY : constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL
    const fd = openSync(path, flags | constants.O_NOFOLLOW, birthMode(node))
    const write = () => {
      if (shared === false && node.sizeBytes > 0) this.#fill(node, fd)
      // What was cloned has the mode of what it was cloned from
      this.#attributes.set(node, { path, fd, mode: shared === false ? bornMode(node, born) : unknownMode })
      this.#attributes.operation = 'fsync'
      if (sync) fsyncSync(fd)
    }
    inTurnNow([write, () => closeSync(fd)])
  }

  #fill(node: PlannedNode, fd: number): void {
    for (let at = 0; at < node.sizeBytes; ) {
      const piece = this.#options.contents.read(node, at)
      this.#attributes.operation = 'write'
      for (let done = 0; done < piece.length; ) done += writeSync(fd, piece, done, piece.length - done, null)
      at += piece.length
      this.written.bytes += piece.length
      this.#options.onBytes(piece.length)
    }
  }

  #makeSymlink(node: PlannedNode, path: string | Buffer): void {
    this.#attributes.operation = 'symlink'
    symlinkSync(isAscii(node.target) ? node.target : toBytes(node.target), path)
    this.#attributes.set(node, { path, mode: undefined })
  }

  /** Whether there is a device or fifo now. */
  #makeSpecial(node: PlannedNode, path: string | Buffer): boolean {
    const { calls, born } = this.#options
    const kind = (node.mode & typeBits.mask) === typeBits.fifo ? 'fifos' : 'devices'
    if (calls === undefined) return this.#leaveOut(node, kind)
    this.#attributes.operation = 'mknod'
    try {
      calls.mknod(path, (node.mode & typeBits.mask) | birthMode(node), node.deviceMajor, node.deviceMinor)
    } catch (error) {
      if (!isErrno(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error
      return this.#leaveOut(node, kind)
    }
    this.#attributes.set(node, { path, mode: bornMode(node, born) })
    return true
  }

  #leaveOut(node: PlannedNode, kind: NotSetKind): false {
    for (const name of [node.path, ...node.links]) this.#options.notSet.add(kind, name)
    return false
  }

  #link(node: PlannedNode, path: string | Buffer, name: ByteString): void {
    this.#work({ ...node, path: name }, () => {
      this.#attributes.operation = 'link'
      linkSync(path, this.#at(name))
      this.written.entries++
    })
  }

  /** Opened before its own mode may shut us out. */
  #synced(path: string | Buffer, set: () => void): void {
    this.#attributes.operation = 'open'
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
    try {
      set()
      this.#attributes.operation = 'fsync'
      fsyncSync(fd)
    } finally {
      closeRead(fd)
    }
  }

  /** Any failure but that of the store names the node. */
  #work(node: PlannedNode, work: () => void): void {
    try {
      work()
    } catch (cause) {
      if (!(cause instanceof Error) || !('syscall' in cause)) throw cause
      const slash = node.path.lastIndexOf('/')
      const folder = this.#at(node.path.slice(0, Math.max(slash, 0)) as ByteString)
      throw treeError(this.#attributes.operation, { path: node.path, folder }, cause)
    }
  }

  /** As text where that is the same: node:fs takes it faster. */
  #at(path: ByteString): string | Buffer {
    return isAscii(path) ? this.#top + path : Buffer.concat([this.#topBytes, toBytes(path)])
  }
}
