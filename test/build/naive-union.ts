/** The calls that a union is compared in, over the naive trees: each with its checks in the kernel's order. */
import { blank, Fault, type Members, NaiveTrees, type Node, now, type Spot, umask } from './naive-trees.js'
import type { Op, TreeNodes } from './union-sequence.js'

/** Calls that the model knows. */
export const modelled: ReadonlySet<string> = new Set(
  'mkdir mknod symlink link unlink rmdir chmod chown utimes truncate setxattr removexattr readlink readdir rename open stat'.split(
    ' ',
  ),
)

const writes = (flags: ReadonlySet<string>) => flags.has('w') || flags.has('rw')
const nodeTypes = new Map<number, Node['t']>([
  [0o010000, 'p'],
  [0o020000, 'c'],
  [0o060000, 'b'],
  [0o100000, 'f'],
  [0o140000, 's'],
])

export class NaiveUnion extends NaiveTrees {
  readonly copies: boolean

  /** `copies`: a directory of the layers is renamed by copying all of it. */
  constructor(layers: readonly TreeNodes[], copies = false) {
    super(layers)
    this.copies = copies
  }

  run([call, ...args]: Op): unknown {
    return (this as unknown as Record<string, (...args: unknown[]) => unknown>)[`${call}_`]!(...args) ?? null
  }

  stat_(path: string, follow: boolean): number {
    const types = { d: 4, f: 8, l: 10, c: 2, b: 6, p: 1, s: 12, w: 0 }
    return types[this.find(path, follow).members[0]![1].t]
  }

  open_(path: string, how: string, mode: number, data: string): void {
    const flags = new Set(how.split('+'))
    const [, node] = this.opened(path, flags, mode).members[0]!
    if (writes(flags) && data !== '') this.write(node, flags.has('a') ? node.data.length : 0, data)
  }

  write(node: Node, at: number, data: string): void {
    node.data = node.data.slice(0, at).padEnd(at, '\0') + data + node.data.slice(at + data.length)
    node.mtime = now
  }

  /** What open(2) gives: in the upper, if it is for writing. */
  opened(path: string, flags: ReadonlySet<string>, mode: number): Spot {
    const truncates = flags.has('t')
    const spot = this.foundOrMade(path, flags, mode)
    const { t } = spot.members[0]![1]
    if (t === 'l') throw new Fault('ELOOP')
    if (t === 'd' && (writes(flags) || truncates || flags.has('c'))) throw new Fault('EISDIR')
    if (t === 'd') return spot
    if (flags.has('d')) throw new Fault('ENOTDIR')
    if (t !== 'f') throw new Fault('ENXIO')
    if (!writes(flags) && !truncates) return spot
    const node = this.copyUp(spot)
    if (truncates) Object.assign(node, { data: '', mtime: now })
    return { ...spot, members: [[0, node]] }
  }

  /** What O_CREAT finds or makes: link after link, each as a path of its own. */
  foundOrMade(path: string, flags: ReadonlySet<string>, mode: number): Spot {
    if (!flags.has('c')) return this.find(path, !flags.has('n'))
    let at = path
    for (let hops = 0; hops <= 40; hops++) {
      const spot = this.walk(at.replace(/\/+$/, '') || '/', false)
      if (spot.last !== 'name') throw new Fault(flags.has('x') ? 'EEXIST' : 'EISDIR')
      if (/.\/$/.test(at)) throw new Fault('EISDIR')
      const there = spot.members[0]?.[1]
      if (there !== undefined && flags.has('x')) throw new Fault('EEXIST')
      if (there === undefined) {
        this.make(spot.parent, spot.name!, blank('f', mode & 0o7777 & ~umask))
        return { ...spot, members: this.look(this.at(spot.parent), spot.name!) }
      }
      if (there.t !== 'l' || flags.has('n')) return spot
      at = there.target.startsWith('/') ? there.target : `/${[...spot.parent, there.target].join('/')}`
    }
    throw new Fault('ELOOP')
  }

  newName(path: string, slashAllowed = false): { parent: readonly string[]; name: string } {
    const { parent, name, members, slash, last } = this.walk(path.replace(/\/+$/, '') || '/', false)
    if (last !== 'name' || members.length > 0) throw new Fault('EEXIST')
    if ((slash || /\/$/.test(path)) && !slashAllowed) throw new Fault('ENOENT')
    return { parent, name: name! }
  }

  mkdir_(path: string, mode: number): void {
    const { parent, name } = this.newName(path, true)
    this.make(parent, name, blank('d', mode & 0o1777 & ~umask))
  }

  mknod_(path: string, mode: number, major: number, minor: number): void {
    const { parent, name } = this.newName(path)
    const t = nodeTypes.get(mode & 0o170000)!
    if (t === 'c' && major === 0 && minor === 0) throw new Fault('EPERM')
    const device = t === 'c' || t === 'b' ? { rdev: [major, minor] } : {}
    this.make(parent, name, Object.assign(blank(t, mode & 0o7777 & ~umask), device))
  }

  symlink_(target: string, path: string): void {
    const { parent, name } = this.newName(path)
    this.make(parent, name, Object.assign(blank('l', 0o777), { target }))
  }

  link_(from: string, to: string): void {
    const source = this.find(from, false)
    const { parent, name } = this.newName(to)
    if (source.members[0]![1].t === 'd') throw new Fault('EPERM')
    const node = this.copyUp(source)
    this.put(parent, name, node)
  }

  unlink_(path: string): void {
    const { parent, name, members, slash, last } = this.walk(path.replace(/\/+$/, '') || '/', false)
    if (last !== 'name') throw new Fault('EISDIR')
    if (members.length === 0) throw new Fault('ENOENT')
    if (members[0]![1].t === 'd') throw new Fault('EISDIR')
    if (slash || /.\/$/.test(path)) throw new Fault('ENOTDIR')
    this.remove(parent, name!)
  }

  rmdir_(path: string): void {
    const { parent, name, members, last } = this.walk(path.replace(/\/+$/, '') || '/', false)
    if (last !== 'name') throw new Fault(last === 'dot' ? 'EINVAL' : last === 'dotdot' ? 'ENOTEMPTY' : 'EBUSY')
    if (members.length === 0) throw new Fault('ENOENT')
    if (members[0]![1].t !== 'd') throw new Fault('ENOTDIR')
    if (this.names(members).length > 0) throw new Fault('ENOTEMPTY')
    this.remove(parent, name!)
  }

  chmod_(path: string, mode: number): void {
    this.copyUp(this.find(path, true)).mode = mode
  }

  chown_(path: string, uid: number, gid: number, follow: boolean): void {
    const node = this.copyUp(this.find(path, follow))
    Object.assign(node, { uid, gid })
    if (node.t !== 'd') node.mode &= ~0o4000 & ((node.mode & 0o010) === 0 ? ~0 : ~0o2000)
  }

  utimes_(path: string, mtime: number, follow: boolean): void {
    this.copyUp(this.find(path, follow)).mtime = mtime
  }

  truncate_(path: string, size: number): void {
    const spot = this.find(path, true)
    const { t } = spot.members[0]![1]
    if (t !== 'f') throw new Fault(t === 'd' ? 'EISDIR' : 'EINVAL')
    this.resize(this.copyUp(spot), size)
  }

  resize(node: Node, size: number): void {
    node.data = node.data.slice(0, size).padEnd(size, '\0')
    node.mtime = now
  }

  setxattr_(path: string, name: string, value: string): void {
    this.copyUp(this.findForXattr(path, name)).xattrs[name] = value
  }

  removexattr_(path: string, name: string): void {
    const spot = this.findForXattr(path, name)
    if (!(name in spot.members[0]![1].xattrs)) throw new Fault('ENODATA')
    delete this.copyUp(spot).xattrs[name]
  }

  /** Names of users are for files and directories alone. */
  findForXattr(path: string, name: string): Spot {
    const spot = this.find(path, false)
    if (name.startsWith('user.') && !['f', 'd'].includes(spot.members[0]![1].t)) throw new Fault('EPERM')
    return spot
  }

  readlink_(path: string): string {
    const [, { t, target }] = this.find(path, false).members[0]!
    if (t !== 'l') throw new Fault('EINVAL')
    return target
  }

  readdir_(path: string): string[] {
    const { members } = this.find(path, true)
    if (members[0]![1].t !== 'd') throw new Fault('ENOTDIR')
    return this.names(members)
  }

  rename_(from: string, to: string, flag: string): void {
    const [old, target] = [from, to].map(path => this.walk(path.replace(/\/+$/, '') || '/', false)) as [Spot, Spot]
    if (old.last !== 'name') throw new Fault('EBUSY')
    if (target.last !== 'name') throw new Fault(flag === 'noreplace' ? 'EEXIST' : 'EBUSY')
    if (old.members.length === 0) throw new Fault('ENOENT')
    const code = this.renameFault(old, target, { flag, slashes: [/\/$/.test(from), /\/$/.test(to)] })
    if (code === 'same') return
    if (code !== undefined) throw new Fault(code)
    const [node, other] = [this.movable(old), flag === 'exchange' ? this.movable(target) : undefined]
    if (other === undefined) this.remove(old.parent, old.name!)
    else this.put(old.parent, old.name!, other)
    this.put(target.parent, target.name!, node)
  }

  /** What is renamed, all of it in the upper. */
  movable(spot: Spot): Node {
    const [, node] = spot.members[0]!
    if (node.t !== 'd') return this.copyUp(spot)
    const whole = (members: Members, path: readonly string[]): Node => ({
      ...members[0]![1],
      opaque: true,
      children: new Map(
        this.names(members).map(name => {
          const below = this.look(members, name)
          const [tree, child] = below[0]!
          if (child.t === 'd') return [name, whole(below, [...path, name])]
          return [name, tree === 0 ? child : this.copied(child, [...path, name])]
        }),
      ),
    })
    return whole(spot.members, [...spot.parent, spot.name!])
  }

  renameFault(old: Spot, target: Spot, { flag, slashes }: { flag: string; slashes: boolean[] }): string | undefined {
    const source = old.members[0]![1]
    const there = target.members[0]?.[1]
    const paths = [old, target].map(({ parent, name }) => `/${[...parent, name!].join('/')}/`) as [string, string]
    const parents = [old, target].map(({ parent }) => `/${parent.join('/')}/`.replace('//', '/')) as [string, string]
    if (flag === 'noreplace' && there !== undefined) return 'EEXIST'
    if (flag === 'exchange' && there === undefined) return 'ENOENT'
    if (flag === 'exchange' && slashes[1] && there!.t !== 'd') return 'ENOTDIR'
    if (source.t !== 'd' && (slashes[0] || (slashes[1] && flag !== 'exchange'))) return 'ENOTDIR'
    if (parents[1].startsWith(paths[0])) return 'EINVAL'
    if (there !== undefined && parents[0].startsWith(paths[1])) return flag === 'exchange' ? 'EINVAL' : 'ENOTEMPTY'
    if (paths[0] === paths[1]) return 'same'
    if (source === there && old.members[0]![0] === 0) return 'same'
    const stuck = ({ members }: Spot) => !this.copies && members[0]![1].t === 'd' && members.some(([tree]) => tree > 0)
    if (flag === 'exchange') return stuck(old) || stuck(target) ? 'EXDEV' : undefined
    if (there !== undefined && source.t === 'd' && there.t !== 'd') return 'ENOTDIR'
    if (there !== undefined && source.t !== 'd' && there.t === 'd') return 'EISDIR'
    if (stuck(old)) return 'EXDEV'
    return there?.t === 'd' && this.names(target.members).length > 0 ? 'ENOTEMPTY' : undefined
  }
}
