/**
 * What speaks against removing an image: Docker's conflicts, in its order and its words (daemon/images/image_delete.go).
 *
 * Hard ones cannot be forced: other images are built on it, or somebody works with it right now. Soft ones can: further names,
 * containers that do not run.
 */
import { PhylloError } from '../errors.js'
import { type ImageId, shortId } from '../oci/digest.js'
import { canonicalRepository, familiarName, familiarRepository, type Reference } from '../oci/reference.js'

/** A container, ours or Docker's, and the image that it was made from. */
export interface ImageUser {
  readonly container: string
  readonly imageId: ImageId
  /** As Docker left it; nothing of ours runs. */
  readonly running: boolean
}

/** What is known of an image while nobody changes references. */
export interface ImageUse {
  readonly id: ImageId
  readonly references: readonly Reference[]
  readonly children: boolean
  /** Somebody who is not done yet has named it in a lease: loads it again, tags it, makes something of it. */
  readonly leased: boolean
  readonly users: readonly ImageUser[]
}

export interface Conflict {
  readonly image: ImageId
  readonly hard: boolean
  /** By a container or somebody at work: that is no surprise to whoever takes a name away. */
  readonly used: boolean
  readonly text: string
  readonly container?: string
}

export interface Asked {
  /** Leaves soft conflicts alone. */
  readonly force: boolean
  /** References are going to be removed anyway. */
  readonly named?: 'ignored'
}

export function conflictOf(use: ImageUse, { force, named }: Asked): Conflict | undefined {
  const [running, stopped] = [use.users.find(user => user.running), use.users.find(user => !user.running)]
  const image = use.id
  if (use.children) return { image, hard: true, used: false, text: 'image has dependent child images' }
  if (running !== undefined) return by(running, 'running', image)
  if (use.leased) return busy(image)
  if (force) return undefined
  if (named !== 'ignored' && use.references.length > 0)
    return { image, hard: false, used: false, text: 'image is referenced in multiple repositories' }
  return stopped && by(stopped, 'stopped', image)
}

/** By somebody who is not done yet, here or in another process. */
export function busy(image: ImageId): Conflict {
  return { image, hard: true, used: true, text: 'image is being loaded, tagged or built on' }
}

function by({ container }: ImageUser, state: 'running' | 'stopped', image: ImageId): Conflict {
  const text = `image is being used by ${state} container ${container.slice(0, 12)}`
  return { image, hard: state === 'running', used: true, text, container }
}

export function conflictError({ image, hard, text, container }: Conflict): PhylloError {
  const how = hard ? 'cannot be forced' : 'must be forced'
  const message = `conflict: unable to delete ${shortId(image)} (${how}) - ${text}`
  return new PhylloError('IMAGE_IN_USE', message, { image, container, forcible: !hard })
}

/** Docker does not let a container's image lose its last name unasked. */
export function nameInUse(name: string, { id, users }: ImageUse): PhylloError | undefined {
  const container = users[0]?.container
  if (container === undefined) return undefined
  const used = `container ${container.slice(0, 12)} is using its referenced image ${shortId(id)}`
  const message = `conflict: unable to remove repository reference "${name}" (must force) - ${used}`
  return new PhylloError('IMAGE_IN_USE', message, { image: id, container, forcible: true })
}

/** Whether these are one name to a person: one reference, or one tag and digests of its repository, or digests of one. */
export function isSingle(references: readonly Reference[]): boolean {
  if (references.length <= 1) return references.length === 1
  const tags = references.filter(({ digest }) => digest === undefined)
  const repositories = new Set(references.filter(({ digest }) => digest !== undefined).map(familiarRepository))
  const only = tags[0] ?? references[0]!
  return tags.length <= 1 && repositories.size === 1 && repositories.has(familiarRepository(only))
}

/** Whether the words are the beginning of an id, even where they are a name, too. */
export function isIdPrefix(words: string, id: ImageId): boolean {
  return id.startsWith(words) || id.slice('sha256:'.length).startsWith(words)
}

/** With the last tag of a repository go its digests. */
export function withSiblings(named: Reference, references: readonly Reference[]): Reference[] {
  if (named.digest !== undefined) return [named]
  const siblings = references.filter(
    other => canonicalRepository(other) === canonicalRepository(named) && familiarName(other) !== familiarName(named),
  )
  return siblings.some(({ digest }) => digest === undefined) ? [named] : [named, ...siblings]
}

/** It stays. Whoever took its last name away is told only if nothing that they can see needs it. */
export function kept({ references, children }: ImageUse, conflict: Conflict, quiet: boolean): undefined {
  const dangling = references.length === 0 && !children
  if (!quiet || (dangling && !conflict.used)) throw conflictError(conflict)
}
