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

  /** All references, sorted by canonical name. */
  async list(): Promise<Association[]> {
    const found: Association[] = []
    for (const [, keys] of await this.#read()) {
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

  /** The image that a reference names; with a digest, the tag does not count. */
  async get(reference: Reference): Promise<ImageId | undefined> {
    const key = keyOf(reference)
    const imageId = (await this.#read()).get(familiarRepository(reference))?.get(key)
    return isDigest(imageId) ? (imageId as ImageId) : undefined
  }

  /**
   * Gives the reference to an image, taking it from whichever had it. Answers with that one.
   *
   * @throws REFERENCE_INVALID for a reference with a digest, or a repository that is called like a digest algorithm
   */
  async tag(reference: Reference, imageId: ImageId): Promise<ImageId | undefined> {
    checkTaggable(reference)
    const repository = familiarRepository(reference)
    const key = keyOf(reference)
    return this.#root.withLock(async () => {
      const repositories = await this.#read()
      const keys = repositories.get(repository) ?? new Map<string, string>()
      const before = keys.get(key)
      if (before === imageId) return imageId
      await this.#write(repositories.set(repository, keys.set(key, imageId)))
      return isDigest(before) ? (before as ImageId) : undefined
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
