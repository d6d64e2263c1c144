/**
 * Getting space back: contents are moved out of segments of which little is wanted, by changes like any others; and a journal that
 * holds the present state alone takes the place of the old one, at once.
 *
 * Invariant: a crash at any point leaves the old journal or the new one, each with all that it relies on.
 */
import type { Sum } from '../../layerfile/format.js'
import type { UpperTree } from '../upper-tree.js'
import { Journal } from './journal.js'
import { journalName, nextJournalName } from './journal-format.js'
import type { Segments } from './segments.js'
import { writeSnapshot } from './snapshot.js'
import type { SmallContent, StoredContent } from './stored-content.js'
import type { UpperFiles } from './upper-files.js'

/** Bytes that are moved before others have their turn. */
const sliceBytes = 256 << 10

/** Slices of moves. A node that has changed meanwhile needs none. */
export function* movesOf(tree: UpperTree, segments: Segments): Iterable<readonly (() => void)[]> {
  const sparse = segments.mostlyDead()
  if (sparse.size === 0) return
  let slice: (() => void)[] = []
  let bytes = 0
  for (const node of tree.nodes()) {
    const content = node.stored as StoredContent | undefined
    if (content?.kind !== 'small' || content.bytes === 0 || !sparse.has(content.segment)) continue
    slice.push(() => moveIfThere(tree, segments, node.id, content, sparse))
    bytes += content.bytes
    if (bytes < sliceBytes) continue
    yield slice
    slice = []
    bytes = 0
  }
  yield slice
}

function moveIfThere(
  tree: UpperTree,
  segments: Segments,
  id: number,
  content: SmallContent,
  sparse: Set<number>,
): void {
  const node = tree.find(id)
  if (node?.stored !== content || content.bytes === 0 || !sparse.has(content.segment)) return
  tree.keep(node)
  segments.move(content)
  tree.setContent(node, content.bytes, content)
}

export interface Replacing {
  readonly tree: UpperTree
  readonly files: UpperFiles
  readonly sum: Sum
  readonly old: Journal
  /** Hands over what has been done up to now. */
  handOver(): void
  /** From now on this is the journal. */
  replaced(next: Journal): void
}

/** Writes a journal of the present state, and gives it the place of the old one, with all that happens meanwhile. */
export async function replaceJournal(replacing: Replacing): Promise<void> {
  const { tree, files, sum, old } = replacing
  const { io } = files
  const path = files.path(nextJournalName)
  const next = Journal.create(io, sum, path)
  old.carried = []
  try {
    writeSnapshot(tree, next)
    next.durable = next.end
    await files.sync()
    await next.sync()
    replacing.handOver()
    for (const frame of old.carried) next.append(frame)
    io.rename(path, files.path(journalName))
  } catch (error) {
    old.carried = undefined
    next.close()
    io.unlink(path)
    throw error
  }
  // The name is on the disk after the next sync; until then a power cut may bring the old journal back, whole.
  files.namesDirty = true
  next.renamed(old.path)
  replacing.replaced(next)
  old.close()
}
