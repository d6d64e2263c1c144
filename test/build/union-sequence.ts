/**
 * Random layers and operations over few names, so that they meet: the input of every proof that compares a container with the
 * kernel or with a model. The same for the same seed.
 */
import { Random } from './random-tar.js'

/** A tree as JSON; names and data are latin1 text of their bytes. What `overlay-kernel.py` takes and gives. */
export interface TreeNode {
  readonly t: 'd' | 'f' | 'l' | 'c' | 'b' | 'p' | 's' | 'w'
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  /** Nanoseconds. */
  readonly mtime?: number
  readonly xattrs?: Readonly<Record<string, string>>
  readonly data?: string
  readonly target?: string
  readonly rdev?: readonly [number, number]
  readonly opaque?: boolean
  readonly children?: TreeNodes
  /** Another name of what stands earlier in this layer. */
  readonly link?: string
  readonly nlink?: number
  /** Equal for names of one inode. */
  readonly group?: number
  /** In an upper: what overlayfs notes beside `opaque`, by the name of the xattr. */
  readonly overlay?: Readonly<Record<string, string>>
}

export type TreeNodes = { readonly [name: string]: TreeNode }

export type Op = readonly [name: string, ...args: (string | number | boolean)[]]

export interface Sequence {
  readonly seed: number
  /** Base first. */
  readonly layers: readonly TreeNodes[]
  readonly ops: readonly Op[]
}

const names = ['a', 'b', 'c', 'd']
const fileModes = [0o644, 0o600, 0o755, 0o4755, 0o2711, 0]
/** Sticky, but not for everybody to write to: there the kernel's protection of files of others (fs.protected_regular) would mix in. */
const directoryModes = [0o755, 0o700, 0o1755, 0o555]
/** Before anything that a test could call now. */
const times = [1_000_000_000_000_000_000, 1_100_000_000_500_000_000, 1_200_000_000_000_000_000]

/** Another one every time, unless PHYLLO_TEST_SEED says which; it is printed, for a run that fails. */
export function freshSeed(): number {
  const seed = Number(process.env.PHYLLO_TEST_SEED ?? Date.now() % 1_000_000)
  console.log(`PHYLLO_TEST_SEED=${seed}`)
  return seed
}

export function sequence(seed: number, operations: number, mostLayers = 5): Sequence {
  const random = new Random(seed)
  const layers = Array.from({ length: 1 + random.int(mostLayers) }, (_, at) => layer(random, at === 0))
  const shadow = new Set<string>(['/'])
  for (const tree of layers) collect(tree, '', shadow)
  const ops = Array.from({ length: operations }, () => operation(random, shadow))
  return { seed, layers, ops }
}

function collect(tree: TreeNodes, at: string, into: Set<string>): void {
  for (const [name, node] of Object.entries(tree)) {
    into.add(`${at}/${name}`)
    if (node.children !== undefined) collect(node.children, `${at}/${name}`, into)
  }
}

function layer(random: Random, bottom: boolean): TreeNodes {
  const files: string[] = []
  const tree = (depth: number, at: string): TreeNodes => {
    const nodes: Record<string, TreeNode> = {}
    for (const name of names) {
      const node = child(random, { depth, bottom, at: at + name, files, below: () => tree(depth + 1, `${at}${name}/`) })
      if (node !== undefined) nodes[name] = node
    }
    return nodes
  }
  return tree(0, '')
}

interface Spot {
  readonly depth: number
  readonly bottom: boolean
  readonly at: string
  readonly files: string[]
  readonly below: () => TreeNodes
}

function child(random: Random, { depth, bottom, at, files, below }: Spot): TreeNode | undefined {
  const chance = random.int(100)
  const owner = random.int(4) === 0 ? { uid: 1000, gid: 100 } : { uid: 0, gid: 0 }
  const plain = { ...owner, mtime: random.pick(times) }
  const xattrs = random.int(6) === 0 ? { xattrs: { 'user.k': `v${random.int(3)}` } } : {}
  if (chance < 40) return undefined
  if (chance < 52 && files.length > 0 && random.int(4) === 0) return { t: 'f', link: random.pick(files) }
  if (chance < 55) {
    files.push(at)
    return { t: 'f', ...plain, ...xattrs, mode: random.pick(fileModes), data: 'x'.repeat(random.int(4)) + at }
  }
  if (chance < 63) return { t: 'l', ...plain, target: target(random) }
  if (chance < 71 && !bottom) return { t: 'w' }
  if (chance < 74) return { t: 'p', ...plain, mode: 0o644 }
  if (chance < 76) return { t: 'c', ...plain, mode: 0o600, rdev: [1, 3] }
  if (depth > 2) return undefined
  const opaque = !bottom && random.int(5) === 0 ? { opaque: true } : {}
  return { t: 'd', ...plain, ...xattrs, ...opaque, mode: random.pick(directoryModes), children: below() }
}

function target(random: Random): string {
  return random.pick(['a', 'b', '../a', 'c/d', '/b', '/a/b', '.', '..', 'd/'])
}

/** Mostly of what there was at the beginning; the operations change that, and the names are few. */
function path(random: Random, shadow: ReadonlySet<string>): string {
  const chance = random.int(100)
  const known = [...shadow]
  const base = chance < 60 ? random.pick(known) : `${random.pick(known)}/${random.pick(names)}`.replace('//', '/')
  if (chance >= 85) return `/${Array.from({ length: 1 + random.int(3) }, () => random.pick(names)).join('/')}`
  const odd = random.int(40)
  if (odd === 0) return `${base}/`.replace('//', '/')
  if (odd === 1) return `${base}/.`.replace('//', '/')
  if (odd === 2) return `${base}/..`.replace('//', '/')
  return base
}

const openings = ['r', 'w', 'w+c', 'w+c+x', 'w+c+t', 'w+t', 'w+a', 'w+c+a', 'rw', 'rw+c', 'r+t', 'r+c', 'r+d', 'w+c+n']

function operation(random: Random, shadow: Set<string>): Op {
  const at = path(random, shadow)
  const other = path(random, shadow)
  const made = (op: Op): Op => {
    shadow.add(
      String(op[0] === 'rename' || op[0] === 'link' || op[0] === 'symlink' ? op[2] : op[1]).replace(/\/+\.*$/, ''),
    )
    shadow.delete('')
    shadow.add('/')
    return op
  }
  const chance = random.int(100)
  if (chance < 14) return made(['open', at, random.pick(openings), 0o644, 'n'.repeat(random.int(5))])
  if (chance < 26) return made(['mkdir', at, random.pick(directoryModes)])
  if (chance < 42) return ['unlink', at]
  if (chance < 52) return ['rmdir', at]
  if (chance < 66) return made(['rename', at, other, random.pick(['', '', '', '', 'noreplace', 'exchange'])])
  if (chance < 72) return made(['link', at, other])
  if (chance < 77) return made(['symlink', target(random), at])
  if (chance < 80) return made(['mknod', at, 0o10644, 0, 0])
  if (chance < 82) return made(['mknod', at, 0o20600, random.int(2), random.int(2)])
  if (chance < 86) return ['chmod', at, random.pick(fileModes)]
  if (chance < 89) return ['chown', at, random.int(3), random.int(3), random.int(2) === 0]
  if (chance < 91) return ['utimes', at, random.pick(times), random.int(2) === 0]
  if (chance < 94) return ['truncate', at, random.int(6)]
  if (chance < 95) return ['setxattr', at, random.pick(['user.k', 'user.z', 'trusted.t']), `w${random.int(3)}`]
  if (chance < 96) return ['removexattr', at, random.pick(['user.k', 'trusted.t'])]
  if (chance < 97) return ['readlink', at]
  if (chance < 98) return ['readdir', at]
  return ['stat', at, random.int(2) === 0]
}
