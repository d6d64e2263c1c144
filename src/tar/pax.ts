/**
 * PAX extended headers: records `<length> <key>=<value>\n`. POSIX.1-2017 pax, "pax Extended Header".
 *
 * Bytes end to end: xattr values are binary. Keys are never used as property names, and records that mean nothing to
 * an image are looked at only as far as their grammar. A key that comes twice, and an empty value where a value is
 * needed, are read differently by different readers, and refused.
 */
import { type ByteString, byteString, printable } from '../byte-string.js'
import { PhylloError } from '../errors.js'
import { type Limits, limitError } from '../limits.js'
import type { Xattr } from './entry.js'
import { parseDecimal, parseTime, type Time } from './numbers.js'

/** What a local header says about the entry that it stands before. Ranges are not checked yet. */
export interface PaxAttributes {
  path?: ByteString
  linkPath?: ByteString
  size?: number
  uid?: number
  gid?: number
  mtime?: Time
  deviceMajor?: number
  deviceMinor?: number
  readonly xattrs: Xattr[]
}

const xattrPrefix = 'SCHILY.xattr.'
/** Linux XATTR_NAME_MAX. */
const xattrNameBytes = 255

const newline = 0x0a
const space = 0x20
const tab = 0x09
const equals = 0x3d

/** Calls `visit` for every record of the body. Throws TAR_INVALID where the grammar is not kept. */
export function eachRecord(body: Buffer, visit: (key: ByteString, start: number, end: number) => void): void {
  for (let at = 0; at < body.length; ) {
    let blank = at
    while (blank < body.length && body[blank]! >= 0x30 && body[blank]! <= 0x39) blank++
    // A length with leading zeros is another one to readers that take it for octal.
    const plain = body[blank] === space && blank - at < 10 && body[at] !== 0x30
    const end = plain ? at + parseDecimal(body, at, blank) - 1 : Number.NaN
    if (!(end > blank && end < body.length && body[end] === newline))
      throw invalid('a PAX record does not have the length that it says')
    let separator = blank + 1
    // GNU tar skips further blanks, others take them for a part of the key.
    if (body[separator] === space || body[separator] === tab) throw invalid('a PAX key begins with a blank')
    while (separator < end && body[separator] !== equals && body[separator] !== 0) separator++
    if (separator === blank + 1 || body[separator] !== equals) throw invalid('a PAX record is not <key>=<value>')
    visit(byteString(body, blank + 1, separator), separator + 1, end)
    at = end + 1
  }
}

/** Reads the body of an `x` header. */
export function parsePax(body: Buffer, limits: Limits): PaxAttributes {
  const attributes: PaxAttributes = { xattrs: [] }
  const seen: ByteString[] = []
  let xattrBytes = 0
  eachRecord(body, (key, start, end) => {
    if (key.startsWith(xattrPrefix)) {
      addXattr(attributes.xattrs, key.slice(xattrPrefix.length) as ByteString, body, start, end, limits)
      xattrBytes += key.length - xattrPrefix.length + end - start
      if (xattrBytes > limits.xattrBytes) throw limitError('xattrBytes', limits.xattrBytes, xattrBytes, 'xattrs')
      return
    }
    if (!readRecord(attributes, key, body, start, end)) return
    if (seen.includes(key)) throw invalid(`the PAX key ${key} comes twice`)
    seen.push(key)
  })
  return attributes
}

/**
 * Reads the body of a `g` header. Half of all readers apply its records to every entry that follows and half do not,
 * so that only records which change nothing are accepted: comments, as `git archive` writes them.
 */
export function checkGlobalPax(body: Buffer): void {
  eachRecord(body, key => {
    if (key !== 'comment')
      throw invalid(`a global PAX header sets ${printable(key)}; readers disagree about what that does`)
  })
}

/** False for records that mean nothing here. */
function readRecord(attributes: PaxAttributes, key: ByteString, body: Buffer, start: number, end: number): boolean {
  switch (key as string) {
    case 'path':
      attributes.path = textOf(key, body, start, end)
      return true
    case 'linkpath':
      attributes.linkPath = textOf(key, body, start, end)
      return true
    case 'size':
      attributes.size = numberOf(key, body, start, end)
      return true
    case 'uid':
      attributes.uid = numberOf(key, body, start, end)
      return true
    case 'gid':
      attributes.gid = numberOf(key, body, start, end)
      return true
    case 'SCHILY.devmajor':
      attributes.deviceMajor = numberOf(key, body, start, end)
      return true
    case 'SCHILY.devminor':
      attributes.deviceMinor = numberOf(key, body, start, end)
      return true
    case 'mtime':
      attributes.mtime = timeOf(key, body, start, end)
      return true
    case 'atime':
    case 'ctime':
      timeOf(key, body, start, end)
      return true
    case 'uname':
    case 'gname':
      if (body.subarray(start, end).includes(0)) throw invalid(`the PAX record ${key} holds a NUL`)
      return true
    default:
      refuseSparse(key)
      return false
  }
}

/** GNU.sparse.*, GNU.volume.* and GNU.dumpdir, and the sparse files of star and Solaris: content that is not content. */
function refuseSparse(key: ByteString): void {
  if (key.startsWith('GNU.') || key === 'SCHILY.realsize' || key === 'SUN.holesdata')
    throw new PhylloError('ENTRY_UNSUPPORTED', `sparse, multi-volume and incremental entries (${printable(key)})`)
}

function addXattr(xattrs: Xattr[], name: ByteString, body: Buffer, start: number, end: number, limits: Limits): void {
  if (name.length === 0 || name.length > xattrNameBytes)
    throw new PhylloError(
      'METADATA_INVALID',
      `the name of an xattr has ${name.length} bytes, not 1 to ${xattrNameBytes}`,
    )
  if (xattrs.some(xattr => xattr.name === name))
    throw new PhylloError('METADATA_INVALID', `the xattr ${printable(name)} comes twice`)
  if (xattrs.length >= limits.xattrs)
    throw limitError('xattrs', limits.xattrs, xattrs.length + 1, 'xattrs of one entry')
  // A copy: the body's memory is used again.
  xattrs.push({ name, value: Buffer.from(body.subarray(start, end)) })
}

function textOf(key: ByteString, body: Buffer, start: number, end: number): ByteString {
  const text = byteString(body, start, end)
  if (text === '') throw invalid(`the PAX record ${key} is empty`)
  if (text.includes('\0')) throw invalid(`the PAX record ${key} holds a NUL`)
  return text
}

function numberOf(key: ByteString, body: Buffer, start: number, end: number): number {
  const value = parseDecimal(body, start, end)
  if (Number.isNaN(value)) throw invalid(`the PAX record ${key} is not a decimal number`)
  return value
}

function timeOf(key: ByteString, body: Buffer, start: number, end: number): Time {
  const time = parseTime(body, start, end)
  if (time === undefined) throw new PhylloError('METADATA_INVALID', `the PAX record ${key} is not a time`)
  return time
}

function invalid(reason: string): PhylloError {
  return new PhylloError('TAR_INVALID', reason)
}
