/**
 * Large contents that snapshots read where they are. Such a content is copied before anything of it changes there, and the node has
 * the copy from then on. What is written behind its end, or cut off there, needs no copy.
 *
 * Invariant: while a copy is being made nothing of the original changes; whoever cannot wait makes a copy of his own.
 */
import type { UpperNode } from '../upper.js'
import type { UpperTree } from '../upper-tree.js'
import type { Holds } from './holds.js'
import type { LargeContents } from './large-contents.js'
import { LargeCopies } from './large-copies.js'
import type { LargeContent, StoredContent } from './stored-content.js'
import type { UpperFiles } from './upper-files.js'

export class KeptContents {
  readonly copies: LargeCopies
  readonly #tree: UpperTree
  readonly #large: LargeContents
  readonly #holds: Holds
  readonly #copied = new Map<LargeContent, number>()

  constructor(parts: { tree: UpperTree; large: LargeContents; files: UpperFiles; holds: Holds }) {
    this.copies = new LargeCopies(parts.files, parts.large)
    this.#tree = parts.tree
    this.#large = parts.large
    this.#holds = parts.holds
  }

  /** Whether something from `position` on is still to be read as it is. */
  isKept(node: UpperNode, content: LargeContent, position: number): boolean {
    if (this.#copied.has(content)) return true
    if (!this.#holds.content(content.file)) return false
    // What lies between the end and the position becomes zeros.
    const from = Math.min(position, content.bytes)
    return this.#tree.keep(node).some(stored => {
      const kept = stored as StoredContent | undefined
      return kept?.kind === 'large' && kept.file === content.file && from < kept.bytes
    })
  }

  /** Copies the content of a node off the main thread; `take` gets the copy, unless the node has another content by then. */
  async copyLater(node: UpperNode, content: LargeContent, take: (copy: LargeContent) => void): Promise<void> {
    const isStill = () => this.#tree.find(node.id)?.stored === content
    this.#copied.set(content, (this.#copied.get(content) ?? 0) + 1)
    try {
      const copy = await this.copies.copyLater(content)
      if (!isStill()) this.#large.drop(copy)
      else {
        if (content.bytes < copy.bytes) this.#large.resized(copy, content.bytes)
        take(copy)
      }
    } catch (error) {
      // A file that nobody wants any more may be gone.
      if (isStill()) throw error
    } finally {
      const others = this.#copied.get(content)! - 1
      if (others > 0) this.#copied.set(content, others)
      else this.#copied.delete(content)
    }
  }
}
