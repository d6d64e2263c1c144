/**
 * Opens the upper of a container for looking, also while somebody else has it open and changes it.
 *
 * Invariants:
 * - Nothing is written, held, cut off or removed; files are opened for reading.
 * - What is shown is what was there after one frame: the last one that was handed over when the upper was opened.
 * - Contents are read when they are asked for. What is gone by then is CONTAINER_CHANGED; of large contents, which are written in
 *   place, bytes may be newer.
 */
import fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { closeRead } from '../../disk/descriptors.js'
import { PhylloError, told } from '../../errors.js'
import { type Checksums, loadChecksums } from '../../layerfile/checksum.js'
import type { Sum } from '../../layerfile/format.js'
import type { UpperTree } from '../upper-tree.js'
import { Holds } from './holds.js'
import { Journal } from './journal.js'
import { corruptUpper, journalName } from './journal-format.js'
import { LargeContents } from './large-contents.js'
import { PackedUpper } from './packed-upper.js'
import { replay } from './replay.js'
import { Segments } from './segments.js'
import { UpperFiles } from './upper-files.js'
import { nodeUpperIo, type OpenFile, type UpperIo } from './upper-io.js'
import type { UpperParts } from './upper-keeper.js'

export interface LookOptions {
  /** To be shared: see layerfile/checksum.ts. */
  readonly checksums?: Checksums
  readonly io?: UpperIo
}

/** How often it is tried while the journal changes under the look, and how long is waited in between, milliseconds. */
const mostTries = 20
const pauseMs = 5

/** Throws STORE_IO, STORE_VERSION, or STORE_CORRUPT, naming the file; CONTAINER_CHANGED if it never holds still. */
export async function lookAtPackedUpper(directory: string, options: LookOptions): Promise<PackedUpper> {
  const { io = nodeUpperIo } = options
  const { xxh64: sum } = options.checksums ?? (await loadChecksums())
  const path = `${directory}/${journalName}`
  for (let tries = 1; ; tries++) {
    const before = journalAt(path)
    const look = { directory, io, sum, since: Date.now() + 1 }
    try {
      const { parts, whole } = assemble(look, path)
      const after = journalAt(path)
      // A frame is given up for what is missing: of a journal that goes on changing that says nothing.
      if (isSame(before, after) || (whole && before?.file === after?.file)) return new PackedUpper(parts)
    } catch (error) {
      if (tries >= mostTries || isSame(before, journalAt(path))) throw error
    }
    if (tries >= mostTries) throw changed(path)
    await sleep(pauseMs * tries)
  }
}

interface JournalAt {
  /** Another one when a new journal has taken the place of the old one. */
  readonly file: string
  readonly bytes: number
}

function journalAt(path: string): JournalAt | undefined {
  const stats = told('STORE_IO', { operation: 'stat', path }, () => fs.statSync(path, { throwIfNoEntry: false }))
  return stats && { file: `${stats.dev} ${stats.ino}`, bytes: stats.size }
}

function isSame(one: JournalAt | undefined, other: JournalAt | undefined): boolean {
  return one?.file === other?.file && one?.bytes === other?.bytes
}

interface Look {
  readonly directory: string
  readonly io: UpperIo
  readonly sum: Sum
  /** No earlier than it began, and no later than a millisecond after that; since 1970. */
  readonly since: number
}

interface Looked {
  readonly parts: UpperParts
  /** No frame was given up. */
  readonly whole: boolean
}

function assemble(look: Look, path: string): Looked {
  const { directory, io, sum } = look
  if (io.fileBytes(path) === undefined) throw corruptUpper(path, 'missing')
  const reading: UpperIo = { ...io, open: name => io.open(name, 'r'), close: ({ fd }) => closeRead(fd) }
  const journal = new Journal(reading, sum, reading.open(path, 'r'), path, 0, 0)
  const files = new UpperFiles(reading, directory)
  try {
    const read = journal.read()
    const { tree, frames, seen } = replay(path, read, files, sum, { record: () => undefined, letGo: () => undefined })
    return { parts: partsOf(look, tree, seen), whole: frames.length === read.frames.length }
  } finally {
    journal.close()
    files.close()
  }
}

/** `last`: the highest numbers of files. Nothing is ever appended, so no segment is continued. */
function partsOf(look: Look, tree: UpperTree, last: { readonly segment: number; readonly file: number }): UpperParts {
  const { directory, sum } = look
  const io = lookingIo(look)
  const files = new UpperFiles(io, directory)
  const holds = new Holds()
  const path = `${directory}/${journalName}`
  return {
    directory,
    tree,
    journal: new Journal(io, sum, { fd: noFile, path }, path, 0, 0),
    segments: new Segments(files, sum, new Map(), last.segment),
    large: new LargeContents(files, holds, last.file + 1),
    files,
    holds,
    sum,
    eager: false,
    listener: { record: () => undefined, letGo: () => undefined },
  }
}

const noFile = -1

/** Every read is of bytes that the journal speaks of: where there are none any more, they were taken away. */
function lookingIo({ io, since }: Look): UpperIo {
  const refuse = () => {
    throw new TypeError('the container was opened for looking')
  }
  const there = (file: OpenFile, into: Uint8Array, count: number) => {
    if (count === 0 && into.length > 0) throw changed(file.path)
    return count
  }
  return {
    ...io,
    open: path => openOld(io, path, since),
    close: ({ fd }) => fd !== noFile && closeRead(fd),
    read: (file, into, position) => there(file, into, io.read(file, into, position)),
    readLater: async (file, into, position) => there(file, into, await io.readLater(file, into, position)),
    ...{ makeDirectory: refuse, write: refuse, truncate: refuse, rename: refuse, unlink: refuse },
    ...{ reflink: refuse, reflinkSync: refuse },
    ...{ sync: refuse, syncData: refuse, syncDirectory: refuse, syncNow: refuse },
  }
}

/** A number may mean another file after a compaction and one more opening: what was made since is not the one. */
function openOld(io: UpperIo, path: string, since: number): OpenFile {
  const file = opened(io, path)
  try {
    if (birthtimeMs(file) <= since) return file
  } catch (error) {
    closeRead(file.fd)
    throw error
  }
  closeRead(file.fd)
  throw changed(path)
}

function birthtimeMs({ fd, path }: OpenFile): number {
  return told('STORE_IO', { operation: 'fstat', path }, () => fs.fstatSync(fd).birthtimeMs)
}

function opened(io: UpperIo, path: string): OpenFile {
  try {
    return io.open(path, 'r')
  } catch (error) {
    throw error instanceof PhylloError && error.errno === 'ENOENT' ? changed(path) : error
  }
}

function changed(path: string): PhylloError {
  return new PhylloError('CONTAINER_CHANGED', `${path}: was changed since the container was opened for reading`, {
    path,
  })
}
