/**
 * From a path to a node, as the kernel walks it (R-LK-8, R-LK-9, trailing slashes of 1.16): component by component, symlinks
 * followed inside the union as in a chroot, `..` of the root is the root. Pure over whatever tree it is given.
 */
import type { ByteString } from '../../byte-string.js'
import { defaultLimits, symlinkHops } from '../../limits.js'

export interface Walkable<N> {
  readonly root: N
  /** The directory that holds this directory; the root's is the root. */
  parent(directory: N): N
  child(directory: N, name: ByteString): N | undefined
  isDirectory(node: N): boolean
  isSymlink(node: N): boolean
  linkTarget(node: N): ByteString
}

export type PathFault = 'ENOENT' | 'ENOTDIR' | 'ELOOP' | 'ENAMETOOLONG'

/** Where the last component of a path stands, before that component itself was looked up. */
export interface Place<N> {
  readonly directory: N
  /** What the last component is: a name, or one of the three that are none. */
  readonly last: 'name' | 'dot' | 'dotdot' | 'root'
  /** Empty unless `last` is 'name'. */
  readonly name: ByteString
  readonly trailingSlash: boolean
}

/** The node at a path, or the reason why there is none. `follow`: a symlink at the end is followed. */
export function resolve<N extends object>(
  tree: Walkable<N>,
  from: N,
  path: ByteString,
  follow: boolean,
): N | PathFault {
  const place = walk(tree, from, path, follow ? 'follow' : 'stop')
  if (typeof place === 'string') return place
  return place.node
}

/** The directory and the last component of a path: what creating and removing begin with. The last component is not followed. */
export function locate<N extends object>(tree: Walkable<N>, from: N, path: ByteString): Place<N> | PathFault {
  const place = walk(tree, from, path, 'parent')
  return typeof place === 'string' ? place : place.place
}

/** Whether a place's name is one that nothing can have: the kernel says so when it looks the last component up. */
export function isTooLong({ name }: Pick<Place<unknown>, 'name'>): boolean {
  return name.length > defaultLimits.nameBytes
}

type Arrival<N> = { readonly node: N; readonly place: Place<N> }

const slash = 0x2f

function walk<N extends object>(
  tree: Walkable<N>,
  from: N,
  path: ByteString,
  end: 'follow' | 'stop' | 'parent',
): Arrival<N> | PathFault {
  if (path.length === 0) return 'ENOENT'
  if (path.length > defaultLimits.pathBytes) return 'ENAMETOOLONG'
  let rest: string = path
  let at = 0
  let hops = 0
  let node = path.charCodeAt(0) === slash ? tree.root : from
  let last: Place<N>['last'] = 'root'
  for (;;) {
    while (rest.charCodeAt(at) === slash) at++
    if (at === rest.length) return arrival(node, node, last)
    if (!tree.isDirectory(node)) return 'ENOTDIR'
    const stop = nextSlash(rest, at)
    const name = rest.slice(at, stop) as ByteString
    const isLast = onlySlashes(rest, stop)
    const trailingSlash = isLast && stop < rest.length
    at = stop
    if (name === '.' || name === '..') {
      last = name === '.' ? 'dot' : 'dotdot'
      if (isLast && end === 'parent') return { node, place: { directory: node, last, name: none, trailingSlash } }
      if (name === '..') node = tree.parent(node)
      continue
    }
    if (isLast && end === 'parent') return { node, place: { directory: node, last: 'name', name, trailingSlash } }
    if (name.length > defaultLimits.nameBytes) return 'ENAMETOOLONG'
    const child = tree.child(node, name)
    if (child === undefined) return 'ENOENT'
    if (tree.isSymlink(child) && (!isLast || trailingSlash || end === 'follow')) {
      const target = tree.linkTarget(child)
      if (++hops > symlinkHops) return 'ELOOP'
      if (target.length === 0) return 'ENOENT'
      if (target.length > defaultLimits.pathBytes) return 'ENAMETOOLONG'
      rest = target + rest.slice(stop)
      at = 0
      if (target.charCodeAt(0) === slash) node = tree.root
      last = 'root'
      continue
    }
    if (isLast) {
      if (trailingSlash && !tree.isDirectory(child)) return 'ENOTDIR'
      return arrival(child, node, 'name')
    }
    node = child
    last = 'name'
  }
}

const none = '' as ByteString

function arrival<N>(node: N, directory: N, last: Place<N>['last']): Arrival<N> {
  return { node, place: { directory, last, name: none, trailingSlash: false } }
}

function nextSlash(text: string, from: number): number {
  const at = text.indexOf('/', from)
  return at === -1 ? text.length : at
}

function onlySlashes(text: string, from: number): boolean {
  for (let at = from; at < text.length; at++) if (text.charCodeAt(at) !== slash) return false
  return true
}
