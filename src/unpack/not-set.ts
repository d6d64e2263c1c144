/**
 * What could not be set of what a tree says, as an ordinary user or on a file system that has no such thing: how many paths by
 * kind, and the first of them. Which ones are shown does not depend on how the work was divided.
 */
import { type ByteString, printable } from '../byte-string.js'
import type { NotSetKind, WriteTreeOutput } from '../pool/jobs.js'

export type { NotSetKind }

/**
 * `owners`: belong to who unpacked. `setid`: set-user-id and set-group-id bits were left away, for the owner is another one.
 * `modes`, `xattrs`: not all of them were taken. `devices`, `fifos`: are not there. `times`: are exact to the microsecond only.
 */
export const notSetKinds: readonly NotSetKind[] = ['owners', 'setid', 'modes', 'xattrs', 'devices', 'fifos', 'times']

export interface NotSet {
  /** Paths. */
  readonly count: number
  /** The first of them in byte order, absolute in the image, what is not printable escaped. */
  readonly examples: readonly string[]
}

/** As it crosses threads: examples are ByteStrings. */
export type NotSetCounts = WriteTreeOutput['notSet']

const mostExamples = 5

interface Counted {
  count: number
  examples: string[]
}

export class NotSetCounter {
  readonly #kinds = Object.fromEntries(
    notSetKinds.map(kind => [kind, { count: 0, examples: [] }]),
  ) as unknown as Readonly<Record<NotSetKind, Counted>>

  get counts(): NotSetCounts {
    return this.#kinds
  }

  add(kind: NotSetKind, path: ByteString): void {
    const counted = this.#kinds[kind]
    counted.count++
    keep(counted, path)
  }

  /** What another job has counted. */
  addAll(counts: NotSetCounts): void {
    for (const kind of notSetKinds) {
      const counted = this.#kinds[kind]
      counted.count += counts[kind].count
      for (const path of counts[kind].examples) keep(counted, path)
    }
  }

  /** For users. */
  get report(): Readonly<Record<NotSetKind, NotSet>> {
    const shown = ({ count, examples }: Counted): NotSet => ({
      count,
      examples: examples.map(path => printable(`/${path}`)),
    })
    return Object.fromEntries(notSetKinds.map(kind => [kind, shown(this.#kinds[kind])])) as Record<NotSetKind, NotSet>
  }
}

/** The least ones stay, in their order. */
function keep({ examples }: Counted, path: string): void {
  if (examples.length === mostExamples && path >= examples[mostExamples - 1]!) return
  examples.push(path)
  examples.sort()
  if (examples.length > mostExamples) examples.pop()
}
