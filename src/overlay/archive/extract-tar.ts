/**
 * A tar unpacked into a directory of a container: Docker's `PUT /containers/ID/archive`, which `docker cp - CONTAINER:DIR` calls.
 *
 * - Owners, modes, times and xattrs are those of the tar. The directory itself stays as it is; others that are there already are
 *   merged and get the tar's attributes.
 * - A directory and what is none do not take each other's place: EISDIR, ENOTDIR. Anything else that is there is replaced.
 * - Names of whiteouts are names like any other.
 *
 * Invariants:
 * - Names count from the directory and do not climb above it: PATH_ESCAPE. Symlinks on the way are followed inside of the container,
 *   and lead nowhere else.
 * - What was unpacked before a failure stays; a file that was being written then is there in part.
 */
import fs from 'node:fs'
import { type ByteString, toText } from '../../byte-string.js'
import { isErrno } from '../../errors.js'
import { chunkBytes, type Limits } from '../../limits.js'
import type { EntryType, TarEntry } from '../../tar/entry.js'
import { normalizeName } from '../../tar/name.js'
import type { Time } from '../../tar/numbers.js'
import { TarScanner } from '../../tar/scanner.js'
import { pushShowing } from '../../tar/show-content.js'
import { isOfTheImage } from '../difference/differs.js'
import { type PathArgument, pathArgument } from '../union/arguments.js'
import { upperOf } from '../union/copy-up.js'
import type { Dentry } from '../union/dentry.js'
import { errnoError } from '../union/errno.js'
import { S_IFBLK, S_IFCHR, S_IFIFO } from '../union/mode.js'
import { closeFile, openFile } from '../union/open.js'
import { chmod, chown, setTimes, setXattr } from '../union/syscalls-attributes.js'
import { write } from '../union/syscalls-files.js'
import { link, mkdir, mknod, symlink, unlink } from '../union/syscalls-names.js'
import type { Union } from '../union/union.js'

const syscall = 'putArchive'
const { O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_WRONLY } = fs.constants
/** Of directories that the tar names nowhere, less the umask. */
const impliedMode = 0o777
/** As Docker: not every file system has xattrs of every namespace. */
const forgivenXattrs: ReadonlySet<string> = new Set(['EOPNOTSUPP', 'EPERM'])

/** The directory that a path leads to, symlinks followed. Throws ENOENT, ENOTDIR, EROFS, … */
export function extractionPoint(union: Union, path: unknown): Dentry {
  union.assertOpen()
  const argument = pathArgument(path)
  const dentry = union.at(argument, true, syscall)
  if (dentry.directory === undefined) throw errnoError('ENOTDIR', syscall, argument.text)
  if (union.readOnly) throw errnoError('EROFS', syscall, argument.text)
  return dentry
}

/** Throws TAR_INVALID, ENTRY_UNSUPPORTED, METADATA_INVALID, LIMIT_EXCEEDED, PATH_ESCAPE, and errno errors of the container. */
export async function extractTar(
  union: Union,
  directory: Dentry,
  input: AsyncIterable<Uint8Array>,
  limits: Limits,
): Promise<void> {
  const extraction = new Extraction(union, directory, limits)
  try {
    for await (const chunk of input)
      for (let at = 0; at < chunk.length; at += chunkBytes) {
        extraction.take(chunk.subarray(at, at + chunkBytes))
        if (union.pace.due()) await union.pace.turn()
      }
    extraction.end()
  } finally {
    extraction.close()
  }
}

/** A file whose content is coming. */
interface Arriving {
  readonly fd: number
  readonly path: PathArgument
  readonly entry: TarEntry
  left: number
}

class Extraction {
  readonly #union: Union
  readonly #directory: Dentry
  readonly #limits: Limits
  readonly #scanner: TarScanner
  /** Making what is in them changes their times: these come last. */
  readonly #directories: { readonly dentry: Dentry; readonly time: Time }[] = []
  #arriving: Arriving | undefined

  constructor(union: Union, directory: Dentry, limits: Limits) {
    this.#union = union
    this.#directory = directory
    this.#limits = limits
    this.#scanner = new TarScanner({ limits, onEntry: entry => this.#unpack(entry) })
  }

  take(chunk: Uint8Array): void {
    pushShowing(this.#scanner, chunk, piece => this.#write(piece))
  }

  end(): void {
    this.#scanner.end()
    for (const { dentry, time } of this.#directories)
      if (this.#union.tree.isLinked(dentry)) setTimes(this.#union, dentry, time, time)
  }

  /** To be called however it ended. */
  close(): void {
    if (this.#arriving === undefined || this.#union.closed) return
    closeFile(this.#union, this.#arriving.fd)
    this.#arriving = undefined
  }

  #unpack(entry: TarEntry): void {
    this.#union.assertOpen()
    const names = normalizeName(entry.name, this.#limits)
    const path = this.#pathOf(names)
    if (names.length > 0) this.#makeParents(names)
    const there = this.#makeRoom(path, entry.type)
    if (names.length === 0) return
    if (entry.type === 'file') this.#open(path, entry)
    else if (entry.type === 'hardlink')
      link(this.#union, this.#pathOf(normalizeName(entry.linkName, this.#limits)), path)
    else this.#make(path, entry, there)
  }

  #make(path: PathArgument, entry: TarEntry, there: Dentry | undefined): void {
    const union = this.#union
    upperOf(union).atomically(() => {
      if (there === undefined) makeNode(union, path, entry)
      const dentry = union.at(path, false, syscall)
      setAttributes(union, dentry, entry, path)
      if (entry.type === 'directory') this.#directories.push({ dentry, time: timeOf(entry) })
    })
  }

  #open(path: PathArgument, entry: TarEntry): void {
    const fd = openFile(this.#union, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    this.#arriving = { fd, path, entry, left: entry.sizeBytes }
    if (entry.sizeBytes === 0) this.#arrived(this.#arriving)
  }

  /** Of a content; behind its end padding. */
  #write(piece: Uint8Array): void {
    this.#union.assertOpen()
    const arriving = this.#arriving
    if (arriving === undefined) return
    const bytes = piece.subarray(0, arriving.left)
    try {
      write(this.#union, this.#union.handles.get(arriving.fd, 'write'), bytes, undefined)
    } catch (error) {
      throw isErrno(error, 'EDQUOT') ? errnoError('EDQUOT', 'write', arriving.path.text) : error
    }
    arriving.left -= bytes.length
    if (arriving.left === 0) this.#arrived(arriving)
  }

  #arrived({ fd, path, entry }: Arriving): void {
    setAttributes(this.#union, this.#union.handles.get(fd, syscall).dentry, entry, path)
    this.close()
  }

  /** Takes away what the entry replaces; answers with a directory that stays. */
  #makeRoom(path: PathArgument, type: EntryType): Dentry | undefined {
    const there = this.#union.lookup(path, false)
    // Whoever makes the name says why it cannot be.
    if (typeof there === 'string') return undefined
    if (there.directory === undefined) {
      if (type === 'directory') throw errnoError('ENOTDIR', syscall, path.text)
      unlink(this.#union, path)
      return undefined
    }
    if (type !== 'directory') throw errnoError('EISDIR', syscall, path.text)
    return there
  }

  #makeParents(names: readonly ByteString[]): void {
    const parents = names.slice(0, -1)
    if (this.#union.lookup(this.#pathOf(parents), true) !== 'ENOENT') return
    for (let count = 1; count <= parents.length; count++) {
      const path = this.#pathOf(parents.slice(0, count))
      if (this.#union.lookup(path, true) === 'ENOENT') mkdir(this.#union, path, impliedMode)
    }
  }

  #pathOf(names: readonly ByteString[]): PathArgument {
    const base = this.#union.tree.pathOf(this.#directory)
    const bytes = (base === '/' ? `/${names.join('/')}` : [base, ...names].join('/')) as ByteString
    return { text: toText(bytes), bytes, exact: false }
  }
}

/** What has no content. */
function makeNode(
  union: Union,
  path: PathArgument,
  { type, mode, deviceMajor, deviceMinor, linkName }: TarEntry,
): void {
  if (type === 'directory') mkdir(union, path, mode)
  else if (type === 'symlink') symlink(union, { text: toText(linkName), bytes: linkName, exact: false }, path)
  else if (type === 'fifo') mknod(union, path, S_IFIFO | mode)
  else mknod(union, path, (type === 'char' ? S_IFCHR : S_IFBLK) | mode, deviceMajor, deviceMinor)
}

/** The owner first, for changing it takes set-id bits and capabilities away; the time last. */
function setAttributes(union: Union, dentry: Dentry, entry: TarEntry, path: PathArgument): void {
  upperOf(union).atomically(() => {
    chown(union, dentry, entry.uid, entry.gid)
    for (const xattr of entry.xattrs) {
      const code = isOfTheImage(xattr.name) ? setXattr(union, dentry, xattr, undefined) : undefined
      if (code !== undefined && !forgivenXattrs.has(code)) throw errnoError(code, 'setxattr', path.text)
    }
    if (entry.type !== 'symlink') chmod(union, dentry, entry.mode)
    setTimes(union, dentry, timeOf(entry), timeOf(entry))
  })
}

function timeOf({ mtimeSec, mtimeNsec }: TarEntry): Time {
  return { sec: mtimeSec, nsec: mtimeNsec }
}
