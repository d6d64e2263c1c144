/**
 * Who wants to know of changes hears of them here, in the words of inotify as fs.watch hands them on: `rename` when a name came,
 * went or was taken, `change` when content or attributes did.
 *
 * Invariants: nobody is called before the change is over and the call that made it has returned; the same notice twice in a row
 * is told once, as the kernel does with what was not read yet. While nobody listens a change costs one comparison.
 */
import type { ByteString } from '../../byte-string.js'
import type { Dentry } from './dentry.js'

export type NoticeType = 'rename' | 'change'

/** `name`: what changed, below what is watched; of the watched thing itself its own name. */
export type Listener = (type: NoticeType, name: ByteString) => void

interface Watch {
  readonly dentry: Dentry
  readonly recursive: boolean
  readonly listener: Listener
  /** What was told last and not yet delivered. */
  last: Pending | undefined
}

interface Pending {
  readonly watch: Watch
  readonly type: NoticeType
  readonly name: ByteString
}

export class Notices {
  readonly #watches = new Set<Watch>()
  readonly #anything = new Set<() => void>()
  #pending: Pending[] = []
  #anythingChanged = false
  #scheduled = false

  /** Gives what ends it. */
  watch(dentry: Dentry, recursive: boolean, listener: Listener): () => void {
    const watch: Watch = { dentry, recursive, listener, last: undefined }
    this.#watches.add(watch)
    return () => void this.#watches.delete(watch)
  }

  /** Calls back after every change of anything. */
  watchAnything(listener: () => void): () => void {
    this.#anything.add(listener)
    return () => void this.#anything.delete(listener)
  }

  /** A name came into a directory, or went. */
  name(directory: Dentry, name: ByteString): void {
    if (this.#deaf()) return
    this.#tell(directory, name, 'rename')
  }

  /** Content or attributes changed. */
  changed(dentry: Dentry): void {
    if (this.#deaf()) return
    this.itself(dentry, 'change')
    if (dentry !== dentry.parent) this.#tell(dentry.parent, dentry.name, 'change')
  }

  /** To those alone who watch this very thing. */
  itself(dentry: Dentry, type: NoticeType): void {
    if (this.#deaf()) return
    for (const watch of this.#watches) if (watch.dentry === dentry) this.#add({ watch, type, name: dentry.name })
    this.#schedule()
  }

  /** A name is gone, and all that was below it. */
  gone(dentry: Dentry): void {
    if (this.#deaf()) return
    for (const watch of this.#watches) {
      if (pathBelow(dentry, watch.dentry) !== undefined) this.#add({ watch, type: 'rename', name: watch.dentry.name })
    }
    this.#schedule()
  }

  #deaf(): boolean {
    return this.#watches.size === 0 && this.#anything.size === 0
  }

  #tell(directory: Dentry, name: ByteString, type: NoticeType): void {
    for (const watch of this.#watches) {
      if (watch.dentry === directory) this.#add({ watch, type, name })
      else if (watch.recursive) {
        const below = pathBelow(watch.dentry, directory)
        if (below !== undefined) this.#add({ watch, type, name: `${below}/${name}` as ByteString })
      }
    }
    this.#schedule()
  }

  #add(notice: Pending): void {
    const { last } = notice.watch
    if (last !== undefined && last.type === notice.type && last.name === notice.name) return
    notice.watch.last = notice
    this.#pending.push(notice)
  }

  #schedule(): void {
    this.#anythingChanged = true
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#deliver())
  }

  #deliver(): void {
    const pending = this.#pending
    this.#pending = []
    this.#scheduled = false
    for (const { watch } of pending) watch.last = undefined
    for (const { watch, type, name } of pending) if (this.#watches.has(watch)) watch.listener(type, name)
    if (!this.#anythingChanged) return
    this.#anythingChanged = false
    for (const listener of [...this.#anything]) listener()
  }
}

/** The path of something below a directory, empty for the directory itself; undefined if it is not below. */
function pathBelow(directory: Dentry, dentry: Dentry): ByteString | undefined {
  const names: ByteString[] = []
  for (let at = dentry; at !== directory; at = at.parent) {
    if (at === at.parent) return undefined
    names.push(at.name)
  }
  return names.reverse().join('/') as ByteString
}
