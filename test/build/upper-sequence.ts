/** Random sequences of what an engine does to an upper, as data, and the whole state of an upper to compare. */
import type { ByteString } from '../../src/byte-string.js'
import { WHITEOUT } from '../../src/drivers/layer.js'
import type { NewNode, Upper, UpperNode } from '../../src/drivers/upper.js'
import { Random as Numbers } from './random-tar.js'

/** A number from 0 to below `below`, the next of a sequence. */
export type Random = (below: number) => number

export function randomOf(seed: number): Random {
  const numbers = new Numbers(seed)
  return below => numbers.int(below)
}

export type Step =
  | {
      readonly do: 'make'
      readonly directory: number
      readonly name: string
      readonly node: NewNode
      readonly keep: boolean
    }
  | {
      readonly do: 'link' | 'rename'
      readonly directory: number
      readonly name: string
      readonly id: number
      readonly from: readonly [number, string]
    }
  | { readonly do: 'remove' | 'whiteout'; readonly directory: number; readonly name: string }
  | {
      readonly do: 'write'
      readonly id: number
      readonly position: number
      readonly bytes: Buffer
      readonly time: number
    }
  | { readonly do: 'truncate'; readonly id: number; readonly sizeBytes: number; readonly time: number }
  | { readonly do: 'adopt'; readonly id: number; readonly pieces: readonly Buffer[]; readonly throwAway: boolean }
  | {
      readonly do: 'attributes'
      readonly id: number
      readonly mode: number
      readonly uid: number
      readonly time: number
    }
  | { readonly do: 'xattrs'; readonly id: number; readonly count: number; readonly value: Buffer }
  | { readonly do: 'release'; readonly id: number }

const names = ['a', 'b', 'c', 'd\xff', 'e'.repeat(60), '.wh.f'] as const
const fileType = 0o100000
const directoryType = 0o040000

export function timeOf(step: number) {
  return { sec: 1_600_000_000 + step, nsec: (step * 7919) % 1_000_000_000 }
}

/** What can be done next to this upper. `open`: ids that are held. */
export function nextStep(random: Random, upper: Upper, open: readonly number[], at: number): Step {
  const { directories, files, places } = survey(upper)
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!
  const directory = pick(directories)
  // The engine puts nothing over what is not empty.
  const free = names.filter(each => {
    const there = upper.lookup(directory, each as ByteString)
    return there < 0 || upper.node(there).children.size === 0
  })
  const name = free.length > 0 ? pick(free) : `more ${at}`
  const writable = [...files, ...open].filter(id => upper.node(id).lowerContent === undefined && isFile(upper.node(id)))
  const choice = random(20)
  if (choice < 9 && writable.length > 0) return contentStep(random, upper, pick(writable), at)
  const lower = [...files, ...open].filter(id => upper.node(id).lowerContent !== undefined)
  if (choice === 9 && lower.length > 0) {
    const pieces = Array.from({ length: 1 + random(4) }, () => someBytes(random, random(4) === 0 ? 50_000 : 300))
    return { do: 'adopt', id: pick(lower), pieces, throwAway: random(4) === 0 }
  }
  if (choice === 10) return { do: 'whiteout', directory, name }
  if (choice === 11 && places.length > 0) return { do: 'remove', ...removable(random, upper, places) }
  if (choice === 12 && open.length > 0) return { do: 'release', id: pick(open) }
  if (choice === 13 && files.length > 0) {
    const from = pick(places.filter(({ id }) => files.includes(id)))
    const what = { directory, name, id: from.id, from: [from.directory, from.name] as const }
    if (upper.lookup(directory, name as ByteString) !== from.id) return { do: random(2) ? 'link' : 'rename', ...what }
  }
  if (choice === 14)
    return {
      do: 'attributes',
      id: pick([...files, ...directories]),
      mode: random(0o7777),
      uid: random(2 ** 32),
      time: at,
    }
  if (choice === 15)
    return { do: 'xattrs', id: pick([...files, ...directories]), count: random(3), value: someBytes(random, 40) }
  return { do: 'make', directory, name, node: someNode(random, at), keep: random(3) === 0 }
}

function contentStep(random: Random, upper: Upper, id: number, time: number): Step {
  const { sizeBytes } = upper.node(id)
  if (random(4) === 0) {
    const choices = [0, random(sizeBytes + 1), sizeBytes + random(200), random(150_000)]
    return { do: 'truncate', id, sizeBytes: choices[random(4)]!, time }
  }
  const length = 1 + random([20, 300, 5000, 80_000][random(4)]!)
  const positions = [0, sizeBytes, random(sizeBytes + 1), sizeBytes + random(70_000)]
  return { do: 'write', id, position: positions[random(4)]!, bytes: someBytes(random, length), time }
}

/** A directory goes with what is in it only when the engine has emptied it; here any may, as nothing of it can be seen then. */
function removable(random: Random, upper: Upper, places: readonly Place[]) {
  const lone = places.filter(({ id }) => id === WHITEOUT || upper.node(id).children.size === 0)
  const { directory, name } = lone.length > 0 ? lone[random(lone.length)]! : places[0]!
  return { directory, name }
}

interface Place {
  readonly directory: number
  readonly name: string
  readonly id: number
}

function survey(upper: Upper) {
  const directories = [0]
  const files = new Set<number>()
  const places: Place[] = []
  for (const directory of directories) {
    upper.list(directory, (name, id) => {
      places.push({ directory, name, id })
      if (id === WHITEOUT) return
      if ((upper.mode(id) & 0o170000) === directoryType) directories.push(id)
      else files.add(id)
    })
  }
  return { directories, files: [...files], places }
}

const isFile = ({ mode }: UpperNode) => (mode & 0o170000) === fileType

function someNode(random: Random, at: number): NewNode {
  const now = timeOf(at)
  const times = { atime: now, mtime: now, ctime: now, birthtime: random(3) === 0 ? timeOf(at + 1) : { ...now } }
  const base = { uid: random(70_000), gid: random(2) === 0 ? 0 : 2 ** 32 - 1, ...times }
  const member = { lower: 1 + random(3), inode: random(2 ** 31) }
  switch (random(7)) {
    case 0:
      return { ...base, mode: directoryType | 0o755, lowers: random(2) ? [member, { lower: 4, inode: 0 }] : [] }
    case 1:
      return { ...base, mode: 0o120777, target: `t${'/\xe9'.repeat(random(40))}` as ByteString }
    case 2:
      return {
        ...base,
        mode: 0o020600,
        deviceMajor: random(4096),
        deviceMinor: random(2 ** 20),
        xattrs: [{ name: 'user.x' as ByteString, value: someBytes(random, 9) }],
      }
    case 3:
      return {
        ...base,
        mode: 0o100600,
        origin: member,
        lowerContent: { ...member, sizeBytes: random(2) ? 5 * 2 ** 33 : 17 },
      }
    default:
      return { ...base, mode: fileType | 0o644 }
  }
}

function someBytes(random: Random, length: number): Buffer {
  const period = Buffer.from(Array.from({ length: 1 + random(60) }, () => random(256)))
  return Buffer.alloc(length, period)
}

/** Does it, as the engine does: what belongs together in one batch. Keeps `open` up to date. */
export function take(upper: Upper, step: Step, open: number[]): void {
  switch (step.do) {
    case 'make':
      upper.atomically(() => {
        const node = upper.create(step.node)
        upper.place(upper.node(step.directory), step.name as ByteString, node)
        touch(upper, step.directory, step.node.mtime)
        if (step.keep) open.push(node.id)
        else upper.release(node)
      })
      break
    case 'link':
    case 'rename':
      upper.atomically(() => {
        upper.place(upper.node(step.directory), step.name as ByteString, upper.node(step.id))
        if (step.do === 'rename') upper.remove(upper.node(step.from[0]), step.from[1] as ByteString)
      })
      break
    case 'remove':
      upper.remove(upper.node(step.directory), step.name as ByteString)
      break
    case 'whiteout':
      upper.whiteout(upper.node(step.directory), step.name as ByteString)
      break
    case 'write':
      upper.atomically(() => {
        upper.writeSync(upper.node(step.id), step.position, step.bytes)
        touch(upper, step.id, timeOf(step.time))
      })
      break
    case 'truncate':
      upper.atomically(() => {
        upper.truncateSync(upper.node(step.id), step.sizeBytes)
        touch(upper, step.id, timeOf(step.time))
      })
      break
    case 'adopt':
      adopt(upper, step)
      break
    case 'attributes': {
      const { mode } = upper.node(step.id)
      upper.setAttributes(upper.node(step.id), {
        mode: (mode & 0o170000) | step.mode,
        uid: step.uid,
        gid: 7,
        atime: timeOf(step.time),
      })
      break
    }
    case 'xattrs':
      upper.setXattrs(
        upper.node(step.id),
        Array.from({ length: step.count }, (_, i) => ({ name: `user.${i}` as ByteString, value: step.value })),
      )
      break
    case 'release':
      open.splice(open.indexOf(step.id), 1)
      upper.release(upper.node(step.id))
  }
}

function touch(upper: Upper, id: number, time: NewNode['mtime']): void {
  upper.setAttributes(upper.node(id), { mtime: time, ctime: time })
}

function adopt(upper: Upper, { id, pieces, throwAway }: Step & { do: 'adopt' }): void {
  const draft = upper.draft()
  try {
    for (const piece of pieces) draft.append(piece)
    if (!throwAway) upper.adopt(upper.node(id), draft)
    else draft.discard()
  } catch (error) {
    draft.discard()
    throw error
  }
}

/** One line for every name, and the content of every file by its path. */
export interface UpperState {
  readonly lines: readonly string[]
  readonly contents: ReadonlyMap<string, Buffer>
  readonly used: string
}

/** Of a node all but its xattrs and what is below it. */
const shownFields = [
  ...(['id', 'mode', 'uid', 'gid', 'nlink', 'sizeBytes', 'deviceMajor', 'deviceMinor'] as const),
  ...(['atime', 'mtime', 'ctime', 'birthtime', 'origin', 'lowerContent', 'lowers', 'target'] as const),
]

export function stateOf(upper: Upper): UpperState {
  const lines: string[] = []
  const contents = new Map<string, Buffer>()
  const visit = (path: string, id: number) => {
    if (id === WHITEOUT) {
      lines.push(`${path} whiteout`)
      return
    }
    const node = upper.node(id)
    const { lowerContent, sizeBytes } = node
    const xattrs = node.xattrs.map(({ name, value }) => [name, value.toString('hex')])
    const fields = shownFields.map(field => [field, node[field]])
    lines.push(`${path} ${JSON.stringify([...fields, xattrs])}`)
    if (isFile(node) && lowerContent === undefined) contents.set(path, contentOf(upper, id, sizeBytes))
    upper.list(id, (name, child) => visit(`${path}/${name}`, child))
  }
  visit('', 0)
  return { lines, contents, used: '' }
}

function contentOf(upper: Upper, id: number, sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes + 1, 0xee)
  let done = 0
  for (let count = -1; count !== 0; done += count) count = upper.readSync(id, done, bytes.subarray(done))
  return bytes.subarray(0, done)
}

/** Whether two are the same, but for their contents where `mayDiffer` allows it. */
export function isSame(one: UpperState, other: UpperState, mayDiffer?: UpperState): boolean {
  if (one.lines.length !== other.lines.length || one.lines.some((line, i) => line !== other.lines[i])) return false
  for (const [path, bytes] of one.contents) {
    const wanted = other.contents.get(path)!
    if (wanted.equals(bytes)) continue
    const alternative = mayDiffer?.contents.get(path)
    if (alternative === undefined || wanted.length !== bytes.length) return false
    if (bytes.some((byte, i) => byte !== wanted[i] && byte !== alternative[i])) return false
  }
  return true
}
