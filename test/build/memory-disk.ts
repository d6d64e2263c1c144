/**
 * A file system in memory with the calls of disk/io.ts, as far as a store uses them, and flock. Every call happens at
 * once and can be held back by a scheduler: with it a test can try every order of the steps of several processes.
 */
import type { Io } from '../../src/disk/io.js'
import { PhylloError } from '../../src/errors.js'
import type { Flock } from '../../src/native/flock.js'

type Node = { readonly type: 'directory' } | { readonly type: 'file' | 'other'; readonly text: string }

/** Runs one call of a process, now or when its turn comes. `possible`: a call that waits until it can succeed. */
export type Step = <T>(call: string, path: string, work: () => T, possible?: () => boolean) => Promise<T>

export const atOnce: Step = async (_call, _path, work) => work()

const endless = { totalBytes: 2 ** 50, freeBytes: 2 ** 50, totalInodes: 0, freeInodes: 0, type: 0 }

/** Longer contents than any that a test asks about are told by their length. */
const shownLength = 4096

export class MemoryDisk {
  readonly nodes = new Map<string, Node>([['/', { type: 'directory' }]])
  readonly #open = new Map<number, Node>()
  readonly #locked = new Map<Node, number>()
  #nextFd = 1

  /** Remembers everything, locks included; the answer brings it back. */
  save(): () => void {
    const [nodes, locked] = [[...this.nodes], [...this.#locked]]
    return () => {
      this.nodes.clear()
      for (const [path, node] of nodes) this.nodes.set(path, node)
      this.#locked.clear()
      for (const [node, fd] of locked) this.#locked.set(node, fd)
    }
  }

  /** The calls of one process. */
  io(process: string, step: Step): Io {
    let names = 0
    return {
      mkdir: path => step('mkdir', path, () => this.#create('mkdir', path, { type: 'directory' })),
      mkdirAll: async path => this.#mkdirAll(path),
      readdir: path => step('readdir', path, () => this.#readdir(path)),
      readFile: path => step('read', path, () => Buffer.from(this.#file('read', path).text, 'latin1')),
      readFiles: paths => Promise.all(paths.map(path => step('read', path, () => this.#textOf(path)))),
      writeNew: (path, bytes) =>
        step('write', path, () =>
          this.#create('write', path, { type: 'file', text: Buffer.from(bytes).toString('latin1') }),
        ),
      statfs: async () => endless,
      status: path => step('lstat', path, () => this.#status(path)),
      chmod: async path => void this.#get('chmod', path),
      link: (from, to) => step('link', to, () => this.#link(from, to)),
      symlink: (target, path) =>
        step('symlink', path, () => this.#create('symlink', path, { type: 'other', text: target })),
      readlink: path => step('readlink', path, () => this.#symlink(path)),
      rename: (from, to) => step('rename', `${from} ${to}`, () => this.#rename(from, to)),
      unlink: path => step('unlink', path, () => this.#unlink(path)),
      sync: async path => void this.#get('fsync', path),
      openLock: path => step('openLock', path, () => this.#openFile(path, true)),
      openExisting: path => step('open', path, () => this.#openFile(path, false)),
      close: fd => step('close', '', () => this.#close(fd)),
      isAt: (fd, path) => step('lstat', path, () => this.nodes.get(path) === this.#open.get(fd)),
      deleteTree: async path => this.#deleteTree(path),
      randomName: () => `${process}${names++}`,
      sleep: async () => undefined,
    }
  }

  /** Root and collector locks wait for their turn; the lock of an owner or a container is only asked for. */
  flock(step: Step): Flock {
    const free = (fd: number) => !this.#locked.has(this.#open.get(fd)!)
    const take = (fd: number) => {
      if (!free(fd)) return false
      this.#locked.set(this.#open.get(fd)!, fd)
      return true
    }
    return {
      via: 'libc',
      tryExclusive: fd => step('flock', '', () => take(fd), this.#isAsked(fd) ? undefined : () => free(fd)),
      tryShared: async () => false,
      unlock: async fd => void this.#locked.delete(this.#open.get(fd)!),
    }
  }

  /** Everything that a process could see, as one string. */
  snapshot(): string {
    const entries = [...this.nodes].sort(([a], [b]) => (a < b ? -1 : 1))
    return entries
      .map(
        ([path, node]) =>
          `${path}${node.type === 'directory' ? '' : `=${shown(node.text)}`}${this.#locked.has(node) ? '!' : ''}`,
      )
      .join('\n')
  }

  childrenOf(path: string): string[] {
    return [...this.nodes.keys()].filter(key => key.startsWith(`${path}/`) && !key.slice(path.length + 1).includes('/'))
  }

  #isAsked(fd: number): boolean {
    const node = this.#open.get(fd)
    return [...this.nodes].some(([path, there]) => there === node && /\/(owners|containers)\//.test(path))
  }

  #get(call: string, path: string): Node {
    return this.nodes.get(path) ?? fail(call, path, 'ENOENT')
  }

  #file(call: string, path: string): { readonly text: string } {
    const node = this.#get(call, path)
    return node.type === 'file' ? node : fail(call, path, node.type === 'directory' ? 'EISDIR' : 'ELOOP')
  }

  #textOf(path: string): Buffer | undefined {
    return this.nodes.has(path) ? Buffer.from(this.#file('read', path).text, 'latin1') : undefined
  }

  #symlink(path: string): string {
    const node = this.#get('readlink', path)
    return node.type === 'other' ? node.text : fail('readlink', path, 'EINVAL')
  }

  #create(call: string, path: string, node: Node): void {
    if (this.nodes.get(parentOf(path))?.type !== 'directory') fail(call, path, 'ENOENT')
    if (this.nodes.has(path)) fail(call, path, 'EEXIST')
    this.nodes.set(path, node)
  }

  #link(from: string, to: string): void {
    const node = this.#get('link', from)
    if (this.nodes.has(to)) fail('link', to, 'EEXIST')
    if (node.type === 'directory') fail('link', to, 'EPERM')
    this.#create('link', to, node)
  }

  #mkdirAll(path: string): void {
    if (this.nodes.has(path)) return
    this.#mkdirAll(parentOf(path))
    this.nodes.set(path, { type: 'directory' })
  }

  #readdir(path: string): string[] {
    if (this.#get('readdir', path).type !== 'directory') fail('readdir', path, 'ENOTDIR')
    return this.childrenOf(path).map(child => child.slice(path.length + 1))
  }

  #status(path: string) {
    const node = this.#get('lstat', path)
    return { type: node.type, sizeBytes: node.type === 'file' ? node.text.length : 0, mtimeMs: 0 }
  }

  #rename(from: string, to: string): void {
    const node = this.#get('rename', from)
    if (this.nodes.get(parentOf(to))?.type !== 'directory') fail('rename', to, 'ENOENT')
    if (node.type === 'directory' && this.childrenOf(to).length > 0) fail('rename', to, 'ENOTEMPTY')
    // Two names of one file: POSIX keeps both.
    if (this.nodes.get(to) === node) return
    for (const path of [...this.nodes.keys()]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue
      const moved = this.nodes.get(path)!
      this.nodes.delete(path)
      this.nodes.set(to + path.slice(from.length), moved)
    }
  }

  #unlink(path: string): void {
    if (this.#get('unlink', path).type === 'directory') fail('unlink', path, 'EISDIR')
    this.nodes.delete(path)
  }

  #deleteTree(path: string): void {
    for (const key of [...this.nodes.keys()]) if (key === path || key.startsWith(`${path}/`)) this.nodes.delete(key)
  }

  #openFile(path: string, create: boolean): number {
    if (create && !this.nodes.has(path)) this.#create('open', path, { type: 'file', text: '' })
    this.#file('open', path)
    this.#open.set(this.#nextFd, this.#get('open', path))
    return this.#nextFd++
  }

  #close(fd: number): void {
    const node = this.#open.get(fd)
    if (node !== undefined && this.#locked.get(node) === fd) this.#locked.delete(node)
    this.#open.delete(fd)
  }
}

function shown(text: string): string {
  return text.length > shownLength ? `${text.length} bytes` : text
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}

function fail(operation: string, path: string, errno: string): never {
  throw new PhylloError('STORE_IO', `${operation} ${path}: ${errno}`, { operation, path, errno })
}
