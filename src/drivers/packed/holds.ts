/**
 * What snapshots of an upper read: every segment and content file that there was when one of them was taken. Those are not removed,
 * made shorter or written over.
 */
export interface Files {
  /** Highest numbers that have been given: no later file has one of these. */
  readonly segment: number
  readonly content: number
}

export class Holds {
  readonly #held = new Set<Files>()

  /** Holds all files up to these, until the answer is called. */
  take(files: Files): () => void {
    const held = { ...files }
    this.#held.add(held)
    return () => void this.#held.delete(held)
  }

  get any(): boolean {
    return this.#held.size > 0
  }

  segment(number: number): boolean {
    for (const { segment } of this.#held) if (number <= segment) return true
    return false
  }

  content(number: number): boolean {
    for (const { content } of this.#held) if (number <= content) return true
    return false
  }
}
