/**
 * A layer taken apart and unpacked without care, for tests of tar-split: into a directory of the test's own, by an ordinary user, out
 * of archives that the test trusts. Devices, owners, modes and times are left out: tar-split asks for contents and symlinks alone.
 */
import { closeSync, linkSync, mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { defaultLimits } from '../../src/limits.js'
import type { TarEntry } from '../../src/tar/entry.js'
import { TarScanner } from '../../src/tar/scanner.js'
import { type SplitSink, SplitWriter } from '../../src/tar/split-writer.js'
import { assembleLayer, type SplitLayer } from '../../src/unpack/assemble-layer.js'
import { writeSplitFile } from '../../src/unpack/split-file.js'

/** What passes, in its order: the headers of an entry end at `at`. */
interface Mark {
  readonly at: number
  readonly name: string
  readonly payloadBytes: number
}

export interface TellOptions {
  /** Bytes of one call of `raw` or `payload`. */
  readonly callBytes?: number
  /** Entries whose content is told as raw bytes. */
  readonly asRaw?: (entry: TarEntry) => boolean
  /** Where an entry of this name is unpacked to; no symlink of the layer is followed on the way. */
  readonly real?: (name: string) => string
}

/** Tells the sink a whole archive. */
export function tell(sink: SplitSink, tar: Buffer, options: TellOptions = {}): void {
  const { callBytes = Number.POSITIVE_INFINITY, asRaw = () => false } = options
  const inCalls = (from: number, to: number, call: (bytes: Uint8Array) => void) => {
    for (let at = from; at < to; at += callBytes) call(Buffer.from(tar.subarray(at, Math.min(to, at + callBytes))))
  }
  let at = 0
  for (const mark of marksOf(tar, asRaw)) {
    inCalls(at, mark.at, bytes => sink.raw(bytes))
    sink.entry(mark.name as TarEntry['name'], mark.payloadBytes)
    at = mark.at + mark.payloadBytes
    inCalls(mark.at, at, bytes => sink.payload(bytes))
  }
  inCalls(at, tar.length, bytes => sink.raw(bytes))
}

function marksOf(tar: Buffer, asRaw: (entry: TarEntry) => boolean): Mark[] {
  const marks: Mark[] = []
  const scanner = new TarScanner({
    limits: { ...defaultLimits, tarMetaBytes: 16 * 1024 * 1024, xattrBytes: 16 * 1024 * 1024 },
    onEntry: entry =>
      marks.push({ at: entry.contentOffset, name: entry.name, payloadBytes: asRaw(entry) ? 0 : entry.sizeBytes }),
    onGlobal: ({ name, headerOffset }) => {
      const sizeBytes = Number.parseInt(tar.toString('latin1', headerOffset + 124, headerOffset + 135), 8)
      marks.push({ at: headerOffset + 512 + sizeBytes, name, payloadBytes: 0 })
    },
  })
  scanner.push(tar)
  scanner.end()
  return marks
}

/** The lines of a whole archive. */
export async function splitLines(tar: Buffer, options: TellOptions = {}): Promise<string> {
  const parts: Buffer[] = []
  const writer = await SplitWriter.create(bytes => parts.push(Buffer.from(bytes)))
  tell(writer, tar, options)
  writer.end()
  return Buffer.concat(parts).toString()
}

/** The file of a whole archive, in the place of one that may be there. */
export async function splitFile(path: string, tar: Buffer, options: TellOptions = {}): Promise<void> {
  const fd = openSync(path, 'w')
  try {
    const file = await writeSplitFile(fd, path)
    tell(file.split, tar, options)
    file.end(tar.length)
  } finally {
    closeSync(fd)
  }
}

/** `<dir>/tar-split.json.gz` and `<dir>/diff/`. */
export async function splitLayer(dir: string, tar: Buffer, options: TellOptions = {}): Promise<SplitLayer> {
  const layer = { tarSplit: join(dir, 'tar-split.json.gz'), diff: join(dir, 'diff') }
  await splitFile(layer.tarSplit, tar, options)
  mkdirSync(layer.diff)
  extract(layer.diff, tar, options.real ?? (name => name))
  return layer
}

function extract(diff: string, tar: Buffer, real: (name: string) => string): void {
  const entries: TarEntry[] = []
  const scanner = new TarScanner({ limits: defaultLimits, onEntry: entry => entries.push(entry) })
  scanner.push(tar)
  for (const { type, name, linkName, sizeBytes, contentOffset } of entries) {
    const path = below(diff, real(name))
    if (type !== 'directory') mkdirSync(Buffer.from(dirname(path.toString('latin1')), 'latin1'), { recursive: true })
    if (type === 'file') writeFileSync(path, tar.subarray(contentOffset, contentOffset + sizeBytes))
    else if (type === 'directory') mkdirSync(path, { recursive: true })
    else if (type === 'symlink') symlinkSync(Buffer.from(linkName, 'latin1'), path)
    else if (type === 'hardlink') linkSync(below(diff, linkName), path)
  }
}

/** Names are bytes. */
function below(diff: string, name: string): Buffer {
  return Buffer.concat([Buffer.from(diff), Buffer.from(join('/', name).replace(/\/$/, ''), 'latin1')])
}

export async function assembled(layer: SplitLayer): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of assembleLayer(layer)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
