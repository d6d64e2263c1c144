/**
 * Asynchronous calls that would copy much up do so before they begin, off the main thread: the call is tried; if it says that there
 * is much to be copied (long-copies.ts), that is done, slice by slice, and it is tried again.
 *
 * Invariants:
 * - A call happens in one turn of the event loop, on what is there then. Copying shows nothing, so calls are as if one had run after
 *   the other, whatever others do to the names meanwhile.
 * - A content is copied once, however many calls wait for it.
 */
import { isErrno } from '../../errors.js'
import { copyUp } from './copy-up.js'
import type { Dentry } from './dentry.js'
import { holding } from './holding.js'
import { type Attempt, CopyFirst, inodeBelow, isLong } from './long-copies.js'
import { adoptOrDiscard, draftLater } from './own-content.js'
import type { Union } from './union.js'

/** A function that changes something, in the form that may take several turns. */
export function copyingFirst<A extends unknown[]>(union: Union, run: (...args: A) => unknown): (...args: A) => unknown {
  if (union.upper?.detach === undefined || union.readOnly) return run
  return (...args) => {
    const attempt: Attempt = { drafts: new Map() }
    const call = () => run(...args)
    const result = tried(union, attempt, call)
    return result instanceof CopyFirst ? union.reading(() => copiedFirst(union, attempt, result, call)) : result
  }
}

function tried(union: Union, attempt: Attempt, call: () => unknown): unknown {
  union.attempt = attempt
  try {
    return call()
  } catch (error) {
    if (error instanceof CopyFirst) return error
    throw error
  } finally {
    union.attempt = undefined
  }
}

async function copiedFirst(union: Union, attempt: Attempt, first: CopyFirst, call: () => unknown): Promise<unknown> {
  try {
    let result: unknown = first
    while (result instanceof CopyFirst) {
      await copyAll(union, attempt, result)
      result = tried(union, attempt, call)
    }
    return result
  } finally {
    for (const draft of attempt.drafts.values()) draft.discard()
  }
}

async function copyAll(union: Union, { drafts }: Attempt, { copies }: CopyFirst): Promise<void> {
  try {
    for (const dentry of copies.alone) {
      if (union.pace.due()) await union.pace.turn()
      await copyUpLater(union, dentry)
    }
    for (const dentry of copies.linked) {
      if (drafts.has(inodeBelow(dentry)) || !isWanted(union, dentry, 0)) continue
      const draft = await draftOnce(union, dentry)
      if (draft !== undefined) drafts.set(inodeBelow(dentry), draft)
    }
  } catch (error) {
    // The call says it in its own words, if it is so still
    if (!isErrno(error, 'EDQUOT')) throw error
    await union.pace.turn()
  }
}

/** Nothing, if somebody else has done it, or the name is gone. */
async function copyUpLater(union: Union, dentry: Dentry): Promise<void> {
  if (!isWanted(union, dentry, 0)) return
  if (!isLong(union, dentry)) return void copyUp(union, dentry)
  await holding(union, dentry, () =>
    union.turns.take(dentry, async () => {
      if (!isWanted(union, dentry, 1)) return
      const draft = await draftOnce(union, dentry)
      if (draft === undefined) return
      if (isWanted(union, dentry, 1)) adoptOrDiscard(union, dentry, draft)
      else draft.discard()
    }),
  )
}

function draftOnce(union: Union, dentry: Dentry) {
  return draftLater(union, dentry, union.tree.attributes(dentry).sizeBytes, 'copyup')
}

/** `opens`: how often it is held by whoever asks. */
function isWanted(union: Union, dentry: Dentry, opens: number): boolean {
  union.assertOpen()
  return union.nodeOf(dentry) === undefined && (union.tree.isLinked(dentry) || dentry.opens > opens)
}
