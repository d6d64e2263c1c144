/**
 * What `promises.open` gives: every method of Node's FileHandle. Those that change something are the calls over a descriptor, of a
 * view those that refuse.
 *
 * Invariant: closing waits for what is under way, as Node's does.
 */
import { EventEmitter } from 'node:events'
import type fs from 'node:fs'
import { createRequire } from 'node:module'
import { errnoError } from '../union/errno.js'
import { closeFile } from '../union/open.js'
import type { Union } from '../union/union.js'
import { fstatOf } from './calls-attributes.js'
import { readFileLater, readLater, readvLater } from './calls-files.js'
import { type Calls, type Implementation, promiseOf } from './forms.js'

export interface HandleStreams {
  read(handle: ViewFileHandle, options: unknown): fs.ReadStream
  write(handle: ViewFileHandle, options: unknown): fs.WriteStream
}

const closedFd = -1

export class ViewFileHandle extends EventEmitter {
  readonly #union: Union
  readonly #streams: HandleStreams
  readonly #calls: Calls
  readonly #busy = new Set<Promise<unknown>>()
  readonly #read: Implementation
  readonly #readv: Implementation
  readonly #readFile: Implementation
  #fd: number
  #closing: Promise<void> | undefined

  constructor(union: Union, fd: number, calls: Calls, streams: HandleStreams) {
    super()
    this.#union = union
    this.#fd = fd
    this.#calls = calls
    this.#streams = streams
    this.#read = readLater(union)
    this.#readv = readvLater(union)
    this.#readFile = readFileLater(union)
  }

  /** -1 once closed. */
  get fd(): number {
    return this.#fd
  }

  getAsyncId(): number {
    return 0
  }

  async read(...args: unknown[]): Promise<unknown> {
    return this.#wait(this.#read(this.#open('read'), ...args))
  }

  async readv(buffers: unknown, position?: unknown): Promise<unknown> {
    return this.#wait(this.#readv(this.#open('readv'), buffers, position))
  }

  async readFile(options?: unknown): Promise<unknown> {
    return this.#wait(this.#readFile(this.#open('readFile'), options))
  }

  readLines(options?: object): unknown {
    const readline = createRequire(import.meta.url)('node:readline') as typeof import('node:readline')
    const input = this.createReadStream(options)
    return readline.createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  }

  async stat(options?: unknown): Promise<unknown> {
    return fstatOf(this.#union)(this.#open('fstat'), options)
  }

  createReadStream(options?: unknown): fs.ReadStream {
    return this.#streams.read(this, options)
  }

  readableWebStream(options: { autoClose?: boolean } = {}): ReadableStream {
    this.#open('readableWebStream')
    return new ReadableStream({
      type: 'bytes',
      autoAllocateChunkSize: 65_536,
      pull: async controller => {
        const request = controller.byobRequest as ReadableStreamBYOBRequest
        const view = request.view as Uint8Array
        const { bytesRead } = (await this.read(view, 0, view.byteLength)) as { bytesRead: number }
        if (bytesRead > 0) return request.respond(bytesRead)
        controller.close()
        request.respond(0)
        if (options.autoClose) await this.close()
      },
      cancel: () => this.close(),
    })
  }

  /** Idempotent: closing twice is one close. Emits `close`. */
  close(): Promise<void> {
    if (this.#fd === closedFd) return this.#closing ?? Promise.resolve()
    const fd = this.#fd
    this.#fd = closedFd
    this.#closing = (async () => {
      if (this.#busy.size > 0) await Promise.allSettled(this.#busy)
      closeFile(this.#union, fd)
      this.emit('close')
    })()
    return this.#closing
  }

  async sync(): Promise<unknown> {
    return this.#call('fsync', [])
  }

  async datasync(): Promise<unknown> {
    return this.#call('fdatasync', [])
  }

  async write(...args: unknown[]): Promise<unknown> {
    return this.#call('write', args)
  }

  async writev(...args: unknown[]): Promise<unknown> {
    return this.#call('writev', args, 'write')
  }

  async writeFile(data: unknown, options?: unknown): Promise<unknown> {
    return this.#call(this.#union.readOnly ? 'write' : 'writeFile', [data, options], 'write')
  }

  /** The same as writeFile: where it goes on is where the descriptor is. */
  async appendFile(data: unknown, options?: unknown): Promise<unknown> {
    return this.writeFile(data, options)
  }

  async truncate(length?: unknown): Promise<unknown> {
    return this.#call('ftruncate', [length])
  }

  async chmod(mode: unknown): Promise<unknown> {
    return this.#call('fchmod', [mode])
  }

  async chown(uid: unknown, gid: unknown): Promise<unknown> {
    return this.#call('fchown', [uid, gid])
  }

  async utimes(atime: unknown, mtime: unknown): Promise<unknown> {
    return this.#call('futimes', [atime, mtime], 'futime')
  }

  createWriteStream(options?: unknown): fs.WriteStream {
    if (!this.#union.readOnly) return this.#streams.write(this, options)
    this.#union.handles.get(this.#open('write'), 'write')
    throw errnoError('EBADF', 'write')
  }

  /** One of node:fs's calls over a descriptor. */
  #call(name: string, args: unknown[], syscall = name): Promise<unknown> | unknown {
    return this.#wait(promiseOf(this.#calls[name]!)(this.#open(syscall), ...args))
  }

  #wait(result: unknown): unknown {
    if (!(result instanceof Promise)) return result
    this.#busy.add(result)
    const over = () => this.#busy.delete(result)
    result.then(over, over)
    return result
  }

  /** The descriptor, or the error that Node gives for methods of a closed handle. */
  #open(method: string): number {
    if (this.#fd !== closedFd) return this.#fd
    throw Object.assign(new Error('file closed'), { code: 'EBADF', syscall: method })
  }

  static {
    Object.defineProperty(ViewFileHandle, 'name', { value: 'FileHandle' })
    if (Symbol.asyncDispose !== undefined) {
      const value = function (this: ViewFileHandle) {
        return this.close()
      }
      Object.defineProperty(ViewFileHandle.prototype, Symbol.asyncDispose, {
        value,
        writable: true,
        configurable: true,
      })
    }
  }
}
