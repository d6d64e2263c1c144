/**
 * Stats and BigIntStats of a view. They are instances of the running Node's own classes (same prototype, same own fields,
 * fields in the same order), made without calling constructors that Node has deprecated.
 *
 * Where Node keeps the dates as own fields (20) so do we; where they are getters of the prototype (22 and later) they work from
 * the `…Ms` fields.
 */
import fs from 'node:fs'
import type { Inode } from '../../drivers/layer.js'
import type { Time } from '../../tar/numbers.js'
import { S_IFMT } from './mode.js'
import { word } from './stat-rows.js'

/** Bytes of a block for `blksize`, as overlayfs on ext4 reports it. */
export const blockSize = 4096
const sectorSize = 512

const dateNames = ['atime', 'mtime', 'ctime', 'birthtime'] as const

/** Own dates, or getters of the prototype that make them. */
const datesAreOwn = !('mtime' in fs.Stats.prototype)
/** Node 26 keeps nanoseconds beside the milliseconds, for its `…Instant` getters. */
const keepsNanoseconds = 'mtimeInstant' in fs.Stats.prototype

/** The device number in Linux's encoding (glibc makedev). */
export function deviceNumber(major: number, minor: number): number {
  const high = Math.floor(major / 0x1000) * 2 ** 44 + Math.floor(minor / 0x100) * 2 ** 20
  return high + (major % 0x1000) * 0x100 + (minor % 0x100)
}

/** Each field is read from a row, and written, once: this is most of what a stat costs. */
function ViewStats(this: fs.Stats, words: Uint32Array, at: number, dev: number): void {
  const size = wide(words, at + word.size)
  const ms = (words[at + word.sec]! + (words[at + word.sec + 1]! | 0) * 2 ** 32) * 1000 + words[at + word.nsec]! / 1e6
  const major = words[at + word.major]!
  const minor = words[at + word.minor]!
  this.dev = dev
  this.mode = words[at + word.mode]!
  this.nlink = words[at + word.nlink]!
  this.uid = words[at + word.uid]!
  this.gid = words[at + word.gid]!
  this.rdev = major === 0 && minor === 0 ? 0 : deviceNumber(major, minor)
  this.blksize = blockSize
  this.ino = wide(words, at + word.ino)
  this.size = size
  this.blocks = Math.ceil(size / sectorSize)
  this.atimeMs = ms
  this.mtimeMs = ms
  this.ctimeMs = ms
  this.birthtimeMs = ms
  if (datesAreOwn) {
    const rounded = Math.round(ms)
    this.atime = new Date(rounded)
    this.mtime = new Date(rounded)
    this.ctime = new Date(rounded)
    this.birthtime = new Date(rounded)
  }
}
ViewStats.prototype = fs.Stats.prototype

function wide(words: Uint32Array, at: number): number {
  return words[at]! + words[at + 1]! * 2 ** 32
}

/** A Stats object with exactly the fields that the running Node's have: from the row at a place of the words, and the view's device. */
export type MakeStats = (words: Uint32Array, at: number, dev: number) => fs.Stats

const Stats = ViewStats as unknown as new (...row: Parameters<MakeStats>) => fs.Stats

/** Chosen once a view: Node 26 keeps nanoseconds under symbols, which are found on a Stats of its own making. */
export function makeStats(): MakeStats {
  if (!keepsNanoseconds) return (words, at, dev) => new Stats(words, at, dev)
  const [atime, mtime, ctime, birthtime] = Object.getOwnPropertySymbols(fs.statSync('/')) as [
    symbol,
    symbol,
    symbol,
    symbol,
  ]
  return (words, at, dev) => {
    const stats = new Stats(words, at, dev) as fs.Stats & Record<symbol, number>
    const nsec = words[at + word.nsec]!
    stats[atime] = nsec
    stats[mtime] = nsec
    stats[ctime] = nsec
    stats[birthtime] = nsec
    return stats
  }
}

/** Node does not export BigIntStats; its base class, with isFile and the others, is the base of Stats as well. */
const bigPrototype: object = Object.create(Object.getPrototypeOf(fs.Stats.prototype), {
  constructor: { value: BigIntStats, writable: true, configurable: true },
  _checkModeProperty: {
    value(this: fs.BigIntStats, type: number): boolean {
      return Number(this.mode & BigInt(S_IFMT)) === type
    },
    writable: true,
    enumerable: true,
    configurable: true,
  },
  ...(datesAreOwn
    ? {}
    : Object.fromEntries(
        dateNames.map(name => [
          name,
          { ...Object.getOwnPropertyDescriptor(fs.Stats.prototype, name), enumerable: true },
        ]),
      )),
})

function BigIntStats(this: fs.BigIntStats, inode: Inode, dev: number, ino: number, nlink: number): void {
  const ns = BigInt(inode.mtimeSec) * 1_000_000_000n + BigInt(inode.mtimeNsec)
  // Towards zero, as Node divides
  const ms = ns / 1_000_000n
  this.dev = BigInt(dev)
  this.mode = BigInt(inode.mode)
  this.nlink = BigInt(nlink)
  this.uid = BigInt(inode.uid)
  this.gid = BigInt(inode.gid)
  this.rdev = BigInt(deviceNumber(inode.deviceMajor, inode.deviceMinor))
  this.blksize = BigInt(blockSize)
  this.ino = BigInt(ino)
  this.size = BigInt(inode.sizeBytes)
  this.blocks = BigInt(Math.ceil(inode.sizeBytes / sectorSize))
  this.atimeMs = ms
  this.mtimeMs = ms
  this.ctimeMs = ms
  this.birthtimeMs = ms
  this.atimeNs = ns
  this.mtimeNs = ns
  this.ctimeNs = ns
  this.birthtimeNs = ns
  if (datesAreOwn) for (const name of dateNames) this[name] = new Date(Number(ms))
}
BigIntStats.prototype = bigPrototype

/** Beside a layer's attributes, what the view says: its device, its inode number, its count of names. */
export function bigStatsOf(inode: Inode, dev: number, ino: number, nlink: number): fs.BigIntStats {
  return new (BigIntStats as unknown as new (...of: Parameters<typeof bigStatsOf>) => fs.BigIntStats)(
    inode,
    dev,
    ino,
    nlink,
  )
}

/** The four times of what is in an upper. */
export type Times = Record<(typeof dateNames)[number], Time>

/** As Node does: milliseconds with a fraction, and dates rounded to whole ones. */
export function setTimes(stats: fs.Stats, times: Times): void {
  for (const name of dateNames) {
    const { sec, nsec } = times[name]
    const ms = sec * 1000 + nsec / 1e6
    stats[`${name}Ms`] = ms
    if (datesAreOwn) stats[name] = new Date(Math.round(ms))
  }
  if (keepsNanoseconds)
    for (const [at, symbol] of Object.getOwnPropertySymbols(stats).entries()) {
      setNanoseconds(stats, symbol, times[dateNames[at]!])
    }
}

function setNanoseconds(stats: fs.Stats, symbol: symbol, { nsec }: Time): void {
  ;(stats as fs.Stats & Record<symbol, number>)[symbol] = nsec
}

export function setBigTimes(stats: fs.BigIntStats, times: Times): void {
  for (const name of dateNames) {
    const { sec, nsec } = times[name]
    const ns = BigInt(sec) * 1_000_000_000n + BigInt(nsec)
    stats[`${name}Ns`] = ns
    stats[`${name}Ms`] = ns / 1_000_000n
    if (datesAreOwn) stats[name] = new Date(Number(ns / 1_000_000n))
  }
}

/** statfs fields; Node does not export the class, whose name is all there is to it. */
class StatFs<N extends number | bigint> {
  declare type: N
  declare bsize: N
  declare blocks: N
  declare bfree: N
  declare bavail: N
  declare files: N
  declare ffree: N

  constructor(fields: Record<string, number>, convert: (value: number) => N) {
    for (const [name, value] of Object.entries(fields)) Object.assign(this, { [name]: convert(value) })
  }
}

function freeBlocks({ maxBytes, usedBytes }: Room): number {
  return Math.max(0, Math.floor((Math.min(maxBytes, unbounded) - usedBytes) / blockSize))
}

/** OVERLAYFS_SUPER_MAGIC */
const overlayMagic = 0x794c7630

/** What a container may hold of its own, bytes and entries; infinite bounds are none. */
export interface Room {
  readonly maxBytes: number
  readonly maxEntries: number
  readonly usedBytes: number
  readonly usedEntries: number
}

/** What is shown where there is no bound: exact as a number. */
const unbounded = Number.MAX_SAFE_INTEGER

/** The system's own, also where a program has put a view in the place of `node:fs` since. */
const { statfsSync } = fs
let fragmentSize: boolean | undefined

/** Some Node 24 has it and the first ones have not: only an answer of the system shows that. */
function hasFragmentSize(): boolean {
  try {
    fragmentSize ??= Object.hasOwn(statfsSync('/'), 'frsize')
  } catch {
    // A process without the right to look (node --permission) cannot tell either.
    fragmentSize = false
  }
  return fragmentSize
}

/** Of a view a full file system of the layers' size: nothing can be written to it. Of a container its bounds, and what is left. */
export function statFsOf(bytes: number, files: number, bigint: boolean, room?: Room): fs.StatsFs | fs.BigIntStatsFs {
  const free = room === undefined ? 0 : freeBlocks(room)
  const fields = {
    type: overlayMagic,
    bsize: blockSize,
    ...(hasFragmentSize() ? { frsize: blockSize } : {}),
    blocks: Math.ceil(bytes / blockSize),
    bfree: free,
    bavail: free,
    files,
    ffree: 0,
  }
  if (room !== undefined) {
    fields.blocks = Math.floor(Math.min(room.maxBytes, unbounded) / blockSize)
    fields.files = Math.min(room.maxEntries, unbounded)
    fields.ffree = Math.max(0, fields.files - room.usedEntries)
  }
  return (bigint ? new StatFs(fields, BigInt) : new StatFs(fields, Number)) as fs.StatsFs | fs.BigIntStatsFs
}
