/**
 * A union as plainly as it can be said: a list of trees, every look-up made from nothing, no cache, no dentry. What the engine is
 * compared with where there is no kernel. Fails with the code of the errno.
 */
import type { TreeNode, TreeNodes } from './union-sequence.js'

export interface Node {
  t: TreeNode['t']
  mode: number
  uid: number
  gid: number
  mtime: number
  data: string
  target: string
  rdev: readonly [number, number]
  opaque: boolean
  xattrs: Record<string, string>
  children: Map<string, Node>
}

/** Members of one visible object: the tree's number, 0 is the upper, and the node. */
export type Members = readonly (readonly [tree: number, node: Node])[]

/** A name that was found, or a place for one. */
export interface Spot {
  /** Names from the root to the directory that holds it. */
  readonly parent: readonly string[]
  /** Undefined: the root. */
  readonly name: string | undefined
  readonly members: Members
  readonly slash: boolean
  readonly last: 'name' | 'dot' | 'dotdot' | 'root'
}

export class Fault extends Error {
  readonly code: string

  constructor(code: string) {
    super(code)
    this.code = code
  }
}

export const now = 1_600_000_000 * 1e9
export const umask = 0o022

export function blank(t: Node['t'], mode: number): Node {
  const attributes = {
    uid: 0,
    gid: 0,
    mtime: now,
    data: '',
    target: '',
    rdev: [0, 0] as const,
    opaque: false,
    xattrs: {},
  }
  return { t, mode, ...attributes, children: new Map() }
}

function nodeOf(made: TreeNode): Node {
  const node = blank(made.t, made.t === 'l' ? 0o777 : (made.mode ?? 0))
  const { uid = 0, gid = 0, mtime = 0, data = '', target = '', rdev = [0, 0], opaque = false, xattrs = {} } = made
  return Object.assign(node, { uid, gid, mtime, data, target, rdev, opaque, xattrs: { ...xattrs } })
}

function layerOf(tree: TreeNodes): Node {
  const root = blank('d', 0o755)
  const paths = new Map<string, Node>()
  const fill = (nodes: TreeNodes, into: Node, at: string) => {
    for (const [name, made] of Object.entries(nodes)) {
      const node = made.link === undefined ? nodeOf(made) : paths.get(made.link)!
      paths.set(`${at}${name}`, node)
      into.children.set(name, node)
      fill(made.children ?? {}, node, `${at}${name}/`)
    }
  }
  fill(tree, root, '')
  return root
}

export class NaiveTrees {
  readonly trees: Node[]

  /** Layers base first. */
  constructor(layers: readonly TreeNodes[]) {
    this.trees = [blank('d', 0o755), ...layers.map(layerOf).reverse()]
  }

  /** The merged tree: kinds, attributes and contents. */
  dump(members: Members = this.root()): TreeNodes {
    return Object.fromEntries(
      this.names(members).map(name => {
        const below = this.look(members, name)
        const { t, mode, uid, gid, mtime, data, target, rdev, xattrs } = below[0]![1]
        const special = t === 'c' || t === 'b' ? { rdev } : {}
        const shown = Object.keys(xattrs).length > 0 ? { xattrs } : {}
        const own = t === 'd' ? { children: this.dump(below) } : t === 'f' ? { data } : t === 'l' ? { target } : {}
        return [name, { t, mode, uid, gid, mtime, ...shown, ...own, ...special }]
      }),
    )
  }

  root(): Members {
    return this.trees.map((node, tree) => [tree, node] as const)
  }

  look(members: Members, name: string): Members {
    const found: (readonly [number, Node])[] = []
    for (const [tree, directory] of members) {
      const child = directory.children.get(name)
      if (child === undefined) continue
      if (child.t === 'w') break
      if (child.t !== 'd') return found.length > 0 ? found : [[tree, child]]
      found.push([tree, child])
      if (child.opaque) break
    }
    return found
  }

  names(members: Members): string[] {
    const all = new Set(members.flatMap(([, node]) => [...node.children.keys()]))
    return [...all].filter(name => this.look(members, name).length > 0).sort()
  }

  at(path: readonly string[]): Members {
    return path.reduce((members, name) => this.look(members, name), this.root())
  }

  walk(path: string, follow: boolean): Spot {
    if (path === '') throw new Fault('ENOENT')
    let todo = path.split('/').filter(part => part !== '')
    let slash = path.endsWith('/') && todo.length > 0
    let at: string[] = []
    let last: Spot['last'] = 'root'
    for (let hops = 0; todo.length > 0; ) {
      const name = todo.shift()!
      if (this.at(at)[0]![1].t !== 'd') throw new Fault('ENOTDIR')
      const final = todo.length === 0
      if (name === '.' || name === '..') {
        last = name === '.' ? 'dot' : 'dotdot'
        if (name === '..') at = at.slice(0, -1)
        continue
      }
      const child = this.look(this.at(at), name)
      if (child[0]?.[1].t === 'l' && (!final || follow || slash)) {
        if (++hops > 40) throw new Fault('ELOOP')
        const { target } = child[0][1]
        if (target.startsWith('/')) at = []
        todo = [...target.split('/').filter(part => part !== ''), ...todo]
        // The end of what the link says is the end of the path, and a slash behind either wants a directory.
        slash ||= final && target.endsWith('/')
        last = 'root'
        continue
      }
      if (final) return { parent: at, name, members: child, slash, last: 'name' }
      if (child.length === 0) throw new Fault('ENOENT')
      at = [...at, name]
      last = 'name'
    }
    const members = this.at(at)
    if (members[0]![1].t !== 'd') throw new Fault('ENOTDIR')
    return { parent: at.slice(0, -1), name: at.at(-1), members, slash, last }
  }

  /** What is there. */
  find(path: string, follow: boolean): Spot {
    const spot = this.walk(path, follow)
    if (spot.members.length === 0) throw new Fault('ENOENT')
    if (spot.slash && spot.members[0]![1].t !== 'd') throw new Fault('ENOTDIR')
    return spot
  }

  /** A directory of the upper, with all above it, made like what is shown. */
  up(path: readonly string[]): Node {
    let into = this.trees[0]!
    path.forEach((name, depth) => {
      const there = into.children.get(name)
      if (there === undefined || there.t === 'w') {
        const shown = this.at(path.slice(0, depth + 1))[0]![1]
        into.children.set(name, { ...shown, opaque: false, xattrs: { ...shown.xattrs }, children: new Map() })
      }
      into = into.children.get(name)!
    })
    return into
  }

  copyUp({ parent, name, members }: Spot): Node {
    const [tree, node] = members[0]!
    if (tree === 0) return node
    if (node.t === 'd') return name === undefined ? this.trees[0]! : this.up([...parent, name])
    const copy = this.copied(node, [...parent, name!])
    this.up(parent).children.set(name!, copy)
    return copy
  }

  /** Of what is in a layer under this path: what stands in its place from now on. */
  copied(node: Node, _path: readonly string[]): Node {
    return { ...node, xattrs: { ...node.xattrs }, children: new Map() }
  }

  put(parent: readonly string[], name: string, node: Node): void {
    const into = this.up(parent)
    if (node.t === 'd' && this.look(this.below(parent), name).length > 0) node.opaque = true
    into.children.set(name, node)
    into.mtime = now
  }

  /** A new node; in a set-group-ID directory it has the directory's group, and a directory the bit as well. */
  make(parent: readonly string[], name: string, node: Node): void {
    const { mode, gid } = this.at(parent)[0]![1]
    if ((mode & 0o2000) !== 0) Object.assign(node, { gid, mode: node.t === 'd' ? node.mode | 0o2000 : node.mode })
    this.put(parent, name, node)
  }

  below(parent: readonly string[]): Members {
    return this.at(parent).filter(([tree]) => tree > 0)
  }

  remove(parent: readonly string[], name: string): void {
    const into = this.up(parent)
    if (this.look(this.below(parent), name).length > 0) into.children.set(name, blank('w', 0))
    else into.children.delete(name)
    into.mtime = now
  }
}
