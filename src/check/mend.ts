/**
 * What all repairs share.
 *
 * Invariants:
 * - Nothing is deleted: what is replaced is kept in the quarantine before, what cannot be healed is moved there.
 * - What takes the place of something damaged was proved first, by a digest or because nothing else can stand there.
 */
import type { Root } from '../disk/root.js'
import type { WritingContext } from '../disk/space.js'
import type { StoreParts } from '../store-parts.js'
import type { Finding } from './kinds.js'
import type { Sources } from './sources.js'
import type { Survey } from './survey.js'

/** `left`: nothing was done. */
export type Outcome = 'repaired' | 'quarantined' | 'left'

export interface Mended {
  readonly outcome: Outcome
  /** What was done, or why not. */
  readonly how: string
}

export interface Mending {
  readonly parts: StoreParts
  readonly survey: Survey
  readonly sources: Sources
  readonly op: WritingContext
}

/** One finding repaired, as well as it can be. */
export type Mend = (finding: Finding, mending: Mending) => Promise<Mended>

export const repaired = (how: string): Mended => ({ outcome: 'repaired', how })
export const quarantined = (how: string): Mended => ({ outcome: 'quarantined', how })
export const left = (how: string): Mended => ({ outcome: 'left', how })

/** Puts other bytes in the place of a small file, which is kept. */
export async function replaceSmall(root: Root, path: string, bytes: Uint8Array | string, mode: number): Promise<void> {
  await root.keep(path)
  await root.replaceFile(path, bytes, mode)
}

export async function moveAway(root: Root, path: string): Promise<Mended> {
  const to = await root.quarantine(path)
  return to === undefined ? left('it is gone') : quarantined(`moved to ${to}`)
}
