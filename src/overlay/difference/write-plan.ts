/**
 * Writes down, in a stage, what a job needs to make the layer of a container's changes: its entries, each with where its content
 * lies (tar/layer-plan.ts). No content is read here.
 *
 * Invariant: names, attributes and contents are those of the snapshot. The job may read as long as that is held.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { type ByteString, printable } from '../../byte-string.js'
import type { Layer } from '../../drivers/layer.js'
import type { UpperSnapshot } from '../../drivers/upper.js'
import { type PlannedContent, planLine } from '../../tar/layer-plan.js'
import { itemsPerLook } from '../union/pace.js'
import type { Union } from '../union/union.js'
import { type ChangedEntry, layerEntries } from './layer-entries.js'
import type { ContainerTrees } from './pairs.js'

export interface PlanOptions {
  /** File to make. */
  readonly plan: string
  /** The layer file of one of the layers below. */
  readonly layerFile: (layer: Layer) => string
  readonly warn: (path: string, reason: string) => void
  readonly signal?: AbortSignal
}

export interface WrittenPlan {
  /** 0: nothing has changed, and there is no layer. */
  readonly entries: number
  /** Of contents together. */
  readonly contentBytes: number
  /** Where contents lie, by their numbers in the plan. */
  readonly files: readonly string[]
  readonly layerFiles: readonly string[]
}

const lineBytes = 64 * 1024

export async function writeLayerPlan(
  { pace, lowers }: Union,
  upper: UpperSnapshot,
  options: PlanOptions,
): Promise<WrittenPlan> {
  const container: ContainerTrees = { trees: [upper, ...lowers], lowerContent: id => upper.lowerContent(id) }
  const contents = new Contents(upper, layer => options.layerFile(lowers[layer]!))
  const warn = (path: ByteString, reason: string) => options.warn(printable(path), reason)
  let file: FileHandle | undefined
  try {
    file = await open(options.plan, 'wx', 0o600)
    let entries = 0
    let lines = ''
    let steps = 0
    for (const changed of layerEntries(container, warn)) {
      if (changed !== undefined) {
        lines += planLine(changed.entry, contents.of(changed))
        entries++
      }
      if (lines.length > lineBytes) {
        await file.appendFile(lines)
        lines = ''
      }
      if ((changed === undefined || ++steps % itemsPerLook === 0) && pace.due()) await pace.turn()
      options.signal?.throwIfAborted()
    }
    await file.appendFile(lines)
    const { bytes, files, layerFiles } = contents
    return { entries, contentBytes: bytes, files, layerFiles }
  } finally {
    await file?.close()
  }
}

/** Things by the order in which they were first asked for. */
class Numbered<T> {
  readonly list: T[] = []
  readonly #numbers = new Map<T, number>()

  of(thing: T): number {
    const known = this.#numbers.get(thing)
    if (known !== undefined) return known
    this.#numbers.set(thing, this.list.length)
    return this.list.push(thing) - 1
  }
}

class Contents {
  bytes = 0
  readonly #files = new Numbered<string>()
  readonly #layers = new Numbered<number>()
  readonly #upper: UpperSnapshot
  readonly #layerFile: (layer: number) => string

  constructor(upper: UpperSnapshot, layerFile: (layer: number) => string) {
    this.#upper = upper
    this.#layerFile = layerFile
  }

  get files(): readonly string[] {
    return this.#files.list
  }

  get layerFiles(): readonly string[] {
    return this.#layers.list.map(this.#layerFile)
  }

  /** Where the content of an entry lies, if it has one. */
  of({ entry, member }: ChangedEntry): PlannedContent | undefined {
    const { type, sizeBytes } = entry
    if (type !== 'file' || sizeBytes === 0 || member === undefined) return undefined
    this.bytes += sizeBytes
    const { lower, inode } = (member.lower === 0 ? this.#upper.lowerContent(member.inode) : undefined) ?? member
    if (lower > 0) return { layer: this.#layers.of(lower - 1), inode }
    const { file, offset } = this.#upper.place(inode)
    return { file: this.#files.of(file), offset }
  }
}
