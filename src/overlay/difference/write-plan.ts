/**
 * Writes down, in a stage, what a job needs to make the layer of a container's changes: its entries, each with where its content
 * lies (tar/layer-plan.ts). No content is read here. The job can follow.
 *
 * Invariant: names, attributes and contents are those of the snapshot. The job may read as long as that is held.
 */
import { printable } from '../../byte-string.js'
import type { GrowingFile } from '../../disk/growing-file.js'
import type { Layer } from '../../drivers/layer.js'
import type { UpperSnapshot } from '../../drivers/upper.js'
import { type PlannedContent, PlanWriter } from '../../tar/layer-plan.js'
import { paddingOf } from '../../tar/layer-writer.js'
import type { Union } from '../union/union.js'
import { type ChangedEntry, layerEntries } from './layer-entries.js'
import type { ContainerTrees } from './pairs.js'

export interface PlanOptions {
  /** Where it goes. Is ended if all goes well, and fails else. */
  readonly plan: GrowingFile
  /** Where a file of one of the layers below lies. */
  readonly lowerContent: (layer: Layer, inode: number) => PlannedContent
  readonly warn: (path: string, reason: string) => void
  /** Told now and then what there is so far. What it throws ends the work. */
  readonly onProgress?: (plan: WrittenPlan) => void
  readonly signal?: AbortSignal
}

export interface WrittenPlan {
  /** 0: nothing has changed, and there is no layer. */
  readonly entries: number
  /** Of contents together. */
  readonly contentBytes: number
  /** What the tar has at least. */
  readonly tarBytes: number
}

const lineBytes = 64 * 1024
/** The job has its threads meanwhile, all cores maybe: what should take so long takes three times that then. */
const turnAfterMs = 2
const stepsPerLook = 8
const headerBytes = 512

export async function writeLayerPlan(union: Union, upper: UpperSnapshot, options: PlanOptions): Promise<WrittenPlan> {
  try {
    const written = await writeLines(union, upper, options)
    await options.plan.end()
    return written
  } catch (error) {
    await options.plan.fail()
    throw error
  }
}

async function writeLines({ pace, lowers }: Union, upper: UpperSnapshot, options: PlanOptions): Promise<WrittenPlan> {
  const { plan, lowerContent, warn, onProgress, signal } = options
  const container: ContainerTrees = { trees: [upper, ...lowers], node: id => upper.node(id) }
  const contents = new Contents(upper, lowers, lowerContent)
  const written = { entries: 0, contentBytes: 0, tarBytes: 0 }
  const writer = new PlanWriter()
  let lines = ''
  let steps = 0
  for (const changed of layerEntries(container, (path, reason) => warn(printable(path), reason))) {
    if (changed !== undefined) {
      const content = contents.of(changed)
      lines += writer.lines(changed.entry, content)
      const contentBytes = content === undefined ? 0 : changed.entry.sizeBytes
      written.entries++
      written.contentBytes += contentBytes
      written.tarBytes += headerBytes + contentBytes + paddingOf(contentBytes)
    }
    if (lines.length > lineBytes) {
      await plan.append(Buffer.from(lines))
      lines = ''
      onProgress?.(written)
    }
    if ((changed === undefined || ++steps % stepsPerLook === 0) && pace.due(turnAfterMs)) await pace.turn()
    signal?.throwIfAborted()
  }
  await plan.append(Buffer.from(lines))
  return written
}

class Contents {
  readonly #upper: UpperSnapshot
  readonly #lowers: readonly Layer[]
  readonly #lowerContent: PlanOptions['lowerContent']

  constructor(upper: UpperSnapshot, lowers: readonly Layer[], lowerContent: PlanOptions['lowerContent']) {
    this.#upper = upper
    this.#lowers = lowers
    this.#lowerContent = lowerContent
  }

  /** Where the content of an entry lies, if it has one. */
  of({ entry, member }: ChangedEntry): PlannedContent | undefined {
    const { type, sizeBytes } = entry
    if (type !== 'file' || sizeBytes === 0 || member === undefined) return undefined
    const { lower, inode } = (member.lower === 0 ? this.#upper.node(member.inode).lowerContent : undefined) ?? member
    return lower > 0 ? this.#lowerContent(this.#lowers[lower - 1]!, inode) : this.#upper.place(inode)
  }
}
