/**
 * Which of the blobs that are known of a layer are worth asking the registry for: in Docker's order, and no more of them than it asks
 * for (moby's distribution/push_v2.go).
 */
import type { BlobNote } from '../layers/blob-notes.js'
import { KiB, MiB } from '../limits.js'
import type { Digest } from '../oci/digest.js'
import { canonicalRepository, parseReference, type Reference } from '../oci/reference.js'

export interface Attempts {
  readonly mounts: number
  /** Of blobs, by HEAD. */
  readonly checks: number
  /** Whether a blob that was seen elsewhere is looked for here, too. */
  readonly checksOthers: boolean
}

/** The more there is to send, the more questions it is worth. `tarBytes`: of the layer. */
export function attemptsFor(tarBytes: number): Attempts {
  if (tarBytes > 10 * MiB) return { mounts: 4, checks: 3, checksOthers: true }
  if (tarBytes > 100 * KiB) return { mounts: 3, checks: 1, checksOthers: false }
  return { mounts: 1, checks: 1, checksOthers: false }
}

/** A blob that another repository of the registry has. */
export interface MountCandidate {
  readonly note: BlobNote
  /** Path of that repository. */
  readonly from: string
}

/** `isOurs`: whether it was noted with the credentials that are used now. `notes`: the latest last. */
export function mountCandidates(
  target: Reference,
  notes: readonly BlobNote[],
  isOurs: (note: BlobNote) => boolean,
  most: number,
): MountCandidate[] {
  const own = canonicalRepository(target)
  const elsewhere = notes.flatMap(note => {
    const source = repositoryOf(note)
    const mountable = source?.domain === target.domain && note.sourceRepository !== own
    return source !== undefined && mountable ? [{ note, from: source.path }] : []
  })
  return byLikeness(elsewhere, ({ note }) => note, own, isOurs).slice(0, most)
}

/** Blobs that the target itself may have, the likeliest first, each once. */
export function checkCandidates(
  target: Reference,
  notes: readonly BlobNote[],
  isOurs: (note: BlobNote) => boolean,
  { others, most }: { readonly others: boolean; readonly most: number },
): BlobNote[] {
  const own = canonicalRepository(target)
  const wanted = notes.filter(({ sourceRepository }) => others || sourceRepository === own)
  const digests = new Map<Digest, BlobNote>()
  for (const note of byLikeness(wanted, note => note, own, isOurs))
    if (!digests.has(note.digest)) digests.set(note.digest, note)
  return [...digests.values()].slice(0, most)
}

/** Same credentials first, then the most components of a path in common, then the youngest. */
function byLikeness<T>(
  items: readonly T[],
  noteOf: (item: T) => BlobNote,
  own: string,
  isOurs: (note: BlobNote) => boolean,
): T[] {
  const rank = new Map(items.map(item => [item, { ours: isOurs(noteOf(item)), alike: alike(noteOf(item), own) }]))
  return [...items].reverse().sort((a, b) => {
    const [left, right] = [rank.get(a)!, rank.get(b)!]
    return left.ours === right.ours ? right.alike - left.alike : Number(right.ours) - Number(left.ours)
  })
}

function alike({ sourceRepository }: BlobNote, own: string): number {
  const [theirs, ours] = [sourceRepository.split('/'), own.split('/')]
  const differs = theirs.findIndex((component, at) => component !== ours[at])
  return differs === -1 ? theirs.length : differs
}

/** A name that is none is nobody's repository; it goes into a URL. */
function repositoryOf({ sourceRepository }: BlobNote): Reference | undefined {
  try {
    const reference = parseReference(sourceRepository)
    return canonicalRepository(reference) === sourceRepository ? reference : undefined
  } catch {
    return undefined
  }
}
