/**
 * The files of an unpacked layer, found by the names that they have in its tar, without any mount: symlinks on the way are followed
 * as if the layer's directory were the root of the system, as they were when it was unpacked (facts: docker-store 7.3). Docker itself
 * looks on the host's paths (6.7).
 *
 * A walk by lstat and not openat2: the result of a directory serves all files in it, so that a file costs no call more, and it is the
 * same wherever it runs. Nobody but the store's owner can change the directory meanwhile: it stands below a directory of mode 0710 or
 * less, and is complete.
 *
 * Invariants: nothing outside of the directory is opened; nothing but a regular file is opened at all, since opening a device acts.
 */
import { constants, lstatSync, openSync, readlinkSync, type Stats } from 'node:fs'
import { type ByteString, byteString, fromText, printable } from '../byte-string.js'
import { callError, PhylloError } from '../errors.js'
import { symlinkHops } from '../limits.js'

const none = '' as ByteString

export class LayerContents {
  readonly #diff: string
  readonly #root: ByteString
  /** The parents of the last name, and the real directory that each of them leads to, below the root and with a leading slash. */
  readonly #names: ByteString[] = []
  readonly #reals: ByteString[] = []
  /** The last directory in which a name was found: as it was written, and what it leads to. */
  #last: { readonly before: string; readonly real: ByteString } | undefined

  constructor(diff: string) {
    this.#diff = diff
    this.#root = fromText(diff)
  }

  /**
   * Opens the file that was unpacked under this name, which has this size; the caller closes it. Throws STORE_CORRUPT, naming the
   * file, and STORE_IO.
   */
  open(name: ByteString, sizeBytes: number): number {
    const path = this.#find(name)
    if (path === undefined) throw this.corrupt(name, 'is no name of a file')
    const stats = this.#lstat(path, name)
    if (stats === undefined) throw this.corrupt(name, 'is not there')
    if (!stats.isFile()) throw this.corrupt(name, 'is not a regular file')
    if (stats.size !== sizeBytes) throw this.corrupt(name, `has ${stats.size} bytes, not ${sizeBytes}`)
    try {
      return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    } catch (cause) {
      throw this.failed('open', name, cause)
    }
  }

  /** What stands under this name, which is not followed, and its path. Undefined: nothing, or the root itself. Throws as `open`. */
  look(name: ByteString): { readonly stats: Stats; readonly path: Buffer } | undefined {
    const path = this.#find(name)
    if (path === undefined) return undefined
    const stats = this.#lstat(path, name)
    return stats && { stats, path }
  }

  /** The layer is damaged at this file. */
  corrupt(name: ByteString, reason: string): PhylloError {
    const path = this.#shown(name)
    return new PhylloError('STORE_CORRUPT', `${path}: ${reason}`, { path, entry: printable(name) })
  }

  failed(operation: string, name: ByteString, cause: unknown): PhylloError {
    return callError('STORE_IO', cause, { operation, path: this.#shown(name) })
  }

  #shown(name: ByteString): string {
    return `${this.#diff}/${printable(name)}`
  }

  #pathOf(real: ByteString): Buffer {
    return Buffer.from(this.#root + real, 'latin1')
  }

  /** Its path; undefined for the root itself and for what no file can be called. Nearly all files stand in the directory of the last one. */
  #find(name: ByteString): Buffer | undefined {
    if (name.includes('\0')) return undefined
    const cut = name.lastIndexOf('/') + 1
    const [before, last] = [name.slice(0, cut), name.slice(cut) as ByteString]
    // Only then what stands before the last slash is the directory of what stands behind it.
    const plain = !noLeaf.has(last)
    if (plain && this.#last?.before === before) return this.#pathOf(`${this.#last.real}/${last}` as ByteString)
    const parts = cleanParts(name)
    const leaf = parts.pop()
    if (leaf === undefined) return undefined
    const real = this.#parentOf(parts, name)
    if (plain) this.#last = { before, real }
    return this.#pathOf(`${real}/${leaf}` as ByteString)
  }

  /** What the parents that it has in common with the last name lead to is known. */
  #parentOf(parts: readonly ByteString[], name: ByteString): ByteString {
    let known = 0
    while (known < parts.length && parts[known] === this.#names[known]) known++
    this.#names.length = this.#reals.length = known
    let real = known === 0 ? none : this.#reals[known - 1]!
    const hops = { left: symlinkHops }
    for (const part of parts.slice(known)) {
      real = this.#step(real, part, hops, name)
      this.#names.push(part)
      this.#reals.push(real)
    }
    return real
  }

  /** The directory that a component leads to, from the directory `real` on. */
  #step(real: ByteString, part: ByteString, hops: { left: number }, name: ByteString): ByteString {
    if (part === '' || part === '.') return real
    if (part === '..') return real.slice(0, Math.max(0, real.lastIndexOf('/'))) as ByteString
    const next = `${real}/${part}` as ByteString
    const path = this.#pathOf(next)
    const stats = this.#lstat(path, name)
    if (stats?.isDirectory()) return next
    if (!stats?.isSymbolicLink()) throw this.corrupt(name, `${printable(next)} of the layer is not a directory`)
    if (hops.left-- === 0) throw this.corrupt(name, `more than ${symlinkHops} symlinks lead to it`)
    const target = this.#readlink(path, name)
    let reached = target.startsWith('/') ? none : real
    for (const component of target.split('/') as ByteString[]) reached = this.#step(reached, component, hops, name)
    return reached
  }

  #lstat(path: Buffer, name: ByteString): Stats | undefined {
    try {
      return lstatSync(path, { throwIfNoEntry: false })
    } catch (cause) {
      throw this.failed('lstat', name, cause)
    }
  }

  #readlink(path: Buffer, name: ByteString): ByteString {
    try {
      return byteString(readlinkSync(path, 'buffer'))
    } catch (cause) {
      throw this.failed('readlink', name, cause)
    }
  }
}

/** Last components that are no name in the directory before them. */
const noLeaf: ReadonlySet<string> = new Set(['', '.', '..'])

/** As Docker reads a name before it follows anything: `a/../b` is `b` whatever `a` is, and the root is as high as it goes. */
function cleanParts(name: ByteString): ByteString[] {
  const parts: ByteString[] = []
  for (const part of name.split('/') as ByteString[]) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts
}
