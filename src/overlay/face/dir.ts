/**
 * An open directory. Passes `instanceof fs.Dir`; every method is our own, since Node's keep what they need in private fields.
 * Entries come in the order of their names' bytes.
 */
import fs from 'node:fs'
import { callbackArgument } from '../union/arguments.js'
import { nodeError } from '../union/errno.js'
import type { Pace } from '../union/pace.js'

export class ViewDir {
  readonly #path: string
  readonly #entries: Iterator<fs.Dirent>
  readonly #pace: Pace
  #closed = false

  constructor(path: string, entries: Iterator<fs.Dirent>, pace: Pace) {
    this.#path = path
    this.#entries = entries
    this.#pace = pace
  }

  get path(): string {
    return this.#path
  }

  readSync(): fs.Dirent | null {
    this.#assertOpen()
    const next = this.#entries.next()
    return next.done ? null : next.value
  }

  read(...args: unknown[]): Promise<fs.Dirent | null> | undefined {
    if (args[0] === undefined) return this.#readLater()
    this.#assertOpen()
    const callback = callbackArgument(args)
    this.#readLater().then(
      dirent => setImmediate(() => callback(null, dirent)),
      error => setImmediate(() => callback(error)),
    )
    return undefined
  }

  closeSync(): void {
    this.#assertOpen()
    this.#closed = true
  }

  close(...args: unknown[]): Promise<void> | undefined {
    if (args[0] === undefined) return this.#closeLater()
    const callback = callbackArgument(args)
    this.#closeLater().then(
      () => setImmediate(() => callback(null)),
      error => setImmediate(() => callback(error)),
    )
    return undefined
  }

  async *entries(): AsyncGenerator<fs.Dirent, void, void> {
    try {
      for (let next = await this.#readLater(); next !== null; next = await this.#readLater()) yield next
    } finally {
      this.#closed = true
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<fs.Dirent, void, void> {
    return this.entries()
  }

  async #readLater(): Promise<fs.Dirent | null> {
    if (this.#pace.due()) await this.#pace.turn()
    return this.readSync()
  }

  async #closeLater(): Promise<void> {
    this.closeSync()
  }

  #assertOpen(): void {
    if (this.#closed) throw nodeError('ERR_DIR_CLOSED', 'Directory handle was closed')
  }

  static {
    // Where the running Node has these symbols
    const define = (symbol: symbol | undefined, value: (this: ViewDir) => unknown) => {
      if (symbol !== undefined)
        Object.defineProperty(ViewDir.prototype, symbol, { value, writable: true, configurable: true })
    }
    define(Symbol.dispose, function () {
      this.#closed = true
    })
    define(Symbol.asyncDispose, async function () {
      this.#closed = true
    })
    Object.defineProperty(ViewDir.prototype, 'constructor', { value: fs.Dir, writable: true, configurable: true })
    Object.setPrototypeOf(ViewDir.prototype, fs.Dir.prototype)
  }
}
