/**
 * What `promises.open` gives: every method of Node's FileHandle. Those that change something fail as they do on a descriptor
 * that was opened for reading on a read-only file system.
 */
import { EventEmitter } from 'node:events'
import type fs from 'node:fs'
import { createRequire } from 'node:module'
import { fstatOf } from './calls-attributes.js'
import { readFileLater, readLater, readvLater } from './calls-files.js'
import { errnoError } from './errno.js'
import type { Implementation } from './forms.js'
import type { Union } from './union.js'

type StreamMaker = (handle: ViewFileHandle, options: unknown) => fs.ReadStream

const closedFd = -1

export class ViewFileHandle extends EventEmitter {
  readonly #union: Union
  readonly #stream: StreamMaker
  readonly #read: Implementation
  readonly #readv: Implementation
  readonly #readFile: Implementation
  #fd: number
  #closing: Promise<void> | undefined

  constructor(union: Union, fd: number, stream: StreamMaker) {
    super()
    this.#union = union
    this.#fd = fd
    this.#stream = stream
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
    return this.#read(this.#open('read'), ...args)
  }

  async readv(buffers: unknown, position?: unknown): Promise<unknown> {
    return this.#readv(this.#open('readv'), buffers, position)
  }

  async readFile(options?: unknown): Promise<unknown> {
    return this.#readFile(this.#open('readFile'), options)
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
    return this.#stream(this, options)
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
      this.#union.handles.remove(fd)
      this.emit('close')
    })()
    return this.#closing
  }

  async sync(): Promise<void> {
    this.#union.handles.get(this.#open('fsync'), 'fsync')
  }

  async datasync(): Promise<void> {
    this.#union.handles.get(this.#open('fdatasync'), 'fdatasync')
  }

  async write(): Promise<never> {
    throw this.#refused('EBADF', 'write')
  }

  async writev(): Promise<never> {
    throw this.#refused('EBADF', 'write')
  }

  async writeFile(): Promise<never> {
    throw this.#refused('EBADF', 'write')
  }

  async appendFile(): Promise<never> {
    throw this.#refused('EBADF', 'write')
  }

  async truncate(): Promise<never> {
    throw this.#refused('EINVAL', 'ftruncate')
  }

  async chmod(): Promise<never> {
    throw this.#refused('EROFS', 'fchmod')
  }

  async chown(): Promise<never> {
    throw this.#refused('EROFS', 'fchown')
  }

  async utimes(): Promise<never> {
    throw this.#refused('EROFS', 'futime')
  }

  createWriteStream(): never {
    throw this.#refused('EBADF', 'write')
  }

  /** The descriptor, or the error that Node gives for methods of a closed handle. */
  #open(method: string): number {
    if (this.#fd !== closedFd) return this.#fd
    throw Object.assign(new Error('file closed'), { code: 'EBADF', syscall: method })
  }

  #refused(code: string, syscall: string): Error {
    this.#union.handles.get(this.#open(syscall), syscall)
    return errnoError(code, syscall)
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
