/**
 * Writes down, in a stage, what a job needs to make the layer of a container's changes: the plan of its entries (tar/layer-plan.ts)
 * and, of contents that lie in no file that others could read, a copy.
 *
 * Invariant: names and attributes are those of one moment, the call. Contents that are written to in place while the job reads may
 * be old or new; who does not want that lets nobody write until the job has ended.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { type ByteString, printable } from '../../byte-string.js'
import type { Layer, Member } from '../../drivers/layer.js'
import { PhylloError } from '../../errors.js'
import { MiB } from '../../limits.js'
import { type PlannedContent, planLine } from '../../tar/layer-plan.js'
import { upperOf } from '../union/copy-up.js'
import { itemsPerLook } from '../union/pace.js'
import type { Union } from '../union/union.js'
import { type ChangedEntry, layerEntries } from './layer-entries.js'
import type { ContainerTrees } from './pairs.js'
import { UpperSnapshot } from './upper-snapshot.js'

export interface PlanOptions {
  /** Files to make: the plan, and contents that have to be copied. */
  readonly plan: string
  readonly spool: string
  /** The layer file of one of the layers below; undefined where there is none. */
  readonly layerFile: (layer: Layer) => string | undefined
  readonly warn: (path: string, reason: string) => void
  readonly signal?: AbortSignal
}

export interface WrittenPlan {
  /** 0: nothing has changed, and there is no layer. */
  readonly entries: number
  /** Of contents together. */
  readonly contentBytes: number
  /** Layer files that contents lie in, by their number in the plan. */
  readonly layerFiles: readonly string[]
}

const lineBytes = 64 * 1024

export async function writeLayerPlan(union: Union, options: PlanOptions): Promise<WrittenPlan> {
  union.assertOpen()
  const upper = new UpperSnapshot(upperOf(union))
  const lowerContent = (id: number) => upper.lowerContent(id)
  const container: ContainerTrees = { trees: [upper, ...union.lowers], lowerContent }
  const contents = new Contents(union, upper, options)
  const warn = (path: ByteString, reason: string) => options.warn(printable(path), reason)
  let file: FileHandle | undefined
  try {
    file = await open(options.plan, 'wx', 0o600)
    let entries = 0
    let lines = ''
    for (const changed of layerEntries(container, warn)) {
      lines += planLine({ ...changed.entry, contents: await contents.of(changed) })
      if (lines.length > lineBytes) {
        await file.appendFile(lines)
        lines = ''
      }
      if (++entries % itemsPerLook === 0 && union.pace.due()) await union.pace.turn()
      options.signal?.throwIfAborted()
    }
    await file.appendFile(lines)
    return { entries, contentBytes: contents.bytes, layerFiles: contents.layerFiles }
  } finally {
    upper.release()
    await file?.close()
    await contents.close()
  }
}

class Contents {
  readonly layerFiles: string[] = []
  bytes = 0
  readonly #union: Union
  readonly #upper: UpperSnapshot
  readonly #options: PlanOptions
  readonly #numbers = new Map<number, number | undefined>()
  #spool: FileHandle | undefined
  #spooled = 0

  constructor(union: Union, upper: UpperSnapshot, options: PlanOptions) {
    this.#union = union
    this.#upper = upper
    this.#options = options
  }

  /** Where the content of an entry lies. Waits only where it has to be copied. */
  of({ entry, member }: ChangedEntry): readonly PlannedContent[] | Promise<readonly PlannedContent[]> {
    const { type, sizeBytes } = entry
    if (type !== 'file' || sizeBytes === 0 || member === undefined) return []
    this.bytes += sizeBytes
    const content = member.lower === 0 ? (this.#upper.lowerContent(member.inode) ?? member) : member
    const places = content.lower === 0 ? this.#upper.places(content.inode) : this.#inLayer(content, sizeBytes)
    return places ?? this.#copy(content, entry.name, sizeBytes)
  }

  async close(): Promise<void> {
    await this.#spool?.close()
  }

  #inLayer({ lower, inode }: Member, bytes: number): readonly PlannedContent[] | undefined {
    if (!this.#numbers.has(lower)) {
      const file = this.#options.layerFile(this.#union.lowers[lower - 1]!)
      this.#numbers.set(lower, file === undefined ? undefined : this.layerFiles.push(file) - 1)
    }
    const layer = this.#numbers.get(lower)
    return layer === undefined ? undefined : [{ layer, inode, bytes }]
  }

  async #copy({ lower, inode }: Member, name: ByteString, sizeBytes: number): Promise<readonly PlannedContent[]> {
    const { spool } = this.#options
    this.#spool ??= await open(spool, 'wx', 0o600)
    const offset = this.#spooled
    const buffer = Buffer.allocUnsafe(Math.min(sizeBytes, MiB))
    for (let done = 0; done < sizeBytes; ) {
      const into = buffer.subarray(0, Math.min(buffer.length, sizeBytes - done))
      const count = await this.#union.reading(() => this.#union.trees[lower]!.read(inode, done, into))
      if (count === 0) {
        const reason = `its content ends after ${done} of ${sizeBytes} bytes`
        throw new PhylloError('SIZE_MISMATCH', `${printable(name)}: ${reason}`, { path: printable(name) })
      }
      await this.#spool.write(into, 0, count, offset + done)
      done += count
    }
    this.#spooled += sizeBytes
    return [{ file: spool, offset, bytes: sizeBytes }]
  }
}
