/** Which calls fail, and what is open: what failing-fs.ts asks before each call. */
import fs from 'node:fs'
import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'
import { canFail, type FaultErrno } from './fault-errnos.js'

export interface Fault {
  readonly errno: FaultErrno
  /** The how many-th of the calls that can fail so, from 1. */
  readonly at: number
  /** How many calls fail from there on; Infinity: the disk is gone. */
  readonly times: number
  /** Only calls that are so: `open /the/path`. */
  readonly only?: RegExp
}

export interface FailedCall {
  readonly call: string
  readonly path: string
}

export class FailingCalls {
  #directory: string | undefined
  #fault: Fault | undefined
  #count = 0
  #failed: FailedCall[] = []
  /** Calls of the form that is being made are its own business. */
  #within = false
  readonly #opened = new Map<number, string>()
  readonly #handles = new WeakMap<object, string>()

  /** From now on calls below the directory fail as the fault says; without one, those that could are counted. */
  arm(directory: string, fault: Fault): void {
    this.#directory = `${directory}/`
    this.#fault = fault
    this.#count = 0
    this.#failed = []
  }

  disarm(): void {
    this.#directory = undefined
  }

  /** Calls that could have failed since it was armed. */
  get calls(): number {
    return this.#count
  }

  /** Those that did. */
  get failed(): readonly FailedCall[] {
    return this.#failed
  }

  /** Descriptors that are open on something below the directory, with its path. */
  open(directory: string): string[] {
    return this.#quietly(() => openBelow(directory, this.#opened))
  }

  /** The errno error of a call that is not to be made. */
  hit(
    call: string,
    path: string | undefined,
    { writes = false, named = true } = {},
  ): NodeJS.ErrnoException | undefined {
    const fault = this.#fault
    if (this.#within || path === undefined || this.#directory === undefined || fault === undefined) return undefined
    if (!`${path}/`.startsWith(this.#directory) || !canFail(fault.errno, call, writes)) return undefined
    if (fault.only?.test(`${call} ${path}`) === false) return undefined
    this.#count++
    if (this.#count < fault.at || this.#count >= fault.at + fault.times) return undefined
    this.#failed.push({ call, path })
    return errnoError(fault.errno, call, named ? path : undefined)
  }

  pathOf(given: unknown): string | undefined {
    if (typeof given === 'number') return this.#opened.get(given) ?? pathOfDescriptor(given)
    if (given instanceof URL) return given.pathname
    if (typeof given !== 'string' && !Buffer.isBuffer(given)) return undefined
    const text = String(given).replace(/\0$/, '')
    const [, fd, rest] = /^\/proc\/self\/fd\/(\d+)(.*)$/s.exec(text) ?? []
    return fd === undefined ? text : `${this.pathOf(Number(fd))}${rest}`
  }

  pathOfHandle(handle: object): string | undefined {
    return this.#handles.get(handle)
  }

  opened(fd: number, path: string): void {
    this.#opened.set(fd, path)
  }

  openedHandle(handle: fs.promises.FileHandle, path: string): void {
    this.#handles.set(handle, path)
    this.opened(handle.fd, path)
  }

  closed(fd: number): void {
    this.#opened.delete(fd)
  }

  #quietly<T>(work: () => T): T {
    const before = this.#within
    this.#within = true
    try {
      return work()
    } finally {
      this.#within = before
    }
  }

  /** What the call does to others is not counted twice. */
  through<T>(work: () => T): T {
    return this.#quietly(work)
  }
}

const real = { readlinkSync: fs.readlinkSync, readdirSync: fs.readdirSync }

function pathOfDescriptor(fd: number): string | undefined {
  try {
    return real.readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return undefined
  }
}

/** As the kernel tells it, those of native calls included; else as it was counted here. */
function openBelow(directory: string, counted: ReadonlyMap<number, string>): string[] {
  const below = (path: string | undefined) => path !== undefined && `${path}/`.startsWith(`${directory}/`)
  const named = (fd: number, path: string | undefined) => (below(path) ? [`${fd} ${path}`] : [])
  if (process.platform !== 'linux') return [...counted].flatMap(([fd, path]) => named(fd, path))
  return real.readdirSync('/proc/self/fd').flatMap(name => named(Number(name), pathOfDescriptor(Number(name))))
}

function errnoError(code: FaultErrno, syscall: string, path: string | undefined): NodeJS.ErrnoException {
  const errno = -constants.errno[code]
  // libuv has no name for a full quota
  const unknown = `Unknown system error ${errno}`
  const [name, text] = getSystemErrorMap().get(errno) ?? [unknown, unknown]
  const message = `${name}: ${text}, ${syscall}${path === undefined ? '' : ` '${path}'`}`
  return Object.assign(new Error(message), { errno, code: name, syscall, ...(path !== undefined && { path }) })
}
