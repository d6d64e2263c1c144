/**
 * watch, watchFile and promises.watch. What is told are the changes that are made through this very object: on a view there are
 * none, so no watcher of one ever fires. None keeps the process alive, since without it nothing changes.
 */
import { EventEmitter } from 'node:events'
import fs from 'node:fs'
import type { ByteString } from '../../byte-string.js'
import { type Encoding, encoded, optionsArgument, pathArgument } from '../union/arguments.js'
import { abortError } from '../union/errno.js'
import type { NoticeType } from '../union/notices.js'
import type { Union } from '../union/union.js'
import type { Implementation } from './forms.js'
import type { StatWatchers } from './stat-watcher.js'

class Watcher extends EventEmitter {
  #stop: (() => void) | undefined

  constructor(stop: () => void) {
    super()
    this.#stop = stop
  }

  close(): void {
    const stop = this.#stop
    if (stop === undefined) return
    this.#stop = undefined
    stop()
    setImmediate(() => this.emit('close'))
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}

interface WatchOptions {
  readonly encoding?: Encoding | null
  readonly recursive?: boolean
  readonly signal?: AbortSignal
}

type Told = (type: NoticeType, name: string | Buffer) => void

/** Begins to watch what is at a path; gives what ends it. */
function begin(union: Union, path: unknown, { recursive, encoding }: WatchOptions, told: Told): () => void {
  const dentry = union.at(pathArgument(path), true, 'watch')
  const listener = (type: NoticeType, name: ByteString) => told(type, encoded(name, encoding))
  return union.notices.watch(dentry, recursive === true, listener)
}

export function watch(union: Union): Implementation {
  return (path, options, listener) => {
    const given: WatchOptions = optionsArgument(options)
    const stop = begin(union, path, given, (type, name) => watcher.emit('change', type, name))
    const watcher = new Watcher(stop)
    const onChange = typeof options === 'function' ? options : listener
    if (typeof onChange === 'function') watcher.on('change', onChange as () => void)
    const { signal } = given
    if (signal?.aborted) watcher.close()
    else signal?.addEventListener('abort', () => watcher.close(), { once: true })
    return watcher
  }
}

/** Unlike watch, takes a path that is not there; (current, previous) are told after a change. */
export function watchFile(union: Union, watchers: StatWatchers): Implementation {
  return (path, options, listener) => {
    const argument = pathArgument(path)
    const onChange = typeof options === 'function' ? options : listener
    if (union.upper !== undefined && typeof onChange !== 'function') fs.watchFile('/', onChange as never)
    const { bigint } = (typeof options === 'object' && options !== null ? options : {}) as { bigint?: boolean }
    return watchers.add(argument, bigint === true, onChange as (() => void) | undefined)
  }
}

export function unwatchFile(watchers: StatWatchers): Implementation {
  return (path, listener) => watchers.remove(pathArgument(path), listener as (() => void) | undefined)
}

interface WatchEvent {
  readonly eventType: NoticeType
  readonly filename: string | Buffer
}

/** An iterable of what happens from its first `next` on; ends with an AbortError when told to. */
export function watchPromise(union: Union): Implementation {
  return async function* (path, options): AsyncGenerator<WatchEvent, void, void> {
    const given: WatchOptions = optionsArgument(options)
    const { signal } = given
    const events: WatchEvent[] = []
    let wake: () => void = () => undefined
    const stop = begin(union, path, given, (eventType, filename) => {
      events.push({ eventType, filename })
      wake()
    })
    const onAbort = () => wake()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      for (;;) {
        if (signal?.aborted) throw abortError(signal)
        const event = events.shift()
        if (event !== undefined) yield event
        else await new Promise<void>(resolve => (wake = resolve))
      }
    } finally {
      stop()
      signal?.removeEventListener('abort', onAbort)
    }
  }
}
