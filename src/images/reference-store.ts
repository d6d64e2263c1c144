/**
 * repositories.json: which references name which images. Docker's file, byte for byte.
 *
 * Invariants:
 * - Every change is read, modify, replace under the root lock; nothing is kept in memory between calls, because other
 *   processes write it, too.
 * - `Repositories` is never null: dockerd would crash on it later.
 * - Keys that cannot be parsed are kept, and not shown.
 */
import { ifThere } from '../disk/io.js'
import type { Root } from '../disk/root.js'
import { PhylloError } from '../errors.js'
import { MiB } from '../limits.js'
import { type ImageId, isDigest } from '../oci/digest.js'
import { goJson, sortedMap } from '../oci/go-json.js'
import {
  canonicalName,
  familiarName,
  familiarRepository,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../oci/reference.js'

/** One key of the file: a reference with a tag or a digest, never both. */
export interface Association {
  readonly reference: Reference
  readonly imageId: ImageId
}

/** repository → (familiar reference → image id), as in the file. */
type Repositories = Map<string, Map<string, string>>

/** A hundred thousand references are about 15 MB. */
const maxBytes = 64 * MiB

export class ReferenceStore {
  readonly #root: Root

  constructor(root: Root) {
    this.#root = root
  }

  /** The same for who takes names away: a full disk does not stop that. */
  get freeing(): ReferenceStore {
    return new ReferenceStore(this.#root.freeing)
  }

  /** All references, sorted by canonical name. */
  async list(): Promise<Association[]> {
    return associationsOf(await this.#read())
  }

  /** The image that a reference names; with a digest, the tag does not count. */
  async get(reference: Reference): Promise<ImageId | undefined> {
    return imageOf(await this.#read(), reference)
  }

  /**
   * Gives the reference to an image, taking it from whichever had it. Answers with that one.
   *
   * @throws REFERENCE_INVALID for a reference with a digest, or a repository that is called like a digest algorithm
   */
  async tag(reference: Reference, imageId: ImageId): Promise<ImageId | undefined> {
    checkTaggable(reference)
    return this.edit(async names => {
      const before = names.get(reference)
      names.put(reference, imageId)
      return before
    })
  }

  /**
   * Gives an image a reference with a digest, which is what a registry calls it. One that another image has stays with that, as in
   * Docker, unless it is to be taken: an index has one digest for all of its images.
   */
  async pin(reference: Reference, imageId: ImageId, { take }: { readonly take: boolean }): Promise<void> {
    await this.edit(async names => {
      if (take || names.get(reference) === undefined) names.put(reference, imageId)
    })
  }

  /**
   * Decides on references, and changes them, while nobody else does: under the root lock, which is not reentrant. What was changed
   * is written when `work` has ended well, or earlier by `save`.
   */
  async edit<T>(work: (names: ReferenceEdit) => Promise<T>): Promise<T> {
    return this.#root.withLock(async () => {
      const edit = new ReferenceEdit(await this.#read(), repositories => this.#write(repositories))
      const result = await work(edit)
      await edit.save()
      return result
    })
  }

  async #read(): Promise<Repositories> {
    const path = this.#root.paths.repositories
    const bytes = await ifThere(this.#root.io.readFile(path, maxBytes))
    return bytes === undefined ? new Map() : parseRepositories(bytes, path)
  }

  #write(repositories: Repositories): Promise<void> {
    const sorted = sortedMap(new Map([...repositories].map(([name, keys]) => [name, sortedMap(keys)])))
    return this.#root.replaceFile(this.#root.paths.repositories, goJson({ Repositories: sorted }), 0o600)
  }
}

/** The references while nobody else changes them. See ReferenceStore.edit. */
export class ReferenceEdit {
  readonly #repositories: Repositories
  readonly #write: (repositories: Repositories) => Promise<void>
  #changed = false

  constructor(repositories: Repositories, write: (repositories: Repositories) => Promise<void>) {
    this.#repositories = repositories
    this.#write = write
  }

  /** All references, sorted by canonical name. */
  list(): Association[] {
    return associationsOf(this.#repositories)
  }

  get(reference: Reference): ImageId | undefined {
    return imageOf(this.#repositories, reference)
  }

  put(reference: Reference, imageId: ImageId): void {
    if (this.get(reference) === imageId) return
    const repository = familiarRepository(reference)
    const keys = this.#repositories.get(repository) ?? new Map<string, string>()
    this.#repositories.set(repository, keys.set(keyOf(reference), imageId))
    this.#changed = true
  }

  /** A reference that is not there is not an error. A repository goes with its last key. */
  remove(reference: Reference): void {
    const repository = familiarRepository(reference)
    const keys = this.#repositories.get(repository)
    if (keys?.delete(keyOf(reference)) !== true) return
    if (keys.size === 0) this.#repositories.delete(repository)
    this.#changed = true
  }

  /** What was changed is on the disk afterwards. */
  async save(): Promise<void> {
    if (!this.#changed) return
    await this.#write(this.#repositories)
    this.#changed = false
  }
}

function associationsOf(repositories: Repositories): Association[] {
  const found: Association[] = []
  for (const [, keys] of repositories) {
    for (const [key, imageId] of keys) {
      const reference = parseKey(key)
      if (reference !== undefined && isDigest(imageId)) found.push({ reference, imageId: imageId as ImageId })
    }
  }
  return found
    .map(association => ({ association, name: canonicalName(association.reference) }))
    .sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)))
    .map(({ association }) => association)
}

/** With a digest, the tag does not count. */
function imageOf(repositories: Repositories, reference: Reference): ImageId | undefined {
  const imageId = repositories.get(familiarRepository(reference))?.get(keyOf(reference))
  return isDigest(imageId) ? (imageId as ImageId) : undefined
}

export function checkTaggable(reference: Reference): void {
  const name = familiarName(reference)
  if (reference.digest !== undefined)
    throw new PhylloError('REFERENCE_INVALID', `${name}: refusing to create a tag with a digest reference`, {
      reference: name,
    })
  if (familiarRepository(reference) === 'sha256')
    throw new PhylloError(
      'REFERENCE_INVALID',
      `${name}: refusing to create an ambiguous tag using digest algorithm as name`,
      {
        reference: name,
      },
    )
}

function keyOf(reference: Reference): string {
  const { domain, path, digest } = reference
  return familiarName(digest === undefined ? withDefaultTag(reference) : { domain, path, digest })
}

/** Keys are familiar names; `docker.io/library/x:1` in the file is matched by nobody. */
function parseKey(key: string): Reference | undefined {
  try {
    const reference = parseReference(key)
    return keyOf(reference) === key ? reference : undefined
  } catch (error) {
    if (error instanceof PhylloError) return undefined
    throw error
  }
}

function parseRepositories(bytes: Buffer, path: string): Repositories {
  try {
    const { Repositories: repositories } = JSON.parse(bytes.toString('utf8')) as {
      Repositories?: Record<string, Record<string, string>> | null
    }
    return new Map(Object.entries(repositories ?? {}).map(([name, keys]) => [name, new Map(Object.entries(keys))]))
  } catch (cause) {
    throw new PhylloError('STORE_CORRUPT', `${path}: ${(cause as Error).message}`, { path, cause })
  }
}
