/** Watching a view: nothing in it ever changes, so no watcher ever fires, and none keeps the process alive. */
import { EventEmitter } from 'node:events'
import { optionsArgument, pathArgument } from './arguments.js'
import { abortError } from './errno.js'
import type { Implementation } from './forms.js'
import type { Union } from './union.js'

class SilentWatcher extends EventEmitter {
  #closed = false

  close(): void {
    if (this.#closed) return
    this.#closed = true
    setImmediate(() => this.emit('close'))
  }

  start(): void {
    this.#closed = false
  }

  stop(): void {
    this.#closed = true
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}

export function watch(union: Union): Implementation {
  return (path, options, listener) => {
    union.at(pathArgument(path), true, 'watch')
    const watcher = new SilentWatcher()
    const onChange = typeof options === 'function' ? options : listener
    if (typeof onChange === 'function') watcher.on('change', onChange as () => void)
    const { signal } = optionsArgument(options)
    if (signal?.aborted) watcher.close()
    else signal?.addEventListener('abort', () => watcher.close(), { once: true })
    return watcher
  }
}

/** Unlike watch, takes a path that is not there. */
export function watchFile(): Implementation {
  return path => {
    pathArgument(path)
    return new SilentWatcher()
  }
}

export function unwatchFile(): Implementation {
  return path => {
    pathArgument(path)
  }
}

/** An iterable that gives nothing, and ends with an AbortError when told to. */
export function watchPromise(union: Union): Implementation {
  return async function* (path, options): AsyncGenerator<never, void, void> {
    const { signal } = optionsArgument(options)
    union.at(pathArgument(path), true, 'watch')
    await new Promise<never>((_, reject) => {
      if (signal === undefined) return
      if (signal.aborted) reject(abortError(signal))
      signal.addEventListener('abort', () => reject(abortError(signal)), { once: true })
    })
  }
}
