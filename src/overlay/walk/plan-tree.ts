/**
 * The plan of the whole tree that layers show together (unpack/tree-plan.ts): only what is visible, each inode once.
 *
 * Invariants:
 * - Directories come first, in the order of a walk; then, layer by layer from the lowest, everything else as its content lies in
 *   the layer, so that whoever makes it reads each block of a layer once.
 * - Nothing of it stays in memory but columns of what is no directory.
 */
import type { ByteString } from '../../byte-string.js'
import type { Layer } from '../../drivers/layer.js'
import { KiB, MiB } from '../../limits.js'
import { mostParts, type PlanPart } from '../../unpack/plan-board.js'
import { type PlannedNode, planLine } from '../../unpack/tree-plan.js'
import { type Member, rootStack, type Stack } from '../union/lookup.js'
import { merge } from '../union/merge.js'
import { fileTypeOf, isDirectoryMode, isRegularMode, S_IFDIR } from '../union/mode.js'
import { itemsPerLook, type Pace } from '../union/pace.js'
import { pacedSort } from './paced-sort.js'

export interface PlanTarget {
  /** Lines one behind the other. */
  append(lines: string): Promise<void>
  /** Told of every part when its lines are appended, in their order; `mostParts` of directories at most, and as many of the rest. */
  readonly onPart: (part: PlanPart) => void
  readonly signal: AbortSignal
}

export interface PlannedDirectories {
  readonly count: number
  /** Everything else, to be planned next. */
  readonly rest: PlanRest
}

export interface PlannedNodes {
  /** Names. */
  readonly count: number
  /** Of contents, once an inode. */
  readonly bytes: number
}

/** A part is worth handing over, and the last one ends soon. */
const partNodes = 512
const partBytes = 8 * MiB
/** Of very many nodes a part is no less than this share of them all, so that there are not too many parts. */
const share = mostParts / 4
/** Of directories, whose number shows only at the end: of those that there are so far. */
const shareSoFar = 16
/** Of lines that are written at once. */
const linesBytes = 64 * KiB

/** Names by the layer that shows them. */
interface Columns {
  readonly inodes: number[]
  readonly paths: ByteString[]
}

interface Folder {
  readonly path: ByteString
  readonly stack: Stack
}

/** Of an image without layers. */
const emptyRoot: PlannedNode = {
  path: '' as ByteString,
  mode: S_IFDIR | 0o755,
  ...{ uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0, sizeBytes: 0, deviceMajor: 0, deviceMinor: 0, source: 0, inode: 0 },
  ...{ xattrs: [], target: '' as ByteString, links: [] },
}

/** Plans the directories, and finds everything else on the way. `lowers`: top first. */
export async function planDirectories(
  lowers: readonly Layer[],
  pace: Pace,
  target: PlanTarget,
): Promise<PlannedDirectories> {
  const columns = lowers.map((): Columns => ({ inodes: [], paths: [] }))
  const lines = new Lines(target, 0)
  const waiting: Folder[] = [{ path: '' as ByteString, stack: rootStack(lowers) }]
  let count = 0
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { path, stack } = next
    lines.add(stack.length === 0 ? emptyRoot : nodeOf(lowers, stack[0]!, path, []), 0)
    count++
    const prefix = path === '' ? '' : `${path}/`
    const folders: Folder[] = []
    merge(lowers, stack, (name, below) => {
      const { lower, inode } = below[0]!
      const at = (prefix + name) as ByteString
      if (isDirectoryMode(lowers[lower]!.mode(inode))) folders.push({ path: at, stack: below })
      else {
        columns[lower]!.inodes.push(inode)
        columns[lower]!.paths.push(at)
      }
    })
    // They come off in their order
    for (let last = folders.pop(); last !== undefined; last = folders.pop()) waiting.push(last)
    if (lines.isPart(Math.max(partNodes, count / shareSoFar))) await lines.endPart()
    if (pace.due()) await pace.turn()
  }
  await lines.end()
  return { count, rest: new PlanRest(lowers, pace, columns, lines.position) }
}

export class PlanRest {
  readonly #lowers: readonly Layer[]
  readonly #pace: Pace
  readonly #columns: readonly Columns[]
  readonly #position: number

  constructor(lowers: readonly Layer[], pace: Pace, columns: readonly Columns[], position: number) {
    this.#lowers = lowers
    this.#pace = pace
    this.#columns = columns
    this.#position = position
  }

  /** Behind the directories of the same plan. */
  async plan(target: PlanTarget): Promise<PlannedNodes> {
    const names = this.#columns.reduce((sum, { inodes }) => sum + inodes.length, 0)
    const bytes = this.#lowers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    const [mostNodes, mostBytes] = [Math.max(partNodes, names / share), Math.max(partBytes, bytes / share)]
    const lines = new Lines(target, this.#position)
    let count = 0
    for (let lower = this.#lowers.length - 1; lower >= 0; lower--) {
      const columns = this.#columns[lower]!
      const rows = await inOrder(this.#lowers[lower]!, columns, this.#pace)
      for (let at = 0; at < rows.length; ) {
        const inode = columns.inodes[rows[at]!]!
        const path = columns.paths[rows[at]!]!
        const links: ByteString[] = []
        while (++at < rows.length && columns.inodes[rows[at]!] === inode) links.push(columns.paths[rows[at]!]!)
        const node = nodeOf(this.#lowers, { lower, inode }, path, links)
        lines.add(node, node.sizeBytes)
        count += 1 + links.length
        if (lines.isPart(mostNodes, mostBytes)) await lines.endPart()
        if (count % itemsPerLook === 0 && this.#pace.due()) await this.#pace.turn()
      }
    }
    await lines.end()
    return { count, bytes: lines.bytes }
  }
}

function nodeOf(
  lowers: readonly Layer[],
  { lower, inode: number }: Member,
  path: ByteString,
  links: PlannedNode['links'],
): PlannedNode {
  const layer = lowers[lower]!
  const inode = layer.inode(number)
  return {
    path,
    mode: inode.mode,
    uid: inode.uid,
    gid: inode.gid,
    mtimeSec: inode.mtimeSec,
    mtimeNsec: inode.mtimeNsec,
    sizeBytes: isRegularMode(inode.mode) ? inode.sizeBytes : 0,
    deviceMajor: inode.deviceMajor,
    deviceMinor: inode.deviceMinor,
    source: lower,
    inode: number,
    xattrs: layer.xattrs(number),
    target: fileTypeOf(inode.mode) === 'symlink' ? layer.readlink(number) : ('' as ByteString),
    links,
  }
}

/** Rows as their contents lie; names of one inode side by side, in byte order. */
async function inOrder(layer: Layer, { inodes, paths }: Columns, pace: Pace): Promise<number[]> {
  const offsets = new Float64Array(inodes.length)
  for (const [row, inode] of inodes.entries()) {
    offsets[row] = layer.contentOffset(inode)
    if (row % itemsPerLook === 0 && pace.due()) await pace.turn()
  }
  const asTheyLie = (a: number, b: number) =>
    offsets[a]! - offsets[b]! || inodes[a]! - inodes[b]! || (paths[a]! < paths[b]! ? -1 : 1)
  return pacedSort([...inodes.keys()], asTheyLie, pace)
}

/** Lines on their way into the plan, cut into parts. */
class Lines {
  /** Of contents. */
  bytes = 0
  position: number
  readonly #target: PlanTarget
  #waiting = ''
  /** Parts whose lines wait. */
  #parts: PlanPart[] = []
  #from: number
  #nodes = 0
  #contents = 0

  constructor(target: PlanTarget, position: number) {
    this.#target = target
    this.position = position
    this.#from = position
  }

  add(node: PlannedNode, contentBytes: number): void {
    const line = planLine(node)
    this.#waiting += line
    this.position += line.length
    this.#nodes += 1 + node.links.length
    this.#contents += contentBytes
    this.bytes += contentBytes
  }

  isPart(mostNodes: number, mostBytes = Number.POSITIVE_INFINITY): boolean {
    return this.#nodes >= mostNodes || this.#contents >= mostBytes
  }

  async endPart(): Promise<void> {
    this.#target.signal.throwIfAborted()
    if (this.#nodes === 0) return
    this.#parts.push({ from: this.#from, to: this.position })
    this.#from = this.position
    this.#nodes = this.#contents = 0
    if (this.#waiting.length >= linesBytes) await this.#write()
  }

  async end(): Promise<void> {
    await this.endPart()
    await this.#write()
  }

  async #write(): Promise<void> {
    if (this.#waiting !== '') await this.#target.append(this.#waiting)
    this.#waiting = ''
    for (const part of this.#parts) this.#target.onPart(part)
    this.#parts = []
  }
}
