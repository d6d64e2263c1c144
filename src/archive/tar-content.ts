/**
 * An archive whose bytes are in a tar file that can be read anywhere: the user's own, or the stage file of a stream.
 * Its headers are scanned once; contents are passed over, so that cataloguing costs by the member, not by the byte.
 */
import type { FileHandle } from 'node:fs/promises'
import { withFacts } from '../errors.js'
import { KiB, type Limits } from '../limits.js'
import type { ByteRange } from '../pool/jobs.js'
import { TarScanner } from '../tar/scanner.js'
import { Catalogue, type Member } from './catalogue.js'
import { type ArchiveContent, checkDocumentSize } from './content.js'
import { closeInput, type Input, readAt, readExactly, statusOf } from './input.js'

/** Read at once while headers are looked for. */
const windowBytes = 64 * KiB

/** A scanner that fills the catalogue. What bounds the entries of a layer does not bound the members of an archive. */
export function catalogueScanner(
  catalogue: Catalogue,
  limits: Limits,
  onMember?: (member: Member) => void,
): TarScanner {
  return new TarScanner({
    limits: { ...limits, layerEntries: Number.MAX_SAFE_INTEGER },
    onEntry(entry) {
      const member = catalogue.add(entry)
      onMember?.(member)
    },
  })
}

export class TarContent implements ArchiveContent {
  readonly name: string
  readonly #path: string
  readonly #handle: FileHandle
  readonly #limits: Limits
  readonly #catalogue: Catalogue
  readonly #ranges = new Map<number, ByteRange>()
  #bytesRead = 0

  /** Owns the handle. `ranges`: those that were announced already, by offset. */
  constructor(
    file: { readonly name: string; readonly path: string; readonly handle: FileHandle },
    limits: Limits,
    catalogue = new Catalogue(file.name, limits),
    ranges: ReadonlyMap<number, ByteRange> = new Map(),
  ) {
    this.name = file.name
    this.#path = file.path
    this.#handle = file.handle
    this.#limits = limits
    this.#catalogue = catalogue
    for (const [offset, range] of ranges) this.#ranges.set(offset, range)
  }

  /** Finds the members. Throws TAR_INVALID, PATH_ESCAPE, LIMIT_EXCEEDED, INPUT_IO, and what else a scanner throws. */
  async scan(signal?: AbortSignal): Promise<this> {
    const scanner = catalogueScanner(this.#catalogue, this.#limits)
    const input = this.#input(this.name)
    const { size } = await statusOf(input)
    const window = Buffer.allocUnsafeSlow(windowBytes)
    try {
      while (scanner.offset < size) {
        signal?.throwIfAborted()
        const read = await readAt(input, window, scanner.offset)
        this.#bytesRead += read
        if (read === 0) break
        scanner.push(window.subarray(0, read))
        scanner.skip(Math.min(scanner.skippable, Math.max(0, size - scanner.offset)))
      }
      scanner.end()
    } catch (error) {
      throw withFacts(error, { path: this.#path }, this.name)
    }
    return this
  }

  async has(member: string): Promise<boolean> {
    return this.#catalogue.resolve(member) !== undefined
  }

  async read(name: string): Promise<Buffer | undefined> {
    const member = this.#catalogue.resolve(name)
    if (member === undefined) return undefined
    const label = `${this.name}: ${name}`
    checkDocumentSize(member.sizeBytes, this.#limits, label)
    this.#bytesRead += member.sizeBytes
    return await readExactly(this.#input(label), member.sizeBytes, member.offset)
  }

  async range(name: string): Promise<ByteRange | undefined> {
    const member = this.#catalogue.resolve(name)
    if (member === undefined) return undefined
    const { offset, sizeBytes } = member
    const range = this.#ranges.get(offset) ?? { path: this.#path, offset, sizeBytes }
    this.#ranges.set(offset, range)
    return range
  }

  async sample(): Promise<readonly string[]> {
    return this.#catalogue.names(5)
  }

  bytesRead(): number {
    return this.#bytesRead
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeInput(this.#handle)
  }

  #input(label: string): Input {
    return { handle: this.#handle, path: this.#path, label }
  }
}
