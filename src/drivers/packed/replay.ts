/**
 * What a journal tells, as a tree again.
 *
 * Invariant: what comes out is what was there after some frame, the last one if all is well. A frame that was on the disk, with
 * its contents, when a sync ended is never given up: if something of it is missing, that is STORE_CORRUPT.
 */
import { PhylloError } from '../../errors.js'
import type { Sum } from '../../layerfile/format.js'
import { rootId } from '../upper-metadata.js'
import { UpperTree } from '../upper-tree.js'
import type { Frame, JournalFrames } from './journal.js'
import { corruptUpper, type Extent } from './journal-format.js'
import { type Records, readRecords, Seen } from './record-reader.js'
import { contentName, type StoredContent, segmentName } from './stored-content.js'
import type { UpperFiles } from './upper-files.js'

export interface Replayed {
  readonly tree: UpperTree
  /** Frames that count. */
  readonly frames: readonly Frame[]
  readonly seen: Seen
}

type Options = ConstructorParameters<typeof UpperTree>[1]

export function replay(path: string, journal: JournalFrames, files: UpperFiles, sum: Sum, options: Options): Replayed {
  const { durable } = journal
  const missing = (frame: Frame, name: string): void => {
    if (frame.offset >= durable) return
    throw corruptUpper(files.path(name), `bytes are missing that ${path} relies on, in the frame`, frame.offset)
  }
  const sizes = new Map<string, number>()
  let frames = withExtents(path, journal, files, sum)
  // Each round gives up one frame at least. Nearly always there is one round.
  for (;;) {
    const seen = new Seen()
    const tree = play(path, frames, seen, options)
    const lost = contentsOf(tree).find(content => !isThere(files, content, sizes))
    if (lost === undefined) return { tree, frames, seen }
    const culprit = firstFrameOf(path, frames, lost, files)
    missing(frames[culprit]!, nameOf(lost))
    frames = frames.slice(0, culprit)
  }
}

/** Frames before the first one whose new bytes in segments are not whole; those on the disk are not looked at. */
function withExtents(path: string, { frames, durable }: JournalFrames, files: UpperFiles, sum: Sum): readonly Frame[] {
  for (const [i, frame] of frames.entries()) {
    if (frame.offset < durable) continue
    const { extents } = records(path, frame, new Seen())
    if (!extents.every(extent => isWhole(extent, files, sum))) return frames.slice(0, i)
  }
  return frames
}

/** A segment that is not there any more has nothing in it that anybody wants; if it has, that shows later. */
function isWhole({ segment, offset, bytes, checksum }: Extent, files: UpperFiles, sum: Sum): boolean {
  const name = segmentName(segment)
  if (files.bytes(name) === undefined) return true
  const found = Buffer.allocUnsafeSlow(bytes)
  if (files.readSync(name, found, offset) < bytes) return false
  const [low, high] = sum(found)
  return low === checksum[0] && high === checksum[1]
}

function play(path: string, frames: readonly Frame[], seen: Seen, options: Options): UpperTree {
  let tree: UpperTree | undefined
  for (const frame of frames) {
    const { changes, next } = records(path, frame, seen)
    try {
      if (tree === undefined) {
        const root = changes.shift()
        if (root?.op !== 'create' || root.id !== rootId) throw new RangeError('the root does not come first')
        tree = new UpperTree(root.node, options)
      }
      tree.play(changes)
      tree.skipTo(next)
    } catch (cause) {
      throw contradictory(path, frame, cause)
    }
  }
  if (tree === undefined) throw corruptUpper(path, 'nothing is left of it')
  tree.forgetNameless()
  return tree
}

function records(path: string, frame: Frame, seen: Seen): Records {
  try {
    return readRecords(frame.payload, seen)
  } catch (cause) {
    throw contradictory(path, frame, cause)
  }
}

function contradictory(path: string, { offset }: Frame, cause: unknown): PhylloError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new PhylloError('STORE_CORRUPT', `${path}: frame at offset ${offset}: ${reason}`, { path, offset, cause })
}

export function contentsOf(tree: UpperTree): StoredContent[] {
  const contents: StoredContent[] = []
  for (const { stored } of tree.nodes()) if (stored !== undefined) contents.push(stored as StoredContent)
  return contents
}

const nameOf = (content: StoredContent) =>
  content.kind === 'small' ? segmentName(content.segment) : contentName(content.file)

const endOf = (content: StoredContent) => (content.kind === 'small' ? content.offset + content.bytes : content.bytes)

/** `sizes`: files that were looked at already; none grows meanwhile. */
function isThere(files: UpperFiles, content: StoredContent, sizes: Map<string, number>): boolean {
  if (content.kind === 'small' && content.bytes === 0) return true
  const name = nameOf(content)
  const there = sizes.get(name) ?? files.bytes(name) ?? -1
  sizes.set(name, there)
  if (there < endOf(content)) return false
  if (content.kind === 'large') {
    content.known = content.bytes
    content.reach = there
  }
  return true
}

/** The first of the latest frames that all want more of the file than there is. */
function firstFrameOf(path: string, frames: readonly Frame[], lost: StoredContent, files: UpperFiles): number {
  const there = files.bytes(nameOf(lost)) ?? -1
  let first = frames.length
  for (let i = frames.length - 1; i >= 0; i--) {
    const wanted = records(path, frames[i]!, new Seen()).changes.flatMap(change => {
      const stored = change.op === 'content' ? (change.stored as StoredContent) : undefined
      return stored !== undefined && nameOf(stored) === nameOf(lost) ? [endOf(stored)] : []
    })
    if (wanted.length === 0) continue
    if (wanted.at(-1)! <= there) break
    first = i
  }
  return Math.min(first, frames.length - 1)
}
