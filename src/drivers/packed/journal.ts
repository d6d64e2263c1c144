/**
 * The journal as a file: frames are appended, and read again at opening.
 *
 * Invariants:
 * - `end` is where the next frame goes. What a failed write left there is written over, and cut off at opening.
 * - Everything before `durable` is on the disk, with the contents it speaks of.
 */
import { PhylloError } from '../../errors.js'
import type { Sum } from '../../layerfile/format.js'
import {
  corruptUpper,
  frameHeaderBytes,
  frameMagic,
  getU64,
  headerBytes,
  headerMagic,
  journalVersion,
  putU64,
  viewOf,
  words,
} from './journal-format.js'
import { writeAgain } from './upper-files.js'
import { type OpenFile, readAll, type UpperIo, writeAll } from './upper-io.js'

export class Journal {
  path: string
  end: number
  durable: number
  /** Copies of the frames that are appended while somebody writes the journal that will take this one's place. */
  carried: Buffer[] | undefined
  readonly #io: UpperIo
  readonly #sum: Sum
  #file: OpenFile
  /** See `UpperFiles`: an fsync has failed. */
  #suspect = false

  constructor(io: UpperIo, sum: Sum, file: OpenFile, path: string, end: number, durable: number) {
    this.#io = io
    this.#sum = sum
    this.#file = file
    this.path = path
    this.end = end
    this.durable = durable
  }

  /** Makes an empty one. `finish` makes it whole. */
  static create(io: UpperIo, sum: Sum, path: string): Journal {
    if (io.fileBytes(path) !== undefined) io.unlink(path)
    return new Journal(io, sum, io.open(path, 'wx+'), path, headerBytes, headerBytes)
  }

  /** Appends a frame, whose header is filled in here. After a failure nothing has changed. */
  append(frame: Buffer): void {
    sealFrame(frame, this.end, this.durable, this.#sum)
    writeAll(this.#io, this.#file, frame, this.end)
    this.end += frame.length
    this.carried?.push(Buffer.from(frame))
  }

  /** Writes the header: all that is here now is one snapshot, and a journal with less than that is damaged. */
  finish(): void {
    const header = Buffer.alloc(headerBytes)
    const view = viewOf(header)
    for (const [i, word] of headerMagic.entries()) view.setUint32(words.header.magic + 4 * i, word, true)
    view.setUint32(words.header.version, journalVersion, true)
    putU64(view, words.header.snapshotEnd, this.end)
    putSum(view, words.header.checksum, this.#sum(header.subarray(0, words.header.checksum)))
    writeAll(this.#io, this.#file, header, 0)
  }

  async sync(): Promise<void> {
    try {
      if (this.#suspect) await writeAgain(this.#io, this.#file)
      await this.#io.syncData(this.#file)
      this.#suspect = false
    } catch (error) {
      this.#suspect = true
      throw error
    }
  }

  /** Cuts off what counts for nothing. */
  cut(): void {
    this.#io.truncate(this.#file, this.end)
  }

  /** Its file has another name now. */
  renamed(path: string): void {
    this.path = path
    this.#file = { ...this.#file, path }
  }

  close(): void {
    this.#io.close(this.#file)
  }

  read(): JournalFrames {
    const bytes = Buffer.allocUnsafeSlow(this.#io.fileBytes(this.path) ?? 0)
    const length = readAll(this.#io, this.#file, bytes, 0)
    return parseJournal(this.path, bytes.subarray(0, length), this.#sum)
  }
}

export interface Frame {
  readonly offset: number
  readonly payload: Buffer
}

export interface JournalFrames {
  readonly frames: readonly Frame[]
  /** Behind the last whole frame. */
  readonly end: number
  readonly durable: number
}

/** All frames that are whole. Throws STORE_VERSION, or STORE_CORRUPT if what is damaged is not the end. */
export function parseJournal(path: string, bytes: Buffer, sum: Sum): JournalFrames {
  const view = viewOf(bytes)
  const snapshotEnd = parseHeader(path, bytes, sum)
  const frames: Frame[] = []
  let durable = snapshotEnd
  let at = headerBytes
  for (let end = frameEnd(bytes, view, at, sum); end !== undefined; end = frameEnd(bytes, view, at, sum)) {
    frames.push({ offset: at, payload: bytes.subarray(at + frameHeaderBytes, end) })
    durable = Math.max(durable, getU64(view, at + words.frame.durable))
    at = end
  }
  if (at < durable) throw corruptUpper(path, 'damaged', at)
  if (hasFrameBehind(bytes, view, at, sum)) throw corruptUpper(path, 'damaged', at)
  return { frames, end: at, durable }
}

function parseHeader(path: string, bytes: Buffer, sum: Sum): number {
  const view = viewOf(bytes)
  const { magic, version, snapshotEnd, checksum } = words.header
  if (bytes.length < headerBytes) throw corruptUpper(path, 'the file ends within its header', bytes.length)
  if (headerMagic.some((word, i) => view.getUint32(magic + 4 * i, true) !== word)) {
    throw corruptUpper(path, 'not a journal', 0)
  }
  const found = view.getUint32(version, true)
  if (found > journalVersion) {
    throw new PhylloError(
      'STORE_VERSION',
      `${path}: version ${found}, and ${journalVersion} is the newest known here`,
      {
        path,
        version: found,
      },
    )
  }
  if (!isSum(view, checksum, sum(bytes.subarray(0, checksum)))) throw corruptUpper(path, 'damaged header', 0)
  return getU64(view, snapshotEnd)
}

/** Where the frame that begins at `at` ends; undefined: no whole frame begins there. */
function frameEnd(bytes: Buffer, view: DataView, at: number, sum: Sum): number | undefined {
  const { magic, payloadBytes, offset, checksum } = words.frame
  if (at + frameHeaderBytes > bytes.length || view.getUint32(at + magic, true) !== frameMagic) return undefined
  const end = at + frameHeaderBytes + view.getUint32(at + payloadBytes, true)
  if (end > bytes.length || getU64(view, at + offset) !== at) return undefined
  return isSum(view, at + checksum, sum(bytes.subarray(at + magic, end))) ? end : undefined
}

/** A frame says where it stands, so that bytes which only look like one are none. */
function hasFrameBehind(bytes: Buffer, view: DataView, from: number, sum: Sum): boolean {
  const magic = Buffer.alloc(4)
  magic.writeUInt32LE(frameMagic)
  for (let at = bytes.indexOf(magic, from + words.frame.magic + 1); at !== -1; at = bytes.indexOf(magic, at + 1)) {
    if (frameEnd(bytes, view, at - words.frame.magic, sum) !== undefined) return true
  }
  return false
}

function sealFrame(frame: Buffer, offset: number, durable: number, sum: Sum): void {
  const view = viewOf(frame)
  view.setUint32(words.frame.magic, frameMagic, true)
  view.setUint32(words.frame.payloadBytes, frame.length - frameHeaderBytes, true)
  putU64(view, words.frame.offset, offset)
  putU64(view, words.frame.durable, durable)
  putSum(view, words.frame.checksum, sum(frame.subarray(words.frame.magic)))
}

function putSum(view: DataView, at: number, [low, high]: readonly [number, number]): void {
  view.setUint32(at, low, true)
  view.setUint32(at + 4, high, true)
}

function isSum(view: DataView, at: number, [low, high]: readonly [number, number]): boolean {
  return view.getUint32(at, true) === low && view.getUint32(at + 4, true) === high
}
