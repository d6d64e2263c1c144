/**
 * A file system in memory, as strict as it can be: the calls of `src/unpack/file-calls.ts` for tests without root. A path that leaves
 * the root, has a `.` or `..` in it or runs through a symlink is a failed assertion, not an error that the code under test could catch
 * and turn into one of its own; so is a change of the owner behind xattrs, or any of these behind the times.
 */
import assert from 'node:assert/strict'
import type { FileCalls } from '../../src/unpack/file-calls.js'

export interface MemoryNode {
  readonly type: 'f' | 'd' | 'l' | 'c' | 'b' | 'p'
  mode: number
  uid: number
  gid: number
  /** Seconds, with nanoseconds behind a dot where there are any. */
  mtime: string | undefined
  readonly xattrs: Map<string, string>
  /** Of a file its bytes, of a symlink its target, of a device `major:minor`, in latin1. */
  content: string
  readonly children: Map<string, MemoryNode>
  nlink: number
}

const types = new Map<number, MemoryNode['type']>([
  [0o010000, 'p'],
  [0o020000, 'c'],
  [0o060000, 'b'],
])

function errno(code: string, syscall: string): Error {
  return Object.assign(new Error(`${code}: made up, ${syscall}`), { code, syscall })
}

export class MemoryFiles implements FileCalls {
  /** What the root's directory holds: the root, once it is made. */
  readonly top: MemoryNode
  /** Calls by name. */
  readonly counts = new Map<string, number>()
  readonly #prefix: string
  readonly #open = new Map<number, MemoryNode>()
  readonly #fail: (call: string, path: string) => string | undefined
  #fd = 100

  /** `fail` may give the errno that a call is to fail with. */
  constructor(root: string, fail: (call: string, path: string) => string | undefined = () => undefined) {
    this.#prefix = root.slice(0, root.lastIndexOf('/') + 1)
    this.#fail = fail
    this.top = newNode('d', 0o700, '')
  }

  get openFiles(): number {
    return this.#open.size
  }

  mkdir(path: Buffer, mode: number): void {
    this.#add('mkdir', path, newNode('d', mode, ''))
  }

  dropAcls(path: Buffer): void {
    this.#find('dropAcls', path)
  }

  create(path: Buffer, mode: number): number {
    const node = newNode('f', mode, '')
    this.#add('open', path, node)
    this.#open.set(++this.#fd, node)
    return this.#fd
  }

  write(fd: number, bytes: Uint8Array, start: number, end: number): void {
    const node = this.#openFile('write', fd)
    assert.ok(start < end && end <= bytes.length, `write of ${start} to ${end}`)
    assert.equal(node.mtime, undefined, 'written to behind the times')
    node.content += Buffer.from(bytes.subarray(start, end)).toString('latin1')
  }

  fchown(fd: number, uid: number, gid: number): void {
    own(this.#openFile('fchown', fd), uid, gid)
  }

  fchmod(fd: number, mode: number): void {
    this.#openFile('fchmod', fd).mode = mode
  }

  futimes(fd: number, sec: number): void {
    this.#openFile('futimes', fd).mtime = `${sec}`
  }

  close(fd: number): void {
    this.#openFile('close', fd)
    this.#open.delete(fd)
  }

  symlink(target: Buffer, path: Buffer): void {
    this.#add('symlink', path, newNode('l', 0o777, target.toString('latin1')))
  }

  link(from: Buffer, to: Buffer): void {
    const node = this.#find('', from)
    assert.notEqual(node.type, 'd')
    this.#add('link', to, node)
  }

  mknod(path: Buffer, mode: number, major: number, minor: number): void {
    const type = types.get(mode & 0o170000)!
    this.#add('mknod', path, newNode(type, mode & 0o7777, type === 'p' ? '' : `${major}:${minor}`))
  }

  lchown(path: Buffer, uid: number, gid: number): void {
    own(this.#find('lchown', path), uid, gid)
  }

  chmod(path: Buffer, mode: number): void {
    const node = this.#find('chmod', path)
    assert.notEqual(node.type, 'l', 'chmod follows symlinks')
    node.mode = mode
  }

  lsetxattr(path: Buffer, name: string, value: Uint8Array): void {
    this.#find('lsetxattr', path).xattrs.set(name, Buffer.from(value).toString('latin1'))
  }

  utimes(path: Buffer, { sec, nsec }: { readonly sec: number; readonly nsec: number }): void {
    this.#find('utimes', path).mtime = nsec === 0 ? `${sec}` : `${sec}.${nsec}`
  }

  /** One line a name, in the order of a walk, as `treeOf` in build/layerfile.ts gives them. */
  lines(): string[] {
    const lines: string[] = []
    const walk = (dir: MemoryNode, prefix: string): void => {
      for (const [name, node] of [...dir.children].sort(([a], [b]) => (a < b ? -1 : 1))) {
        lines.push(`${prefix}${name} ${described(node)}`)
        walk(node, `${prefix}${name}/`)
      }
    }
    walk([...this.top.children.values()][0]!, '')
    return lines
  }

  /** What a path below the root leads to where a host follows it: symlinks as well, but none that leads out. */
  follow(path: string): MemoryNode | undefined {
    const root = [...this.top.children.values()][0]!
    const way = [root]
    const todo = path.split('/')
    for (let hops = 0; todo.length > 0; ) {
      const part = todo.shift()!
      if (part === '' || part === '.') continue
      if (part === '..') {
        way.pop()
        if (way.length === 0) return undefined
        continue
      }
      const next = way.at(-1)!.children.get(part)
      if (next === undefined) return undefined
      if (next.type !== 'l') way.push(next)
      else {
        if (next.content.startsWith('/') || ++hops > 40) return undefined
        todo.unshift(...next.content.split('/'))
      }
    }
    return way.at(-1)
  }

  #openFile(call: string, fd: number): MemoryNode {
    this.#count(call, '')
    const node = this.#open.get(fd)
    assert.ok(node !== undefined, `${call} of a descriptor that is not open`)
    return node
  }

  #add(call: string, path: Buffer, node: MemoryNode): void {
    const { dir, name } = this.#parent(call, path)
    if (dir.children.has(name)) throw errno('EEXIST', call)
    assert.equal(dir.mtime, undefined, 'something is made in a directory behind its times')
    node.nlink++
    dir.children.set(name, node)
  }

  #find(call: string, path: Buffer): MemoryNode {
    const { dir, name } = this.#parent(call, path)
    const node = dir.children.get(name)
    if (node === undefined) throw errno('ENOENT', call)
    return node
  }

  #parent(call: string, bytes: Buffer): { dir: MemoryNode; name: string } {
    const path = bytes.toString('latin1')
    this.#count(call, path)
    assert.ok(path.startsWith(this.#prefix), `${call} of ${path}`)
    const parts = path.slice(this.#prefix.length).split('/')
    const name = parts.pop()!
    assert.ok(![...parts, name].some(part => ['', '.', '..'].includes(part)), `${call} of ${path}`)
    let dir = this.top
    for (const part of parts) {
      const next = dir.children.get(part)
      assert.ok(next?.type === 'd', `${call} of ${path}, where ${part} is no directory`)
      dir = next
    }
    return { dir, name }
  }

  #count(call: string, path: string): void {
    if (call === '') return
    this.counts.set(call, (this.counts.get(call) ?? 0) + 1)
    const code = this.#fail(call, path)
    if (code !== undefined) throw errno(code, call)
  }
}

function newNode(type: MemoryNode['type'], mode: number, content: string): MemoryNode {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0]
  return { type, mode, uid, gid, mtime: undefined, xattrs: new Map(), content, children: new Map(), nlink: 0 }
}

/** As the kernel: a new owner takes capabilities and set-id bits away. */
function own(node: MemoryNode, uid: number, gid: number): void {
  node.uid = uid
  node.gid = gid
  node.xattrs.delete('security.capability')
  if (node.type === 'f') node.mode &= 0o1777
}

function described({ type, content, nlink, xattrs }: MemoryNode): string {
  if (type === 'c' && content === '0:0') return 'whiteout'
  const links = nlink > 1 ? `×${nlink}` : ''
  const opaque = xattrs.get('trusted.overlay.opaque') === 'y' ? 'opaque' : ''
  const text = Buffer.from(content, 'latin1').toString()
  return [type, type === 'l' ? `→${text}` : text, links, opaque].filter(part => part !== '').join(' ')
}
