/**
 * An archive that comes as a stream: it is written to a stage file while it arrives, a scanner follows its headers, and
 * members that look like layers are announced as soon as their first block is there, so that jobs can follow the file.
 *
 * Invariants:
 * - Nothing is read from the input before somebody asks, and no faster than the disk takes it.
 * - A range is announced once, and `content()` answers with that same object for its member.
 * - However it ends, the counter says so: no job waits for ever. The reason of a failure is what `content()` throws.
 */
import type { FileHandle } from 'node:fs/promises'
import { printable } from '../byte-string.js'
import { GrowingFile } from '../disk/growing-file.js'
import { PhylloError, withFacts } from '../errors.js'
import type { ArrivingRange } from '../images/source.js'
import { chunkBytes, type Limits, MiB } from '../limits.js'
import { pushShowing } from '../tar/show-content.js'
import { Catalogue, type Member } from './catalogue.js'
import { openInput } from './input.js'
import { looksLikeLayer, magicBytes } from './layer-magic.js'
import { Queue } from './queue.js'
import { catalogueScanner, TarContent } from './tar-content.js'

/** Behind the last content at most 8 MiB of meta headers can follow; what is further away is padding, and not kept. */
const tailBytes = 16 * MiB

export interface Arrival {
  readonly name: string
  /** Plain tar bytes. */
  readonly input: AsyncIterable<Uint8Array>
  /** The stage file, which does not exist yet. */
  readonly path: string
}

export class ArrivingArchive {
  readonly #arrival: Arrival
  readonly #limits: Limits
  readonly #announced = new Queue<ArrivingRange>()
  readonly #ranges = new Map<number, ArrivingRange>()
  readonly #catalogue: Catalogue
  #pump: Promise<void> | undefined
  /** The member whose first block is being collected. */
  #member: Member | undefined
  #head = Buffer.alloc(magicBytes)

  constructor(arrival: Arrival, limits: Limits) {
    this.#arrival = arrival
    this.#limits = limits
    this.#catalogue = new Catalogue(arrival.name, limits)
  }

  /** Ends when the stream has ended, whichever way: the error of a failure belongs to `content()`. */
  arriving(): AsyncIterable<ArrivingRange> {
    this.#start()
    return this.#announced
  }

  /** The whole archive, when all of it has arrived. */
  async content(): Promise<TarContent> {
    await this.#start()
    const { name, path } = this.#arrival
    const handle = (await openInput(path, name, true)) as FileHandle | undefined
    if (handle === undefined)
      throw new PhylloError('STORE_IO', `${name}: its stage file is gone`, { operation: 'open', path })
    return new TarContent({ name, path, handle }, this.#limits, this.#catalogue, this.#ranges)
  }

  /** Settles when nothing is read or written any more. The input must have been stopped, or have ended. */
  async settled(): Promise<void> {
    await this.#pump?.catch(() => undefined)
  }

  #start(): Promise<void> {
    if (this.#pump === undefined) {
      this.#pump = this.#run().finally(() => this.#announced.end())
      // Whoever asks for the content gets the failure; one who only watches arrivals sees them end.
      this.#pump.catch(() => undefined)
    }
    return this.#pump
  }

  async #run(): Promise<void> {
    const file = await GrowingFile.create(this.#arrival.path)
    let contentEnd = 0
    const scanner = catalogueScanner(this.#catalogue, this.#limits, member => {
      this.#member = member.type === 'file' && member.sizeBytes > 0 ? member : undefined
      contentEnd = member.offset + member.sizeBytes
    })
    try {
      for await (const whole of this.#arrival.input) {
        for (let at = 0; at < whole.length; at += chunkBytes) {
          const chunk = whole.subarray(at, at + chunkBytes)
          pushShowing(scanner, chunk, (piece, offset) => this.#collect(piece, offset, file))
          if (scanner.offset - chunk.length < contentEnd + tailBytes) await file.append(chunk)
        }
      }
      scanner.end()
      await file.end()
    } catch (error) {
      await file.fail()
      throw withFacts(error, {}, this.#arrival.name)
    }
  }

  #collect(piece: Uint8Array, offset: number, file: GrowingFile): void {
    const member = this.#member
    if (member === undefined) return
    const wanted = Math.min(magicBytes, member.sizeBytes)
    const have = offset - member.offset
    this.#head.set(piece.subarray(0, wanted - have), have)
    if (have + piece.length < wanted) return
    this.#member = undefined
    if (!looksLikeLayer(this.#head.subarray(0, wanted), member.sizeBytes)) return
    const { offset: at, sizeBytes } = member
    const range = { path: file.path, offset: at, sizeBytes, growing: file.counter, member: printable(member.name) }
    this.#ranges.set(at, range)
    this.#announced.push(range)
  }
}
