/**
 * An OCI layout in a directory. Its files are somebody else's: each is opened without following a symlink and without
 * waiting, and must be a regular file; what it holds is believed only by its digest.
 */
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { printable } from '../byte-string.js'
import { PhylloError } from '../errors.js'
import type { Limits } from '../limits.js'
import type { ByteRange } from '../pool/jobs.js'
import { type ArchiveContent, checkDocumentSize } from './content.js'
import { closeInput, type Input, inputError, openInput, readExactly, statusOf } from './input.js'

export class DirectoryContent implements ArchiveContent {
  readonly name: string
  readonly #path: string
  readonly #limits: Limits
  readonly #ranges = new Map<string, ByteRange>()
  #bytesRead = 0

  constructor(name: string, path: string, limits: Limits) {
    this.name = name
    this.#path = resolve(path)
    this.#limits = limits
  }

  async has(member: string): Promise<boolean> {
    return (await this.range(member)) !== undefined
  }

  async read(member: string): Promise<Buffer | undefined> {
    return await this.#use(member, async (input, sizeBytes) => {
      checkDocumentSize(sizeBytes, this.#limits, input.label)
      this.#bytesRead += sizeBytes
      return await readExactly(input, sizeBytes, 0)
    })
  }

  async range(member: string): Promise<ByteRange | undefined> {
    const known = this.#ranges.get(member)
    if (known !== undefined) return known
    const range = await this.#use(member, async (_input, sizeBytes) => {
      return { path: join(this.#path, member), offset: 0, sizeBytes }
    })
    if (range !== undefined) this.#ranges.set(member, range)
    return range
  }

  async sample(): Promise<readonly string[]> {
    try {
      const names = await readdir(this.#path)
      return names.sort().slice(0, 5).map(printable)
    } catch (cause) {
      throw inputError(cause, this.name, this.#path)
    }
  }

  bytesRead(): number {
    return this.#bytesRead
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ranges.clear()
  }

  /** Members are names that this room makes itself: `index.json`, `oci-layout`, `blobs/<algorithm>/<hex>`. */
  async #use<T>(member: string, work: (input: Input, sizeBytes: number) => Promise<T>): Promise<T | undefined> {
    const label = `${this.name}: ${member}`
    const path = join(this.#path, member)
    const handle = await openInput(path, label, true)
    if (handle === undefined) return undefined
    const input = { handle, path, label }
    try {
      const stat = await statusOf(input)
      if (!stat.isFile()) throw new PhylloError('ARCHIVE_INVALID', `${label}: not a regular file`, { member })
      return await work(input, stat.size)
    } finally {
      await closeInput(handle)
    }
  }
}
