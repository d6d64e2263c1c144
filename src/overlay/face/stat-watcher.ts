/**
 * watchFile: what stat says of a path, compared after every change that is made in the container. No polling: nobody else can
 * change anything. One watcher a path, as in node:fs; unwatchFile ends it.
 */
import { EventEmitter } from 'node:events'
import type fs from 'node:fs'
import type { PathArgument } from '../union/arguments.js'
import type { Union } from '../union/union.js'

type AnyStats = fs.Stats | fs.BigIntStats

class StatWatcher extends EventEmitter {
  readonly #union: Union
  readonly #path: PathArgument
  readonly #bigint: boolean
  #last: AnyStats
  #stop: (() => void) | undefined

  constructor(union: Union, path: PathArgument, bigint: boolean) {
    super()
    this.#union = union
    this.#path = path
    this.#bigint = bigint
    this.#last = this.#look()
    this.start()
    // Of what is not there node:fs says so once
    if (union.upper !== undefined && Number(this.#last.nlink) === 0) setImmediate(() => this.#tell(this.#last))
  }

  start(): void {
    this.#stop ??= this.#union.notices.watchAnything(() => this.#compare())
  }

  stop(): void {
    this.#stop?.()
    this.#stop = undefined
    this.removeAllListeners()
  }

  close(): void {
    this.stop()
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  #look(): AnyStats {
    const found = this.#union.closed ? 'ENOENT' : this.#union.lookup(this.#path, true)
    if (typeof found === 'string') return this.#union.noStats(this.#bigint)
    return this.#bigint ? this.#union.bigStats(found) : this.#union.stats(found)
  }

  #compare(): void {
    const now = this.#look()
    if (same(now, this.#last)) return
    const before = this.#last
    this.#last = now
    this.emit('change', now, before)
  }

  #tell(stats: AnyStats): void {
    if (this.#stop !== undefined) this.emit('change', stats, stats)
  }
}

const compared = ['ino', 'mode', 'nlink', 'uid', 'gid', 'size', 'mtimeMs', 'ctimeMs', 'birthtimeMs'] as const

function same(a: AnyStats, b: AnyStats): boolean {
  return compared.every(name => a[name] === b[name])
}

export interface StatWatchers {
  add(path: PathArgument, bigint: boolean, listener: (() => void) | undefined): EventEmitter
  remove(path: PathArgument, listener: (() => void) | undefined): void
}

export function statWatchers(union: Union): StatWatchers {
  const watchers = new Map<string, StatWatcher>()
  return {
    add({ text, bytes, exact }, bigint, listener) {
      const watcher = watchers.get(bytes) ?? new StatWatcher(union, { text, bytes, exact }, bigint)
      watchers.set(bytes, watcher)
      if (listener !== undefined) watcher.on('change', listener)
      return watcher
    },
    remove({ bytes }, listener) {
      const watcher = watchers.get(bytes)
      if (watcher === undefined) return
      if (listener !== undefined) watcher.off('change', listener)
      if (listener !== undefined && watcher.listenerCount('change') > 0) return
      watchers.delete(bytes)
      watcher.stop()
    },
  }
}
