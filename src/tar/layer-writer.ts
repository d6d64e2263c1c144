/**
 * Headers of the tars that we write: layers of commits, and exports. ustar, and before it a PAX header for what does not fit; the
 * form that Docker's own writer gives (Go's archive/tar, format PAX). POSIX.1-2017 pax, "ustar Interchange Format".
 *
 * Invariants: equal entries give equal bytes; names and xattrs are bytes and are written as they are; times are whole seconds, and
 * no user or group has a name.
 */
import type { ByteString } from '../byte-string.js'
import type { EntryType, TarEntry } from './entry.js'
import { blockBytes, flag } from './header.js'

/** One entry of a tar that is written. Permission bits alone; directories without the `/` at the end. */
export type LayerEntry = Omit<TarEntry, 'mtimeNsec' | 'headerOffset' | 'contentOffset'>

const flags: Readonly<Record<EntryType, number>> = {
  file: flag.file,
  hardlink: flag.hardlink,
  symlink: flag.symlink,
  char: flag.char,
  block: flag.block,
  directory: flag.directory,
  fifo: flag.fifo,
}

const nameFieldBytes = 100
const mostOf7Digits = 0o7777777
const mostOf11Digits = 0o77777777777

/** The two blocks of zeros behind the last entry. */
export const endOfArchive: Buffer = Buffer.alloc(2 * blockBytes)

/** Bytes of zeros behind a content. */
export function paddingOf(sizeBytes: number): number {
  return (blockBytes - (sizeBytes % blockBytes)) % blockBytes
}

/** Whether an xattr can be written: `=` ends the key of a PAX record. */
export function isWritableXattr(name: string): boolean {
  return name !== '' && !/[=\0]/.test(name)
}

/** All header blocks of an entry. Its content, `sizeBytes` long, and the padding follow. */
export function entryHeader(entry: LayerEntry): Buffer {
  const name = (entry.type === 'directory' ? `${entry.name}/` : entry.name) as ByteString
  const records = paxRecords(entry, name)
  const main = headerBlock(entry, name)
  if (records.length === 0) return main
  const body = Buffer.concat(records)
  return Buffer.concat([paxBlock(name, body.length), body, Buffer.alloc(paddingOf(body.length)), main])
}

/** In the order of their keys. */
function paxRecords(entry: LayerEntry, name: ByteString): Buffer[] {
  const records: [key: string, value: Buffer][] = []
  const text = (key: string, value: string) => records.push([key, Buffer.from(value, 'latin1')])
  const number = (key: string, value: number, most: number) => {
    if (value < 0 || value > most) text(key, String(value))
  }
  number('gid', entry.gid, mostOf7Digits)
  if (!fits(entry.linkName)) text('linkpath', entry.linkName)
  number('mtime', entry.mtimeSec, mostOf11Digits)
  if (!fits(name)) text('path', name)
  number('size', entry.sizeBytes, mostOf11Digits)
  number('uid', entry.uid, mostOf7Digits)
  number('SCHILY.devmajor', entry.deviceMajor, mostOf7Digits)
  number('SCHILY.devminor', entry.deviceMinor, mostOf7Digits)
  for (const { name: xattr, value } of entry.xattrs) records.push([`SCHILY.xattr.${xattr}`, value])
  return records.sort(([a], [b]) => (a < b ? -1 : Number(a > b))).map(([key, value]) => paxRecord(key, value))
}

/** `<length> <key>=<value>\n`; the length counts itself. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = key.length + value.length + 3
  let length = rest + 1
  while (String(length).length + rest !== length) length = String(length).length + rest
  return Buffer.concat([Buffer.from(`${length} ${key}=`, 'latin1'), value, Buffer.from('\n')])
}

function fits(text: ByteString): boolean {
  return text.length <= nameFieldBytes && isAscii(text)
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false
  return true
}

/** For readers that know no PAX. */
function asciiOf(text: string): string {
  if (isAscii(text)) return text
  return Array.from(text)
    .filter(char => char <= '\x7f')
    .join('')
}

function headerBlock(entry: LayerEntry, name: ByteString): Buffer {
  const block = Buffer.alloc(blockBytes)
  block.write(asciiOf(name).slice(0, nameFieldBytes), 0, 'latin1')
  octal(block, 100, 8, entry.mode)
  octal(block, 108, 8, entry.uid)
  octal(block, 116, 8, entry.gid)
  octal(block, 124, 12, entry.sizeBytes)
  octal(block, 136, 12, entry.mtimeSec)
  block[156] = flags[entry.type]
  block.write(asciiOf(entry.linkName).slice(0, nameFieldBytes), 157, 'latin1')
  octal(block, 329, 8, entry.deviceMajor)
  octal(block, 337, 8, entry.deviceMinor)
  return sealed(block)
}

function paxBlock(name: ByteString, sizeBytes: number): Buffer {
  const block = Buffer.alloc(blockBytes)
  const bare = name.endsWith('/') ? name.slice(0, -1) : name
  const slash = bare.lastIndexOf('/') + 1
  const title = asciiOf(`${bare.slice(0, slash)}PaxHeaders.0/${bare.slice(slash)}`)
  block.write(title.slice(0, nameFieldBytes).replace(/\/+$/, ''), 0, 'latin1')
  for (const at of [100, 108, 116]) octal(block, at, 8, 0)
  octal(block, 124, 12, sizeBytes)
  octal(block, 136, 12, 0)
  block[156] = flag.paxLocal
  return sealed(block)
}

/** Digits with leading zeros and a NUL. What does not fit stands in a PAX record, and here is a 0. */
function octal(block: Buffer, at: number, length: number, value: number): void {
  const digits = value < 0 ? '' : value.toString(8)
  block.write((digits.length < length ? digits : '').padStart(length - 1, '0'), at, 'latin1')
}

function sealed(block: Buffer): Buffer {
  block.write('ustar\x0000', 257, 'latin1')
  block.fill(' ', 148, 156)
  let sum = 0
  for (let at = 0; at < blockBytes; at++) sum += block[at]!
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** A regular file without content: whiteouts and opaque marks. */
export function markEntry(name: ByteString): LayerEntry {
  const owner = { mode: 0, uid: 0, gid: 0, deviceMajor: 0, deviceMinor: 0 }
  return { type: 'file', name, linkName: '' as ByteString, ...owner, sizeBytes: 0, mtimeSec: 0, xattrs: [] }
}
