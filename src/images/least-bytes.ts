/**
 * How much room layers take at least, as far as that is known before they are written: never more than they will.
 *
 * What is compressed may become anything, and counts for nothing. Where only the contents of files stay, a plain tar is searched for
 * them, but only if it would not fit as it is: that takes a read for each few headers.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { sniff, sniffBytes } from '../compression/compression.js'
import type { Driver } from '../drivers/driver.js'
import { KiB, type Limits } from '../limits.js'
import type { ByteRange } from '../pool/jobs.js'
import { TarScanner } from '../tar/scanner.js'
import { whiteoutPrefix } from '../tar/whiteout.js'
import type { SourceLayer } from './source.js'

export interface LeastBytesOptions {
  readonly driver: Driver
  readonly limits: Limits
  /** Whether so many bytes fit. */
  readonly fits: (bytes: number) => Promise<boolean>
}

/** Shorter contents may lie in an inode, which is there already. */
const inlineBytes = KiB

/** Read at once while headers are looked for. */
const windowBytes = 64 * KiB

/** Bytes that new contents of these layers, each once, take on the disk of the store. */
export async function leastBytes(
  layers: readonly Pick<SourceLayer, 'range' | 'stored' | 'remote'>[],
  { driver, limits, fits }: LeastBytesOptions,
): Promise<number> {
  const fetched = await leastFetched(layers)
  const all = layers.reduce((sum, { range }) => sum + (range?.sizeBytes ?? 0), 0)
  let bytes = fetched
  // The tar of a layer is no shorter than its files and the targets of its symlinks together; these apart are not known.
  for (const { range, stored, remote } of layers)
    if (remote !== undefined) continue
    else if (range === undefined) bytes += await driver.leastBytes(stored?.sizeBytes ?? 0, async () => 0)
    else
      await ofPlainTar(range, async handle => {
        const contents = async () => ((await fits(all)) ? 0 : contentBytes(handle, range, limits))
        bytes += await driver.leastBytes(range.sizeBytes, contents)
      })
  return bytes
}

/** What is fetched is on the disk as it came, if only until its layer is there: all that is kept, else the largest. */
async function leastFetched(layers: readonly Pick<SourceLayer, 'remote'>[]): Promise<number> {
  let [kept, largest] = [0, 0]
  for (const { remote } of layers) {
    const bytes = (await remote?.missingBytes()) ?? 0
    if (remote?.keeps) kept += bytes
    largest = Math.max(largest, bytes)
  }
  return Math.max(kept, largest)
}

/** If it is a tar that is not compressed. One that arrives is written as it comes: only then is its size known. */
async function ofPlainTar(range: ByteRange, work: (handle: FileHandle) => Promise<void>): Promise<void> {
  const { path, offset, sizeBytes, growing } = range
  if (growing !== undefined || !Number.isFinite(sizeBytes)) return
  let handle: FileHandle | undefined
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const head = Buffer.alloc(Math.min(sniffBytes, sizeBytes))
    const { bytesRead } = await handle.read(head, 0, head.length, offset)
    if (bytesRead === head.length && sniff(head) === 'none') await work(handle)
  } catch {
    // Whoever reads it for its content says what is wrong with it.
  } finally {
    await handle?.close().catch(() => undefined)
  }
}

/** Of the files that it makes, but for the smallest. Throws what a scanner does. */
async function contentBytes(handle: FileHandle, { offset, sizeBytes }: ByteRange, limits: Limits): Promise<number> {
  let bytes = 0
  const scanner = new TarScanner({
    limits,
    onEntry({ type, name, sizeBytes }) {
      const isMark = name.startsWith(whiteoutPrefix, name.lastIndexOf('/') + 1)
      if (type === 'file' && !isMark && sizeBytes >= inlineBytes) bytes += sizeBytes
    },
  })
  const window = Buffer.allocUnsafeSlow(windowBytes)
  while (scanner.offset < sizeBytes) {
    const wanted = Math.min(window.length, sizeBytes - scanner.offset)
    const { bytesRead } = await handle.read(window, 0, wanted, offset + scanner.offset)
    if (bytesRead === 0) break
    scanner.push(window.subarray(0, bytesRead))
    scanner.skip(Math.min(scanner.skippable, sizeBytes - scanner.offset))
  }
  scanner.end()
  return bytes
}
