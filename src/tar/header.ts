/**
 * One 512-byte header block: what it says, field by field, without what PAX or GNU headers before it say.
 * POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
 *
 * Numbers are checked for grammar here and for range where their last word is known (resolve.ts). The block is not
 * kept: strings are copies.
 */
import { type ByteString, byteString } from '../byte-string.js'
import { PhylloError } from '../errors.js'
import { isFilledWith, parseBase256, parseNumber, parseOctal } from './numbers.js'

export const blockBytes = 512

/** Type flags. NUL is the file of v7. */
export const flag = {
  v7File: 0,
  file: 0x30,
  hardlink: 0x31,
  symlink: 0x32,
  char: 0x33,
  block: 0x34,
  directory: 0x35,
  fifo: 0x36,
  contiguous: 0x37,
  gnuLongLink: 0x4b,
  gnuLongName: 0x4c,
  gnuSparse: 0x53,
  paxGlobal: 0x67,
  paxLocal: 0x78,
} as const

/** Reused for every block, hence mutable. */
export interface Header {
  typeFlag: number
  /** Prefix and name joined; may be empty, since a meta header can name the entry. */
  name: ByteString
  /** Of symlinks and hard links; empty for all else. */
  linkName: ByteString
  mode: number
  uid: number
  gid: number
  size: number
  /** The size has digits up to the end of its field; it counts only where a PAX record confirms it. */
  sizeUnterminated: boolean
  mtimeSec: number
  deviceMajor: number
  deviceMinor: number
}

const none = '' as ByteString

export function newHeader(): Header {
  return {
    typeFlag: 0,
    name: none,
    linkName: none,
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    sizeUnterminated: false,
    mtimeSec: 0,
    deviceMajor: 0,
    deviceMinor: 0,
  }
}

export function isZeroBlock(block: Uint8Array, at: number): boolean {
  return block[at] === 0 && isFilledWith(0, block, at, blockBytes)
}

/**
 * Reads the block at `at` into `header`. `words` is a view of the same memory, from the same byte on, and `at` a
 * multiple of 4: the checksum of 512 bytes is the greater part of the work. Throws TAR_INVALID.
 */
export function readHeader(block: Buffer, words: Int32Array, at: number, header: Header): void {
  header.name = none
  verifyChecksum(block, words, at)
  const type = block[at + 156]!
  header.typeFlag = type
  header.name = text(block, at, 100)
  header.linkName = type === flag.hardlink || type === flag.symlink ? text(block, at + 157, 100) : none
  const format = formatOf(block, at)
  if (format === 'ustar') readPrefix(block, at, header)
  else if (!isFilledWith(0, block, at + 345, 155))
    throw invalid('bytes where only a ustar header has a name prefix; readers disagree about this name')
  header.mode = number(block, at + 100, 8, 'mode')
  header.uid = number(block, at + 108, 8, 'uid')
  header.gid = number(block, at + 116, 8, 'gid')
  header.mtimeSec = number(block, at + 136, 12, 'mtime')
  readSize(block, at + 124, header)
  header.deviceMajor = deviceNumber(block, at + 329, type, format)
  header.deviceMinor = deviceNumber(block, at + 337, type, format)
}

/** Links, devices, directories and fifos have no content, whatever their size field says. */
export function isHeaderOnly(typeFlag: number): boolean {
  return typeFlag >= flag.hardlink && typeFlag <= flag.fifo
}

function invalid(reason: string): PhylloError {
  return new PhylloError('TAR_INVALID', reason)
}

/** Unsigned as POSIX says, or signed as some old writers did; the two differ only when a byte is over 0x7f. */
function verifyChecksum(block: Uint8Array, words: Int32Array, at: number): void {
  const stored = parseOctal(block, at + 148, 8)
  let sum = sumOf(words, at >> 2) + 8 * 0x20
  for (let i = at + 148; i < at + 156; i++) sum -= block[i]!
  if (sum === stored) return
  for (let i = at; i < at + blockBytes; i++) if (block[i]! > 0x7f && (i < at + 148 || i >= at + 156)) sum -= 256
  if (sum !== stored) throw invalid('the header checksum does not match: damaged, or no tar archive')
}

/** Sum of the bytes of 128 words, two bytes at a time in 16-bit lanes: 128 x 255 does not overflow one. */
function sumOf(words: Int32Array, from: number): number {
  let even = 0
  let odd = 0
  for (let i = from; i < from + 128; i += 4) {
    const a = words[i]!
    const b = words[i + 1]!
    const c = words[i + 2]!
    const d = words[i + 3]!
    even += (a & 0xff00ff) + (b & 0xff00ff) + (c & 0xff00ff) + (d & 0xff00ff)
    odd += ((a >>> 8) & 0xff00ff) + ((b >>> 8) & 0xff00ff) + ((c >>> 8) & 0xff00ff) + ((d >>> 8) & 0xff00ff)
  }
  return (even & 0xffff) + (even >>> 16) + (odd & 0xffff) + (odd >>> 16)
}

type Format = 'ustar' | 'gnu' | 'v7'

/** An unknown magic is read as v7, as everybody does. */
function formatOf(block: Uint8Array, at: number): Format {
  const m = at + 257
  const ustar = block[m] === 0x75 && block[m + 1] === 0x73 && block[m + 2] === 0x74 && block[m + 3] === 0x61
  if (!ustar || block[m + 4] !== 0x72) return 'v7'
  if (block[m + 5] === 0) return 'ustar'
  return block[m + 5] === 0x20 && block[m + 6] === 0x20 && block[m + 7] === 0 ? 'gnu' : 'v7'
}

/** `star` puts times behind a prefix of 131 bytes, and says so with `tar` at the very end. */
function readPrefix(block: Buffer, at: number, header: Header): void {
  if (block[at + 345] === 0) return
  const star = block[at + 508] === 0x74 && block[at + 509] === 0x61 && block[at + 510] === 0x72 && block[at + 511] === 0
  if (star && block[at + 345 + 130] !== 0) throw invalid('a star header whose name prefix is not ended')
  header.name = `${text(block, at + 345, 155)}/${header.name}` as ByteString
}

/** Up to the first NUL, or the whole field. */
function text(block: Buffer, at: number, length: number): ByteString {
  let end = at
  while (end < at + length && block[end] !== 0) end++
  return end === at ? none : byteString(block, at, end)
}

/** A field of NULs is 0: several writers leave out owners and modes. */
function number(block: Uint8Array, at: number, length: number, field: string): number {
  const value = parseNumber(block, at, length)
  if (!Number.isNaN(value)) return value
  if (isFilledWith(0, block, at, length)) return 0
  throw invalid(`the ${field} field is not a number`)
}

/** Without a size a file has no end, so that only entries without content may leave it out. */
function readSize(block: Uint8Array, at: number, header: Header): void {
  const binary = block[at]! >= 0x80
  const last = block[at + 11]!
  header.size = binary ? parseBase256(block, at, 12) : parseOctal(block, at, 12, true)
  header.sizeUnterminated = !binary && last >= 0x30 && last <= 0x37
  if (isHeaderOnly(header.typeFlag) && isFilledWith(0, block, at, 12)) header.size = 0
  if (!(header.size >= 0 && Number.isSafeInteger(header.size))) throw invalid('the size field is not a size')
}

/**
 * Everything but devices may leave the fields blank. v7 knows no devices: its readers take these bytes for padding or
 * for numbers, so that they must not matter.
 */
function deviceNumber(block: Uint8Array, at: number, type: number, format: Format): number {
  const device = type === flag.char || type === flag.block
  if (isFilledWith(0, block, at, 8)) return 0
  if (!device && (format === 'v7' || isFilledWith(0x20, block, at, 8))) return 0
  const value = parseNumber(block, at, 8)
  if (Number.isNaN(value) || (format === 'v7' && value !== 0)) throw invalid('a device number is not a number')
  return value
}
