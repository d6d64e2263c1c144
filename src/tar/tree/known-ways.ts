/**
 * Directories by the way that names spell to them, such as `usr/lib/`. Most entries of a tar lie where others do, and need
 * no walk from the root.
 *
 * Invariant: a way leads where a walk would. So all are forgotten when a name stops standing for what it stood for.
 */

export interface Way {
  /** Everything of a name before its last component; undefined when a name spells it in no way that can be compared. */
  readonly spelled: string | undefined
  /** Inode of the directory. */
  readonly dir: number
  /** Directories from the root to it. */
  readonly depth: number
  /** It leads through symlinks. */
  readonly symlinked: boolean
  /** One of them is absolute or climbs above the root: on a host the same names lead elsewhere. */
  readonly strayed: boolean
}

/** More are not remembered: memory does not grow with the layer. */
const mostWays = 8192

export class KnownWays {
  readonly #ways = new Map<string, Way>()

  get(spelled: string): Way | undefined {
    return this.#ways.get(spelled)
  }

  add(way: Way): void {
    if (way.spelled === undefined) return
    if (this.#ways.size >= mostWays) this.#ways.clear()
    this.#ways.set(way.spelled, way)
  }

  forget(): void {
    this.#ways.clear()
  }
}
