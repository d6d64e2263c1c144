/**
 * What a journal tells, as a tree again.
 *
 * Invariant: what comes out is what was there after some frame, the last one if all is well. A frame that was on the disk, with
 * its contents, when a sync ended is never given up: if something of it is missing, that is STORE_CORRUPT.
 */
import { PhylloError } from '../../errors.js'
import type { Sum } from '../../layerfile/format.js'
import type { Change } from '../upper-change.js'
import { rootId } from '../upper-metadata.js'
import { UpperTree } from '../upper-tree.js'
import type { Frame, JournalFrames } from './journal.js'
import { corruptUpper, type Extent } from './journal-format.js'
import { type Rest, readRecords, Seen } from './record-reader.js'
import { contentName, type LargeContent, type StoredContent, segmentName } from './stored-content.js'
import type { UpperFiles } from './upper-files.js'

export interface Replayed {
  readonly tree: UpperTree
  /** Frames that count. */
  readonly frames: readonly Frame[]
  readonly seen: Seen
  readonly wanted: Wanted
}

type Options = ConstructorParameters<typeof UpperTree>[1]

export function replay(path: string, journal: JournalFrames, files: UpperFiles, sum: Sum, options: Options): Replayed {
  const { durable } = journal
  let { frames } = journal
  // Each round but the last gives up one frame at least. Nearly always there is one round.
  for (;;) {
    const seen = new Seen()
    const isWhole = (frame: Frame, extents: readonly Extent[]) =>
      frame.offset < durable || extents.every(extent => isThere(extent, files, sum))
    const { tree, played } = play(path, frames, { seen, isWhole, options })
    frames = frames.slice(0, played)
    if (tree === undefined) continue
    const wanted = new Wanted(tree)
    const lost = wanted.lost(files)
    if (lost === undefined) return { tree, frames, seen, wanted }
    const culprit = firstFrameOf(path, frames, lost, files)
    const { offset } = frames[culprit]!
    if (offset < durable)
      throw corruptUpper(files.path(lost), `bytes are missing that ${path} relies on, in the frame`, offset)
    frames = frames.slice(0, culprit)
  }
}

/** A segment that is not there any more has nothing in it that anybody wants; if it has, that shows later. */
export function isThere({ segment, offset, bytes, checksum }: Extent, files: UpperFiles, sum: Sum): boolean {
  const name = segmentName(segment)
  if (files.bytes(name) === undefined) return true
  const found = Buffer.allocUnsafeSlow(bytes)
  if (files.readSync(name, found, offset) < bytes) return false
  const [low, high] = sum(found)
  return low === checksum[0] && high === checksum[1]
}

interface Playing {
  readonly seen: Seen
  readonly isWhole: (frame: Frame, extents: readonly Extent[]) => boolean
  readonly options: Options
}

/** Without a tree: of the frame behind those that were played something is not whole. */
function play(path: string, frames: readonly Frame[], { seen, isWhole, options }: Playing) {
  let tree: UpperTree | undefined
  const begin = (root: Change): UpperTree => {
    if (root.op !== 'create' || root.id !== rootId) throw new RangeError('the root does not come first')
    return new UpperTree(root.node, options)
  }
  const tell = (change: Change) => {
    if (tree === undefined) tree = begin(change)
    else tree.play(change)
  }
  for (const [played, frame] of frames.entries()) {
    const { extents, next } = records(path, frame, seen, tell)
    if (!isWhole(frame, extents)) return { tree: undefined, played }
    tree?.skipTo(next)
  }
  if (tree === undefined) throw corruptUpper(path, 'nothing is left of it')
  tree.forgetNameless()
  return { tree, played: frames.length }
}

function records(path: string, frame: Frame, seen: Seen, tell: (change: Change) => void): Rest {
  try {
    return readRecords(frame.payload, seen, tell)
  } catch (cause) {
    throw contradictory(path, frame, cause)
  }
}

function contradictory(path: string, { offset }: Frame, cause: unknown): PhylloError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new PhylloError('STORE_CORRUPT', `${path}: frame at offset ${offset}: ${reason}`, { path, offset, cause })
}

/** What a tree wants of the files. */
export class Wanted {
  /** Up to where. */
  readonly segments = new Map<number, number>()
  readonly large: LargeContent[] = []

  constructor(tree: UpperTree) {
    for (const { stored } of tree.nodes()) if (stored !== undefined) this.#add(stored as StoredContent)
  }

  /** The name of a file that has less than is wanted. */
  lost(files: UpperFiles): string | undefined {
    for (const [segment, end] of this.segments)
      if ((files.bytes(segmentName(segment)) ?? -1) < end) return segmentName(segment)
    for (const content of this.large) {
      const there = files.bytes(contentName(content.file)) ?? -1
      if (there < content.bytes) return contentName(content.file)
      content.known = content.bytes
      content.reach = there
    }
    return undefined
  }

  #add(content: StoredContent): void {
    if (content.kind === 'large') this.large.push(content)
    else if (content.bytes > 0) {
      const end = this.segments.get(content.segment) ?? 0
      if (endOf(content) > end) this.segments.set(content.segment, endOf(content))
    }
  }
}

const nameOf = (content: StoredContent) =>
  content.kind === 'small' ? segmentName(content.segment) : contentName(content.file)

const endOf = (content: StoredContent) => (content.kind === 'small' ? content.offset + content.bytes : content.bytes)

/** The first of the latest frames that all want more of the file than there is. */
function firstFrameOf(path: string, frames: readonly Frame[], lost: string, files: UpperFiles): number {
  const there = files.bytes(lost) ?? -1
  let first = frames.length
  for (let i = frames.length - 1; i >= 0; i--) {
    let wanted: number | undefined
    records(path, frames[i]!, new Seen(), change => {
      const stored = change.op === 'content' ? (change.stored as StoredContent) : undefined
      if (stored !== undefined && nameOf(stored) === lost) wanted = endOf(stored)
    })
    if (wanted === undefined) continue
    if (wanted <= there) break
    first = i
  }
  return Math.min(first, frames.length - 1)
}
