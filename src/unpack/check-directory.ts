/**
 * Whether the directory of a layer still is what was unpacked into it, as tar-split tells. Nothing is changed.
 *
 * Compared are names, types, sizes, targets of symlinks, and with `full` every byte, by the layer's diffId. Owners, permissions, times
 * and xattrs are not: they are the file system's, and mounting touches some of them.
 */
import { createHash } from 'node:crypto'
import { closeSync, lstatSync, opendirSync, readlinkSync, type Stats } from 'node:fs'
import { type ByteString, byteString, printable } from '../byte-string.js'
import { PhylloError } from '../errors.js'
import type { Limits } from '../limits.js'
import type { DiffId } from '../oci/digest.js'
import type { ContentDamage } from '../pool/jobs.js'
import type { EntryType, TarEntry } from '../tar/entry.js'
import { TarScanner } from '../tar/scanner.js'
import { SplitReader } from '../tar/split-reader.js'
import { classifyName, opaqueName } from '../tar/whiteout.js'
import { assembleLayer, type SplitLayer, splitLines } from './assemble-layer.js'
import { LayerContents } from './layer-contents.js'
import { recordedTarBytes } from './split-file.js'

export interface CheckDirectoryOptions {
  readonly diffId: DiffId
  readonly full: boolean
  /** Awaited after so many more bytes were read. */
  readonly pace: (bytes: number) => Promise<void>
  readonly limits: Limits
}

export interface CheckedDirectory {
  readonly damage: readonly ContentDamage[]
  readonly sizeBytes: number | undefined
}

/** Throws STORE_IO. */
export async function checkDirectory(layer: SplitLayer, options: CheckDirectoryOptions): Promise<CheckedDirectory> {
  for (const [path, isIt] of [
    [layer.diff, (stats: Stats) => stats.isDirectory()],
    [layer.tarSplit, (stats: Stats) => stats.isFile()],
  ] as const) {
    const stats = lstatSync(path, { throwIfNoEntry: false })
    if (stats === undefined || !isIt(stats))
      return { damage: [{ part: 'missing', path, reason: 'is not there' }], sizeBytes: undefined }
  }
  const damage = (await damageOf(layer, () => checkNames(layer, options))) ?? (await checkBytes(layer, options))
  return { damage: damage === undefined ? [] : [damage], sizeBytes: await directorySize(layer.diff, options.pace) }
}

/** Docker's size of a layer: st_size of all that is no directory, once per inode. */
async function directorySize(diff: string, pace: (bytes: number) => Promise<void>): Promise<number> {
  const seen = new Set<string>()
  const waiting: Buffer[] = [Buffer.from(diff)]
  let bytes = 0
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    for (const name of namesIn(path)) {
      const below = Buffer.concat([path, Buffer.from('/'), name])
      const stats = lstatSync(below)
      if (stats.isDirectory()) waiting.push(below)
      else if (stats.isFile() || stats.isSymbolicLink()) {
        const inode = `${stats.dev} ${stats.ino}`
        if (stats.nlink === 1 || !seen.has(inode)) bytes += stats.size
        if (stats.nlink > 1) seen.add(inode)
      }
    }
    await pace(0)
  }
  return bytes
}

function namesIn(path: Buffer): Buffer[] {
  const directory = opendirSync(path, { encoding: 'buffer' as BufferEncoding })
  const names: Buffer[] = []
  try {
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync())
      names.push(entry.name as unknown as Buffer)
  } finally {
    directory.closeSync()
  }
  return names
}

async function damageOf(layer: SplitLayer, work: () => Promise<void>): Promise<ContentDamage | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    if (!(error instanceof PhylloError && error.code === 'STORE_CORRUPT')) throw error
    const path = error.path ?? layer.tarSplit
    const part = path === layer.tarSplit ? 'tar-split' : 'files'
    return { part, path, reason: error.message.replace(`${path}: `, '') }
  }
}

/** Everything but the bytes of files. Throws STORE_CORRUPT. */
async function checkNames(layer: SplitLayer, { limits, pace }: CheckDirectoryOptions): Promise<void> {
  const contents = new LayerContents(layer.diff)
  const reader = new SplitReader(layer.tarSplit)
  const recorded = recordedTarBytes(layer.tarSplit)
  let tarBytes = 0
  // A layer that a dockerd has unpacked may be one whose tar we would refuse: its files count all the same.
  const headers = new Headers(limits, entry => compare(contents, entry))
  for await (const lines of splitLines(layer.tarSplit)) {
    for (const part of reader.push(lines)) {
      tarBytes += part.sizeBytes
      if (part.type === 'segment') headers.push(part.bytes)
      else if (part.sizeBytes > 0) {
        closeSync(contents.open(part.name, part.sizeBytes))
        headers.skip(part.sizeBytes)
      }
    }
    await pace(lines.length)
  }
  reader.end()
  if (recorded === undefined || recorded === tarBytes) return
  const reason = `its header says that the tar has ${recorded} bytes, and its lines have ${tarBytes}`
  throw new PhylloError('STORE_CORRUPT', `${layer.tarSplit}: ${reason}`, { path: layer.tarSplit })
}

/** The entries of a tar whose contents do not pass. */
class Headers {
  readonly #scanner: TarScanner
  #refused = false

  constructor(limits: Limits, onEntry: (entry: TarEntry) => void) {
    this.#scanner = new TarScanner({ limits, onEntry })
  }

  push(bytes: Buffer): void {
    this.#unlessRefused(() => this.#scanner.push(bytes))
  }

  skip(bytes: number): void {
    this.#unlessRefused(() => this.#scanner.skip(bytes))
  }

  #unlessRefused(work: () => void): void {
    if (this.#refused) return
    try {
      work()
    } catch (error) {
      if (error instanceof PhylloError && (error.code === 'STORE_CORRUPT' || error.code === 'STORE_IO')) throw error
      if (!(error instanceof PhylloError || error instanceof RangeError)) throw error
      this.#refused = true
    }
  }
}

function compare(contents: LayerContents, { name, type, linkName }: TarEntry): void {
  const slash = name.replace(/\/+$/, '')
  const base = slash.slice(slash.lastIndexOf('/') + 1) as ByteString
  if (base === opaqueName) return
  const kind = classifyName(base)
  const shown =
    kind.kind === 'whiteout' ? (`${slash.slice(0, slash.length - base.length)}${kind.name}` as ByteString) : name
  const found = contents.look(shown)
  if (found === undefined) {
    if (base === '' || base === '.') return
    throw contents.corrupt(shown, 'is not there')
  }
  if (kind.kind === 'whiteout') return
  if (!isOf(type, found.stats)) throw contents.corrupt(name, `is no ${type} any more`)
  if (type !== 'symlink') return
  const target = byteString(readlinkSync(found.path, 'buffer'))
  if (target !== linkName) throw contents.corrupt(name, `leads to ${printable(target)}, not to ${printable(linkName)}`)
}

function isOf(type: EntryType, stats: Stats): boolean {
  if (type === 'file') return stats.isFile()
  if (type === 'directory') return stats.isDirectory()
  if (type === 'symlink') return stats.isSymbolicLink()
  if (type === 'char') return stats.isCharacterDevice()
  if (type === 'block') return stats.isBlockDevice()
  return type === 'fifo' ? stats.isFIFO() : true
}

async function checkBytes(layer: SplitLayer, options: CheckDirectoryOptions): Promise<ContentDamage | undefined> {
  if (!options.full) return undefined
  const hash = createHash('sha256')
  const wrong = await damageOf(layer, () => pass(layer, false, options, bytes => hash.update(bytes)))
  const found = `sha256:${hash.digest('hex')}`
  if (wrong !== undefined || found === options.diffId) return wrong
  // Which file it is, their checksums know; if none is, it is a header.
  const damaged = await damageOf(layer, () => pass(layer, true, options, () => undefined))
  return damaged ?? { part: 'tar-split', path: layer.tarSplit, reason: `the layer is ${found}` }
}

async function pass(
  layer: SplitLayer,
  checksums: boolean,
  { pace }: CheckDirectoryOptions,
  visit: (bytes: Buffer) => void,
): Promise<void> {
  for await (const bytes of assembleLayer(layer, { checksums })) {
    visit(bytes)
    await pace(bytes.length)
  }
}
