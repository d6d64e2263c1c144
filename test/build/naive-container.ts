/**
 * The naive union as a whole container: open files, removal of trees, and what is done to its layers: freezing the upper as a new
 * layer on top, and making one layer of two.
 */
import { blank, Fault, type Members, type Node, type Spot } from './naive-trees.js'
import { NaiveUnion } from './naive-union.js'
import type { TreeNode, TreeNodes } from './union-sequence.js'

/** An open file. While it lies in a layer it is known by the path, too: another name of it is copied up apart (R-HL-2). */
interface NaiveFile {
  node: Node
  below: boolean
  readonly path: string
  readonly flags: ReadonlySet<string>
  position: number
}

const rmFaults = { dot: 'EINVAL', dotdot: 'ENOTEMPTY', root: 'EBUSY' } as const
const nano = 1e9

export class NaiveContainer extends NaiveUnion {
  /** By the number that who opens gives them. */
  readonly files = new Map<number, NaiveFile>()

  override copied(node: Node, path: readonly string[]): Node {
    const copy = super.copied(node, path)
    const there = [...this.files.values()].filter(file => file.node === node && file.path === path.join('/'))
    for (const file of there) Object.assign(file, { node: copy, below: false })
    return copy
  }

  read_(path: string): string {
    const [, { t, data }] = this.opened(path, new Set(['r']), 0).members[0]!
    if (t === 'd') throw new Fault('EISDIR')
    return data
  }

  /** All but what is now, or differs by nature. */
  look_(path: string, follow: boolean): unknown {
    const { t, mode, uid, gid, mtime, data, target, rdev } = this.find(path, follow).members[0]![1]
    const size = t === 'd' ? undefined : t === 'l' ? target.length : data.length
    return { t, mode, uid, gid, mtime, size, rdev: t === 'c' || t === 'b' ? rdev : [0, 0] }
  }

  /** rm -rf. */
  rmrf_(path: string): void {
    let found: Spot
    try {
      found = this.find(path, false)
    } catch (error) {
      if (error instanceof Fault && error.code === 'ENOENT') return
      throw error
    }
    if (found.members[0]![1].t !== 'd') {
      this.unlink_(path)
      return
    }
    const { parent, name, members, last } = this.walk(path.replace(/\/+$/, '') || '/', false)
    if (last !== 'name') throw new Fault(rmFaults[last])
    if (members[0]![1].t !== 'd') throw new Fault('ENOTDIR')
    this.removeAll(parent, name!)
  }

  removeAll(parent: readonly string[], name: string): void {
    const path = [...parent, name]
    const members = this.at(path)
    if (members[0]![1].t === 'd') for (const below of this.names(members)) this.removeAll(path, below)
    this.remove(parent, name)
  }

  /** A directory is opened and closed at once. */
  hopen_(number: number, path: string, how: string, mode: number): void {
    const flags = new Set(how.split('+'))
    const { parent, name, members } = this.opened(path, flags, mode)
    const [tree, node] = members[0]!
    if (node.t === 'd') return
    this.files.set(number, { node, below: tree > 0, path: [...parent, name].join('/'), flags, position: 0 })
  }

  hread_(number: number, position: number, bytes: number): string {
    const { node, flags } = this.files.get(number)!
    if (flags.has('w')) throw new Fault('EBADF')
    return node.data.slice(position, position + bytes)
  }

  hwrite_(number: number, data: string): void {
    const file = this.writable(number, 'EBADF')
    if (data === '') return
    if (file.flags.has('a')) file.position = file.node.data.length
    this.write(file.node, file.position, data)
    file.position += data.length
  }

  hwriteat_(number: number, data: string, at: number): void {
    const { node, flags } = this.writable(number, 'EBADF')
    if (data !== '') this.write(node, flags.has('a') ? node.data.length : at, data)
  }

  htruncate_(number: number, size: number): void {
    this.resize(this.writable(number, 'EINVAL').node, size)
  }

  /** Of a file that lies in a layer and has lost its name, the copy has none either. */
  hchmod_(number: number, mode: number): void {
    const file = this.files.get(number)!
    if (file.below) {
      const path = file.path.split('/')
      const [parent, name] = [path.slice(0, -1), path.at(-1)!]
      const members = this.at(path)
      if (members[0]?.[1] === file.node) this.copyUp({ parent, name, members, slash: false, last: 'name' })
      else this.copied(file.node, path)
    }
    file.node.mode = mode
  }

  hstat_(number: number): unknown {
    const { mode, uid, gid, mtime, data } = this.files.get(number)!.node
    return { mode, uid, gid, mtime, size: data.length }
  }

  hclose_(number: number): void {
    this.files.delete(number)
  }

  writable(number: number, code: string): NaiveFile {
    const file = this.files.get(number)!
    if (!file.flags.has('w') && !file.flags.has('rw')) throw new Fault(code)
    return file
  }

  /** The upper becomes the topmost layer, as its tar has it: without sockets. */
  rotate(): void {
    const visit = (path: readonly string[], directory: Node) => {
      for (const [name, child] of [...directory.children]) {
        if (child.t === 's') {
          const { mtime } = directory
          this.remove(path, name)
          directory.mtime = mtime
        } else if (child.t === 'd') visit([...path, name], child)
      }
    }
    visit([], this.trees[0]!)
    this.files.clear()
    this.trees.unshift(blank('d', 0o755))
  }

  /** One layer of layer `at`, 1 is the topmost, and the one below it, which shows the same over anything. */
  squash(at: number): void {
    const [above, below] = this.trees.splice(at, 2) as [Node, Node]
    this.trees.splice(at, 0, squashed(above, below))
  }

  /** Names of one inode, as `linkGroups` gives them. */
  linkGroups(): string[] {
    const groups = new Map<Node, string[]>()
    const visit = (members: Members, at: string) => {
      for (const name of this.names(members)) {
        const found = this.look(members, name)
        const [, node] = found[0]!
        if (node.t === 'd') visit(found, `${at}/${name}`)
        else groups.set(node, [...(groups.get(node) ?? []), `${at}/${name}`])
      }
    }
    visit(this.root(), '')
    return [...groups.values()].filter(names => names.length > 1).map(names => names.sort().join(' '))
  }

  /** A tree as it is, whiteouts and marks and all. */
  tree(at: number): TreeNodes {
    return literalOf(this.trees[at]!)
  }
}

/** Directories merge; whatever else, a whiteout too, replaces. What replaces something hides all that is further down (R-TR-7). */
function squashed(above: Node, below: Node): Node {
  const children = new Map(below.children)
  for (const [name, child] of above.children) {
    const there = below.children.get(name)
    if (child.t !== 'd' || there === undefined) children.set(name, child)
    else if (there.t !== 'd' || child.opaque) children.set(name, { ...child, opaque: true })
    else children.set(name, { ...squashed(child, there), opaque: there.opaque })
  }
  return { ...above, children }
}

function literalOf(root: Node): TreeNodes {
  const paths = new Map<Node, string>()
  const visit = (directory: Node, at: string): TreeNodes =>
    Object.fromEntries([...directory.children].map(([name, child]) => [name, literal(child, `${at}${name}`)]))
  const literal = (node: Node, path: string): TreeNode => {
    const { t, mode, uid, gid, mtime, data, target, rdev, opaque, xattrs } = node
    if (t === 'w') return { t }
    const link = paths.get(node)
    if (link !== undefined) return { t, link }
    if (t !== 'd') paths.set(node, path)
    const special = t === 'c' || t === 'b' ? { rdev } : {}
    const own = t === 'd' ? { opaque, children: visit(node, `${path}/`) } : t === 'f' ? { data } : { target }
    return { t, mode, uid, gid, mtime: Math.floor(mtime / nano) * nano, xattrs, ...special, ...own }
  }
  return visit(root, '')
}
