/**
 * A header block and the meta headers before it, made into one entry: who wins, and what is out of range.
 *
 * A meta header fills in what the header cannot say. Where two of them say different things about one field, honest
 * writers are not at work, and readers disagree: refused. TARmageddon (CVE-2025-62518) is the case of the size: PAX
 * wins over a zero in the header, and must otherwise say the same.
 */
import { type ByteString, printable } from '../byte-string.js'
import { PhylloError } from '../errors.js'
import { type Limits, limitError } from '../limits.js'
import type { EntryType, TarEntry, Xattr } from './entry.js'
import { flag, type Header, isHeaderOnly } from './header.js'
import { checkNameLimits } from './name.js'
import { clampTime } from './numbers.js'
import type { PaxAttributes } from './pax.js'

/** What the meta headers before one entry said. */
export interface Meta {
  readonly pax: PaxAttributes | undefined
  readonly longName: ByteString | undefined
  readonly longLink: ByteString | undefined
}

/** 2^32 - 1 is chown's "leave it as it is". */
const maxId = 2 ** 32 - 2
/** Linux dev_t: 12 bits and 20 bits. */
const maxMajor = 0xfff
const maxMinor = 0xfffff
/** File type and permission bits. What is above them is no mode. */
const maxMode = 0o177777

const noXattrs: readonly Xattr[] = []
const none = '' as ByteString

/** The name of the entry, as far as it can be told: for messages about an entry that is not valid. */
export function nameOf(header: Header, meta: Meta): ByteString {
  return meta.pax?.path ?? meta.longName ?? header.name
}

/** Throws TAR_INVALID, ENTRY_UNSUPPORTED, METADATA_INVALID and LIMIT_EXCEEDED. */
export function resolveEntry(
  header: Header,
  meta: Meta,
  limits: Limits,
  headerOffset: number,
  contentOffset: number,
): TarEntry {
  const { pax } = meta
  const name = one(pax?.path, meta.longName, 'name') ?? header.name
  if (name === '') throw invalid('the name is empty')
  checkNameLimits(name, limits)
  const sizeBytes = sizeOf(header, pax, limits)
  const type = typeOf(header.typeFlag, name, sizeBytes)
  const time = clampTime(header.mtimeSec, 0)
  if (time === undefined) throw new PhylloError('METADATA_INVALID', 'the mtime is out of range')
  const device = type === 'char' || type === 'block'
  return {
    type,
    name,
    linkName: type === 'symlink' || type === 'hardlink' ? linkNameOf(header, meta, limits) : none,
    mode: modeOf(header.mode),
    uid: idOf(header.uid, pax?.uid, 'uid'),
    gid: idOf(header.gid, pax?.gid, 'gid'),
    sizeBytes,
    mtimeSec: (pax?.mtime ?? time).sec,
    mtimeNsec: (pax?.mtime ?? time).nsec,
    deviceMajor: device ? deviceOf(header.deviceMajor, pax?.deviceMajor, maxMajor, 'major') : 0,
    deviceMinor: device ? deviceOf(header.deviceMinor, pax?.deviceMinor, maxMinor, 'minor') : 0,
    xattrs: pax?.xattrs ?? noXattrs,
    headerOffset,
    contentOffset,
  }
}

function invalid(reason: string): PhylloError {
  return new PhylloError('TAR_INVALID', reason)
}

function one(pax: ByteString | undefined, gnu: ByteString | undefined, field: string): ByteString | undefined {
  if (pax !== undefined && gnu !== undefined && pax !== gnu)
    throw invalid(`a PAX header and a GNU header give two different values for the ${field}`)
  return pax ?? gnu
}

function typeOf(typeFlag: number, name: ByteString, sizeBytes: number): EntryType {
  switch (typeFlag) {
    case flag.v7File:
    case flag.file:
    case flag.contiguous:
      if (!name.endsWith('/')) return 'file'
      // v7 had no type for directories. A contiguous file of such a name is a directory to some and a file to others.
      if (typeFlag === flag.contiguous) throw invalid('a contiguous file has a name that ends in a slash')
      if (sizeBytes > 0) throw invalid('a directory (its name ends in a slash) has content')
      return 'directory'
    case flag.hardlink:
      return 'hardlink'
    case flag.symlink:
      return 'symlink'
    case flag.char:
      return 'char'
    case flag.block:
      return 'block'
    case flag.directory:
      return 'directory'
    case flag.fifo:
      return 'fifo'
    case flag.gnuSparse:
      throw new PhylloError('ENTRY_UNSUPPORTED', 'sparse files in GNU format')
    default:
      throw new PhylloError(
        'ENTRY_UNSUPPORTED',
        `entries of type ${printable(String.fromCharCode(typeFlag) as ByteString)} (0x${typeFlag.toString(16)})`,
      )
  }
}

function sizeOf(header: Header, pax: PaxAttributes | undefined, limits: Limits): number {
  const size = pax?.size ?? header.size
  if (size !== header.size && header.size !== 0)
    throw invalid(`PAX gives a size of ${size} bytes and the header one of ${header.size}`)
  if (header.sizeUnterminated && pax?.size === undefined)
    throw invalid('the size field is not ended, and no PAX record confirms it')
  if (isHeaderOnly(header.typeFlag)) {
    if (pax?.size !== undefined && pax.size !== 0) throw invalid('PAX gives a size to an entry that has no content')
    return 0
  }
  if (size > limits.layerBytes) throw limitError('layerBytes', limits.layerBytes, size, 'bytes of one file')
  return size
}

/** Targets are kept as they are, and never interpreted here. */
function linkNameOf(header: Header, meta: Meta, limits: Limits): ByteString {
  const target = one(meta.pax?.linkPath, meta.longLink, 'link target') ?? header.linkName
  if (target === '') throw invalid('a link without a target')
  if (target.length > limits.pathBytes)
    throw limitError('pathBytes', limits.pathBytes, target.length, 'bytes of the link target')
  return target
}

/** PAX wins, but the field that it replaces must hold a number that could be one: GNU tar reads it, too. */
function idOf(inHeader: number, inPax: number | undefined, field: string): number {
  const id = inRange(inHeader, maxId, field)
  return inPax === undefined ? id : inRange(inPax, maxId, field)
}

function modeOf(mode: number): number {
  return inRange(mode, maxMode, 'mode') & 0o7777
}

/** bsdtar writes device numbers in PAX as well; whoever reads only one of the two must see the same device. */
function deviceOf(inHeader: number, inPax: number | undefined, max: number, which: string): number {
  if (inPax !== undefined && inPax !== inHeader)
    throw new PhylloError('METADATA_INVALID', `PAX and the header give two ${which} device numbers`)
  return inRange(inHeader, max, `${which} device number`)
}

function inRange(value: number, max: number, field: string): number {
  if (value >= 0 && value <= max) return value
  throw new PhylloError('METADATA_INVALID', `the ${field} ${value} is not in the range of 0 to ${max}`)
}
