/**
 * How much room layers take at least, as far as that is known before they are written: never more than they will.
 *
 * What is compressed may become anything, and counts for nothing; what is plain tar is looked at only where it would not fit as it is.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { sniff, sniffBytes } from '../compression/compression.js'
import type { Driver } from '../drivers/driver.js'
import type { ByteRange } from '../pool/jobs.js'
import type { SourceLayer } from './source.js'

export type LayerBytes = Pick<SourceLayer, 'range' | 'stored'>

/** Bytes that new contents of these layers, each once, take on the disk of the store. */
export async function leastBytes(layers: readonly LayerBytes[], driver: Driver): Promise<number> {
  let bytes = 0
  for (const { range, stored } of layers) {
    // The tar of a layer is no shorter than its files and the targets of its symlinks together.
    if (range === undefined) bytes += driver.leastBytes(stored?.sizeBytes ?? 0)
    else if (await isPlain(range)) bytes += driver.leastBytes(range.sizeBytes)
  }
  return bytes
}

/** Whether it is a tar that is not compressed. One that arrives is written as it comes: only then is its size known. */
async function isPlain({ path, offset, sizeBytes, growing }: ByteRange): Promise<boolean> {
  if (growing !== undefined || !Number.isFinite(sizeBytes)) return false
  let handle: FileHandle | undefined
  try {
    handle = await open(path)
    const head = Buffer.alloc(Math.min(sniffBytes, sizeBytes))
    const { bytesRead } = await handle.read(head, 0, head.length, offset)
    return bytesRead === head.length && sniff(head) === 'none'
  } catch {
    // Whoever reads it for its content says what is wrong with it.
    return false
  } finally {
    await handle?.close()
  }
}
