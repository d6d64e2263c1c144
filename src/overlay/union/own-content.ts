/**
 * Content that comes into the upper because somebody changes it.
 *
 * Invariants:
 * - Everything that can fail happens to a draft, which nobody sees. Taking it is one batch, with copying up what it belongs to.
 * - Content that somebody else has written meanwhile counts, and the copy is thrown away.
 */
import type { ContentDraft, UpperNode } from '../../drivers/upper.js'
import { doLater, doNow, type Work, wait } from '../../either-way.js'
import { MiB } from '../../limits.js'
import { contentOf, fileSize } from './content.js'
import { copyUp, upperOf } from './copy-up.js'
import type { Dentry } from './dentry.js'
import { errnoError } from './errno.js'
import { assertFits } from './long-copies.js'
import type { Union } from './union.js'

/** Bytes that are copied at once. */
const copyBytes = MiB

/** Whether the content of a file lies in a layer: nobody has written to it yet. */
export function isBelow(union: Union, dentry: Dentry): boolean {
  const node = union.nodeOf(dentry)
  return node === undefined || node.lowerContent !== undefined
}

/** Whether content of its own has to be copied before a change of it from `position` on; undefined: at its end. */
export function isKept(union: Union, node: UpperNode, position: number | undefined): boolean {
  return upperOf(union).isKept(node, position ?? node.sizeBytes)
}

/** Of a file that is going to have so many bytes: throws EDQUOT if its container may not. */
export function assertRoom(union: Union, dentry: Dentry, sizeBytes: number, syscall: string): void {
  const own = isBelow(union, dentry) ? 0 : union.nodeOf(dentry)!.sizeBytes
  const grows = Math.max(0, sizeBytes - own)
  if (grows > 0 && upperOf(union).usedBytes + grows > union.maxBytes) throw errnoError('EDQUOT', syscall)
}

/** The node in the upper with content of its own: what lies below is copied now. */
export function ownContent(union: Union, dentry: Dentry): UpperNode {
  if (!isBelow(union, dentry)) return union.nodeOf(dentry)!
  return adopt(union, dentry, draftOf(union, dentry, fileSize(union, dentry), 'write'))
}

/** The same off the main thread, slice by slice, and nothing of it from `position` on is kept: for what may be large. */
export async function ownContentLater(union: Union, dentry: Dentry, position: number | undefined): Promise<void> {
  const draft = await draftLater(union, dentry, fileSize(union, dentry), 'write')
  if (draft !== undefined) adoptOrDiscard(union, dentry, draft)
  await copyKept(union, dentry, position)
}

/** Of content of its own: a snapshot that reads it from `position` on keeps what it has. */
export async function copyKept(union: Union, dentry: Dentry, position: number | undefined): Promise<void> {
  const node = union.nodeOf(dentry)!
  if (isKept(union, node, position)) await upperOf(union).copyKept(node)
}

/** Copies up what a dentry stands for, if it is not there, with the draft as its content. */
export function adopt(union: Union, dentry: Dentry, draft: ContentDraft): UpperNode {
  const upper = upperOf(union)
  return upper.atomically(() => {
    const node = union.nodeOf(dentry)
    if (node === undefined) return copyUp(union, dentry, draft)
    upper.adopt(node, draft)
    return node
  })
}

/** The same for a draft that took its time: others may have taken the room meanwhile. */
export function adoptOrDiscard(union: Union, dentry: Dentry, draft: ContentDraft): UpperNode {
  try {
    assertFits(union, draft.bytes, 'write')
    return adopt(union, dentry, draft)
  } catch (error) {
    draft.discard()
    throw error
  }
}

/** A copy of a content that lies below: so many bytes of it, or with zeros behind it. */
export function draftOf(union: Union, dentry: Dentry, sizeBytes: number, syscall: string): ContentDraft {
  return doNow(drafting(union, dentry, sizeBytes, syscall))
}

/** The same off the main thread. Undefined: it does not lie below, or not any more. */
export async function draftLater(
  union: Union,
  dentry: Dentry,
  sizeBytes: number,
  syscall: string,
): Promise<ContentDraft | undefined> {
  if (!isBelow(union, dentry)) return undefined
  const draft = await doLater(drafting(union, dentry, sizeBytes, syscall))
  if (isBelow(union, dentry)) return draft
  draft.discard()
  return undefined
}

function* drafting(union: Union, dentry: Dentry, sizeBytes: number, syscall: string): Work<ContentDraft> {
  assertRoom(union, dentry, sizeBytes, syscall)
  const { tree, inode } = contentOf(union, dentry)
  const upper = upperOf(union)
  const whole = yield* wait(
    () => undefined,
    async () => (sizeBytes === fileSize(union, dentry) ? upper.copyOf?.(tree, inode) : undefined),
  )
  if (whole !== undefined) return whole
  const draft = upper.draft()
  const buffer = Buffer.allocUnsafe(Math.min(copyBytes, sizeBytes))
  try {
    for (let done = 0; done < sizeBytes; ) {
      const [at, into] = [done, buffer.subarray(0, sizeBytes - done)]
      const count = yield* wait(
        () => tree.readSync(inode, at, into),
        () => tree.read(inode, at, into),
      )
      if (count === 0) break
      draft.append(into.subarray(0, count))
      done += count
      // What is read may have been in memory
      yield* wait(
        () => undefined,
        () => union.pace.turn(),
      )
    }
    draft.extend(sizeBytes)
    return draft
  } catch (error) {
    draft.discard()
    throw error
  }
}
