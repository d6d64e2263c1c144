/**
 * Which blocks are worth compressing: a content that does not shrink, block after block, is stored, and tried now and
 * then.
 *
 * Invariant: what is chosen depends on the blocks alone, never on how soon their outcome is known, so that a layer file
 * is the same whoever compresses it. Hence an outcome counts only when `lag` more blocks have been tried.
 */
import { blockBytes } from '../limits.js'
import type { Block } from './block-cutter.js'

/** After so many blocks of one content that did not shrink, only every `probeEvery`-th is tried, until one does. */
const giveUpAfter = 4
const probeEvery = 8
/** So many blocks are on their way without one waiting for another. */
const lag = 8

/** A block that is being compressed. */
export interface Trial {
  /** Whether it came out too long and is stored; undefined as long as that is not known. */
  stored: boolean | undefined
}

/** `probe`: compress it at once and tell `probed`, then ask again. */
export type Choice = 'try' | 'probe' | 'store'

export class Trials {
  /** Tried blocks of this content whose outcome does not count yet. */
  #open: Trial[] = []
  #inVain = 0
  #number = 0
  #probed = -1
  #runsOn = false

  /** Undefined when it depends on a block whose outcome is not known yet. */
  choose({ content }: Block): Choice | undefined {
    if (!this.#runsOn || content.length < blockBytes) return 'try'
    while (this.#open.length >= lag) {
      const { stored } = this.#open[0]!
      if (stored === undefined) return undefined
      this.#open.shift()
      this.#count(stored)
    }
    if (this.#inVain < giveUpAfter) return 'try'
    return this.#number % probeEvery === 0 && this.#probed !== this.#number ? 'probe' : 'store'
  }

  probed(stored: boolean): void {
    this.#probed = this.#number
    this.#count(stored)
  }

  /** The block was taken; with its trial, if it is compressed. */
  take({ runsOn }: Block, trial?: Trial): void {
    if (!this.#runsOn) this.#forget()
    this.#runsOn = runsOn
    this.#number++
    if (trial !== undefined) this.#open.push(trial)
  }

  #count(stored: boolean): void {
    if (!stored) this.#inVain = 0
    else if (++this.#inVain === giveUpAfter) this.#open = []
  }

  #forget(): void {
    this.#open = []
    this.#inVain = 0
  }
}
