/**
 * Where an archive is written to: a file, or somebody's stream.
 *
 * Invariants:
 * - A regular file gets its name when it is complete: until then the bytes are in a file beside it, which a failure
 *   removes. What is no regular file (a pipe, a device) is written to directly.
 * - `write` settles when the chunk has been taken; the caller never runs ahead of whoever reads.
 */
import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Writable } from 'node:stream'
import { syncPath } from '../disk/io.js'
import { inTurn } from '../endings.js'
import { callError, isErrno, PhylloError } from '../errors.js'

/** A file that is being written, under a name of its own. */
export interface OutputFile {
  readonly writtenAs: string
  /** The name that it gets. */
  readonly path: string
}

export interface Output {
  /** False if a chunk may still be in use after `write` has settled. */
  readonly copies: boolean
  /** Where others may write to it, too. */
  readonly file?: OutputFile
  /** Chunks come in their order; `position` says it once more, for what can be written at any. */
  write(chunk: Uint8Array, position: number): Promise<void>
  /** All has been written. */
  commit(): Promise<void>
  /** It failed: what was written is worth nothing. */
  discard(reason: unknown): Promise<void>
}

/** Opens a path or takes a stream. `durable`: a file is on the disk before it gets its name, and its name when it is whole. Throws OUTPUT_IO. */
export async function openOutput(output: string | Writable, durable: boolean): Promise<Output> {
  if (typeof output !== 'string') return new StreamOutput(output)
  let path = resolve(output)
  try {
    path = await realPath(path)
    const found = await stat(path).catch(ignoreAbsence)
    if (found?.isDirectory()) throw new PhylloError('OUTPUT_IO', `${output}: is a directory`, { path })
    if (found !== undefined && !found.isFile()) return new StreamOutput(createWriteStream(path, { flags: 'w' }))
    // 0600 as docker save has it: an image may hold secrets.
    const beside = join(dirname(path), `.${basename(path).slice(0, 200)}.${randomBytes(6).toString('hex')}.part`)
    return new FileOutput({ writtenAs: beside, path }, await open(beside, 'wx', 0o600), durable)
  } catch (cause) {
    throw outputError(cause, path)
  }
}

class FileOutput implements Output {
  readonly copies = true
  readonly file: OutputFile
  readonly #handle: FileHandle
  readonly #durable: boolean

  constructor(file: OutputFile, handle: FileHandle, durable: boolean) {
    this.file = file
    this.#handle = handle
    this.#durable = durable
  }

  async write(chunk: Uint8Array, position: number): Promise<void> {
    try {
      for (let done = 0; done < chunk.length; )
        done += (await this.#handle.write(chunk, done, chunk.length - done, position + done)).bytesWritten
    } catch (cause) {
      throw outputError(cause, this.file.path)
    }
  }

  async commit(): Promise<void> {
    try {
      if (this.#durable) await this.#handle.sync()
      await this.#handle.close()
      await rename(this.file.writtenAs, this.file.path)
      if (this.#durable) await syncPath(dirname(this.file.path))
    } catch (cause) {
      throw outputError(cause, this.file.path)
    }
  }

  async discard(): Promise<void> {
    const { writtenAs } = this.file
    // Why it failed is what is told.
    await inTurn([() => this.#handle.close(), () => rm(writtenAs, { force: true })]).catch(() => undefined)
  }
}

class StreamOutput implements Output {
  readonly copies = false
  readonly #stream: Writable
  #failure: { readonly error: unknown } | undefined

  constructor(stream: Writable) {
    this.#stream = stream
    stream.on('error', error => (this.#failure ??= { error }))
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#settle(done => this.#stream.write(chunk, done))
  }

  async commit(): Promise<void> {
    if (this.#isStandard()) return
    await this.#settle(done => this.#stream.end(done))
  }

  async discard(reason: unknown): Promise<void> {
    if (!this.#isStandard()) this.#stream.destroy(reason instanceof Error ? reason : undefined)
  }

  /** Of a stream that writes to a file. */
  #path(): string | undefined {
    return 'path' in this.#stream && typeof this.#stream.path === 'string' ? this.#stream.path : undefined
  }

  /** Standard output is the process's, and more may be said on it. */
  #isStandard(): boolean {
    return this.#stream === process.stdout || this.#stream === process.stderr
  }

  async #settle(work: (done: (error?: Error | null) => void) => void): Promise<void> {
    try {
      if (this.#failure !== undefined) throw this.#failure.error
      await new Promise<void>((resolve, reject) => work(error => (error ? reject(error) : resolve())))
    } catch (cause) {
      throw outputError(this.#failure?.error ?? cause, this.#path())
    }
  }
}

/** Through symlinks, so that the file is replaced and not the link that leads to it. */
async function realPath(path: string): Promise<string> {
  return (await realpath(path).catch(ignoreAbsence)) ?? path
}

function ignoreAbsence(error: unknown): undefined {
  if (!isErrno(error, 'ENOENT')) throw error
  return undefined
}

function outputError(cause: unknown, path?: string): PhylloError {
  return callError('OUTPUT_IO', cause, {
    path,
    said: 'the output cannot be written',
  })
}
