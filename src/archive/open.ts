/**
 * Opens whatever a user may call an archive: a file, compressed or not, an OCI layout directory, a pipe, a stream.
 *
 * Invariants:
 * - A plain tar file is read where it is. Everything else that is no directory goes, decompressed, through a stage file.
 * - What it is, is said by its bytes: names and extensions mean nothing.
 * - After disposal nothing reads the input and nothing writes the stage file.
 */
import { createReadStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { decompress, sniff, sniffBytes } from '../compression/compression.js'
import { PhylloError } from '../errors.js'
import type { ImageSource } from '../images/source.js'
import { chunkBytes, type Limits } from '../limits.js'
import { type Platform, parsePlatform } from '../oci/platform.js'
import { ArchiveSource, type Reading, StreamSource } from './archive-source.js'
import { ArrivingArchive } from './arriving-archive.js'
import { DirectoryContent } from './directory-content.js'
import { closeInput, inputError, openInput, readAt } from './input.js'
import { InputStream, taking } from './input-stream.js'
import { TarContent } from './tar-content.js'

export interface OpenArchiveOptions {
  readonly limits: Limits
  /** `os/architecture[/variant]`: take the images of this platform. Default: the host's, where there is a choice. */
  readonly platform?: string
  /** A fresh path inside a stage directory; called at most once, when the bytes must be written somewhere. */
  stage(): Promise<string>
  readonly signal?: AbortSignal
  /** For messages. Default: the file's name, or `stream`. */
  readonly name?: string
}

/** A path, `-` for standard input, a Readable, or anything that yields bytes. */
export type ArchiveInput = string | AsyncIterable<Uint8Array>

/**
 * Resolves when it is known how to read the input; what is in it, `images()` says. Throws INPUT_IO, ARCHIVE_INVALID,
 * TAR_INVALID and LIMIT_EXCEEDED, and a TypeError for a platform that is none. The caller disposes of the source.
 */
export async function openArchive(input: ArchiveInput, options: OpenArchiveOptions): Promise<ImageSource> {
  options.signal?.throwIfAborted()
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform)
  if (typeof input !== 'string') return await openStream(input, options.name ?? 'stream', platform, options)
  if (input === '-') return await openStream(process.stdin, options.name ?? 'stdin', platform, options)
  const name = options.name ?? basename(resolve(input))
  const path = await realPath(input, name)
  const reading: Reading = { limits: options.limits, platform, layoutOnly: false }
  const kind = await kindOf(path, name)
  if (kind === 'directory')
    return new ArchiveSource(new DirectoryContent(name, path, options.limits), { ...reading, layoutOnly: true })
  const plain = kind === 'file' ? await openPlainTar(path, name, options) : undefined
  if (plain !== undefined) return new ArchiveSource(plain, reading)
  return await openStream(createReadStream(path, { highWaterMark: chunkBytes }), name, platform, options)
}

async function openStream(
  stream: AsyncIterable<unknown>,
  name: string,
  platform: Platform | undefined,
  { limits, signal, stage }: OpenArchiveOptions,
): Promise<ImageSource> {
  const input = new InputStream(stream, name)
  const path = await taking(input, stage)
  const archive = new ArrivingArchive({ name, input: decompress(input, { limits, label: name }), path }, limits)
  const abort = () => input.stop(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted) abort()
  const release = () => signal?.removeEventListener('abort', abort)
  return new StreamSource(name, input, archive, { limits, platform, layoutOnly: false }, release)
}

/** The file itself: jobs open it once more, and follow no links then. */
async function realPath(input: string, name: string): Promise<string> {
  try {
    return await realpath(input)
  } catch (cause) {
    throw inputError(cause, name, resolve(input))
  }
}

async function kindOf(path: string, name: string): Promise<'file' | 'directory' | 'stream'> {
  try {
    const found = await stat(path)
    return found.isFile() ? 'file' : found.isDirectory() ? 'directory' : 'stream'
  } catch (cause) {
    throw inputError(cause, name, path)
  }
}

/** The scanned archive; undefined if the file is compressed. */
async function openPlainTar(
  path: string,
  name: string,
  { limits, signal }: OpenArchiveOptions,
): Promise<TarContent | undefined> {
  const handle = await openInput(path, name)
  if (handle === undefined) throw new PhylloError('INPUT_IO', `${name}: is not there any more`, { path })
  try {
    const head = Buffer.alloc(sniffBytes)
    const read = await readAt({ handle, path, label: name }, head, 0)
    if (sniff(head.subarray(0, read)) !== 'none') {
      await closeInput(handle)
      return undefined
    }
    return await new TarContent({ name, path, handle }, limits).scan(signal)
  } catch (error) {
    await closeInput(handle)
    throw error
  }
}
