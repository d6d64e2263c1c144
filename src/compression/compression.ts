/**
 * Decompression of whatever comes: recognised by its first bytes, never by a name or a media type.
 *
 * Contract of every async iterable of this room: a chunk belongs to whoever got it until he asks for the next one;
 * then its memory may be written over. It may be shared with others: read it, do not write to it.
 */
import type { Limits } from '../limits.js'
import { Bounds } from './bounds.js'

export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz'

type Decompressor = (source: AsyncIterable<Uint8Array>, label: string, limits: Limits) => AsyncIterable<Uint8Array>

interface Format {
  /** First bytes; undefined stands for any. */
  readonly magics: readonly (readonly (number | undefined)[])[]
  /** Imported when it is needed: opening zlib, or what starts programs, takes longer than reading a small file. */
  load(): Promise<Decompressor>
}

const formats: Readonly<Record<Exclude<Compression, 'none'>, Format>> = {
  gzip: {
    magics: [[0x1f, 0x8b, 0x08]],
    load: async () => (await import('./gzip.js')).decompressGzip,
  },
  zstd: {
    magics: [
      [0x28, 0xb5, 0x2f, 0xfd],
      // Skippable frames: 16 magics, 0x50 to 0x5f.
      ...Array.from({ length: 16 }, (_, low) => [0x50 | low, 0x2a, 0x4d, 0x18]),
    ],
    load: async () => (await import('./zstd.js')).decompressZstd,
  },
  bzip2: {
    magics: [[0x42, 0x5a, 0x68]],
    load: async () => (await import('./bzip2.js')).decompressBzip2,
  },
  xz: {
    magics: [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
    load: async () => (await import('./xz.js')).decompressXz,
  },
}

/** Bytes that `sniff` needs to be sure. */
export const sniffBytes = 6

/** The compression that these first bytes announce, with the magics that Docker knows. Nothing is `none`. */
export function sniff(head: Uint8Array): Compression {
  for (const [name, { magics }] of Object.entries(formats)) {
    if (magics.some(magic => magic.every((byte, i) => head[i] === byte))) return name as Compression
  }
  return 'none'
}

export interface DecompressOptions {
  readonly limits: Limits
  /** What is read, for messages: `app.tar: abc/layer.tar`. */
  readonly label: string
  /** Called once, before the source is asked for anything beyond the chunks that hold its first six bytes. */
  onSniffed?(name: Compression): void
}

/**
 * The uncompressed bytes of the source, which is read to its end: a damaged trailer or something behind the end is an
 * error even if all content has come out. Plain bytes are passed through as they are. Leaving the loop frees everything.
 *
 * @throws PhylloError COMPRESSION_INVALID, COMPRESSION_UNSUPPORTED, LIMIT_EXCEEDED; and what the source throws.
 */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  { limits, label, onSniffed }: DecompressOptions,
): AsyncGenerator<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]()
  try {
    const head = await readHead(chunks)
    const name = sniff(head)
    onSniffed?.(name)
    const bounds = new Bounds(limits, label)
    const whole = rejoin(head, chunks)
    if (name === 'none') yield* bounds.limitOutput(whole, false)
    else {
      const decompressor = await formats[name].load()
      yield* bounds.limitOutput(decompressor(bounds.countInput(whole), label, limits), true)
    }
  } finally {
    await chunks.return?.()
  }
}

/** The first chunk; or, if that is shorter than what has to be sniffed, the first few in one. */
async function readHead(chunks: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let head: Uint8Array = new Uint8Array(0)
  while (head.length < sniffBytes) {
    const kept: Uint8Array = head.length === 0 ? head : Uint8Array.from(head)
    const next = await chunks.next()
    if (next.done) return kept
    head = kept.length === 0 ? next.value : Buffer.concat([kept, next.value])
  }
  return head
}

async function* rejoin(head: Uint8Array, chunks: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (head.length > 0) yield head
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value
}
