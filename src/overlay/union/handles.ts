/**
 * The open files of a view. Descriptors are numbers from 2^30 up: one that is handed to node:fs by mistake is EBADF there, and
 * one of node:fs is EBADF here.
 */
import { validFd } from './arguments.js'
import type { Dentry } from './dentry.js'
import { errnoError } from './errno.js'

const firstFd = 2 ** 30

/** Files open at once: Linux's fs.nr_open. Who needs more has forgotten to close. */
const openFiles = 1_048_576

export interface OpenFile {
  readonly dentry: Dentry
  /** As it was opened, for what reports a path. */
  readonly path: string
  /** As of open(2). */
  readonly flags: number
  /** Where the next read or write without a position begins, bytes. */
  position: number
}

export class Handles {
  readonly #open = new Map<number, OpenFile>()
  readonly #free: number[] = []
  #next = firstFd

  add(file: OpenFile): number {
    if (this.#open.size >= openFiles) throw errnoError('EMFILE', 'open', file.path)
    const fd = this.#free.pop() ?? this.#next++
    this.#open.set(fd, file)
    return fd
  }

  get(fd: unknown, syscall: string): OpenFile {
    const file = this.#open.get(validFd(fd))
    if (file === undefined) throw errnoError('EBADF', syscall)
    return file
  }

  remove(fd: unknown): OpenFile {
    const file = this.get(fd, 'close')
    this.#open.delete(fd as number)
    this.#free.push(fd as number)
    return file
  }

  clear(): void {
    this.#open.clear()
    this.#free.length = 0
  }
}
