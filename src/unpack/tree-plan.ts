/**
 * The plan of a tree: what `write-tree` jobs make in a directory. Main writes it into a file, and jobs read parts of it; a line of
 * JSON a node. Directories stand first, parents before children, then everything else in the order in which contents lie in
 * their layers. So bytes of contents never pass through main.
 *
 * Names are ByteStrings and stand in the JSON as they are, a character a byte; the file is latin1.
 */
import type { ByteString } from '../byte-string.js'
import type { Xattr } from '../tar/entry.js'

/** Of st_mode. */
export const typeBits = {
  mask: 0o170000,
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  fifo: 0o010000,
} as const

export interface PlannedNode {
  /** From the tree's root, without a slash before it; empty for the root itself. */
  readonly path: ByteString
  /** Type and permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtimeSec: number
  readonly mtimeNsec: number
  /** Of a file. */
  readonly sizeBytes: number
  readonly deviceMajor: number
  readonly deviceMinor: number
  /** Of a file: which of the sources of the tree has the content, and as which inode of it. */
  readonly source: number
  readonly inode: number
  readonly xattrs: readonly Xattr[]
  /** Of a symlink; else empty. */
  readonly target: ByteString
  /** Further names of what is no directory, in the order of their bytes. */
  readonly links: readonly ByteString[]
}

/** What few nodes have. */
interface Rare {
  readonly xattrs?: readonly (readonly [name: string, base64: string])[]
  readonly target?: string
  readonly links?: readonly string[]
}

type Numbers = readonly [
  mode: number,
  uid: number,
  gid: number,
  mtimeSec: number,
  mtimeNsec: number,
  sizeBytes: number,
  deviceMajor: number,
  deviceMinor: number,
  source: number,
  inode: number,
]
type Row = readonly [path: string, numbers: Numbers, rare?: Rare]

/** One line, with its end. */
export function planLine(node: PlannedNode): string {
  const { path, mode, uid, gid, mtimeSec, mtimeNsec, sizeBytes, deviceMajor, deviceMinor, source, inode } = node
  // Piece by piece, because that takes a fifth of the time
  const times = `${mtimeSec},${mtimeNsec}`
  const numbers = `[${mode},${uid},${gid},${times},${sizeBytes},${deviceMajor},${deviceMinor},${source},${inode}]`
  const rare = rareOf(node)
  return `[${JSON.stringify(path)},${numbers}${rare === undefined ? '' : `,${JSON.stringify(rare)}`}]\n`
}

function rareOf({ xattrs, target, links }: PlannedNode): Rare | undefined {
  if (xattrs.length === 0 && target === '' && links.length === 0) return undefined
  return {
    ...(xattrs.length > 0 && { xattrs: xattrs.map(({ name, value }) => [name, value.toString('base64')] as const) }),
    ...(target !== '' && { target }),
    ...(links.length > 0 && { links }),
  }
}

/** The nodes of whole lines. */
export function* planNodes(bytes: Buffer): Generator<PlannedNode, void, void> {
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(newline, from)
    if (end < 0) throw new RangeError('a plan that ends within a line')
    yield nodeOf(JSON.parse(bytes.toString('latin1', from, end)) as Row)
    from = end + 1
  }
}

const newline = 0x0a
const none: readonly never[] = []

function nodeOf([path, numbers, rare]: Row): PlannedNode {
  return {
    path: path as ByteString,
    mode: numbers[0],
    uid: numbers[1],
    gid: numbers[2],
    mtimeSec: numbers[3],
    mtimeNsec: numbers[4],
    sizeBytes: numbers[5],
    deviceMajor: numbers[6],
    deviceMinor: numbers[7],
    source: numbers[8],
    inode: numbers[9],
    xattrs: rare?.xattrs?.map(xattrOf) ?? none,
    target: (rare?.target ?? '') as ByteString,
    links: (rare?.links ?? none) as readonly ByteString[],
  }
}

function xattrOf([name, value]: readonly [string, string]): Xattr {
  return { name: name as ByteString, value: Buffer.from(value, 'base64') }
}
