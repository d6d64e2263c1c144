/**
 * A process as a store sees it: an empty file `owners/<id>` that it keeps flocked while its store is open for writing.
 * Everything transient that it makes is named after it (`<id>.<n>`). Who cannot be locked is alive; who can be locked
 * is dead, and so is who has no file at all: everything of theirs is free.
 *
 * Invariants:
 * - Owners are made and reaped under the root lock: nobody sees one between its file and its lock.
 * - An owner is a file and not a directory, because a file without content needs no free block: a store on a full disk
 *   can still be opened, and garbage collected.
 */
import { PhylloError } from '../errors.js'
import type { Flock } from '../native/flock.js'
import { type Io, ifThere } from './io.js'
import { letGo, tryLock } from './lock.js'
import type { StorePaths } from './paths.js'
import { Remains } from './remains.js'

export interface Owner {
  readonly id: string
  /** Descriptor of the flocked file. */
  readonly fd: number
  readonly remains: Remains
  /** A name that nobody has used and that says whose it is: `<id>.<n>`. */
  next(): string
}

/** What every part of the store that names owners needs. */
export interface OwnerContext {
  readonly io: Io
  readonly paths: StorePaths
}

/** Under the root lock. */
export async function createOwner({ io, paths }: OwnerContext, flock: Flock): Promise<Owner> {
  const id = io.randomName()
  const path = paths.below(paths.owners, id)
  const fd = await io.openLock(path)
  try {
    if (!(await tryLock(flock, fd, path)))
      throw new PhylloError('STORE_BUSY', `${path}: a new owner is locked by somebody else`, { path })
  } catch (error) {
    await letGo(io, fd)
    throw error
  }
  let count = 0
  return { id, fd, remains: new Remains(), next: () => `${id}.${count++}` }
}

/** Of one that has made nothing, or nothing that is left: its file goes, and with its descriptor the lock. */
export async function endOwner({ io, paths }: OwnerContext, { id, fd }: Owner): Promise<void> {
  try {
    await ifThere(io.unlink(paths.below(paths.owners, id)))
  } finally {
    await letGo(io, fd)
  }
}

/** Under the root lock. Opening anew makes our own owners look alive, too. */
export async function isAlive({ io, paths }: OwnerContext, flock: Flock, id: string): Promise<boolean> {
  const path = paths.below(paths.owners, id)
  const fd = await ifThere(io.openExisting(path))
  if (fd === undefined) return false
  try {
    return !(await tryLock(flock, fd, path))
  } finally {
    await letGo(io, fd)
  }
}

/** The owner's id in the name of something of his: `<id>`, `<id>.<n>` or `<place>@<id>.<n>`. */
export function ownerOf(name: string): string {
  return /^(?:.*@)?([^.@]*)/s.exec(name)?.[1] ?? ''
}
