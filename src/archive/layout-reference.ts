/** The names that writers of OCI layouts give their images, in annotations of the descriptors in index.json. */
import { PhylloError, withFacts } from '../errors.js'
import { parseReference, type Reference } from '../oci/reference.js'
import { containerdName, refName } from './layout-names.js'

/**
 * The tagged reference, or undefined if the annotations give none. A ref.name without a colon names no repository that
 * anybody knows (`v1`, `latest`), so it is not one. Throws REFERENCE_INVALID for text that looks like a reference and is none.
 */
export function referenceOf(
  annotations: Readonly<Record<string, string>> | undefined,
  archive: string,
): Reference | undefined {
  const full = annotations?.[containerdName]
  if (full !== undefined && full !== '') return tagged(full, `${archive}: annotation ${containerdName}`)
  const name = annotations?.[refName]
  if (name === undefined || !name.slice(name.lastIndexOf('/') + 1).includes(':')) return undefined
  return tagged(name, `${archive}: annotation ${refName}`)
}

function tagged(text: string, where: string): Reference | undefined {
  try {
    const reference = parseReference(text)
    return reference.tag === undefined || reference.digest !== undefined ? undefined : reference
  } catch (error) {
    throw error instanceof PhylloError ? withFacts(error, {}, where) : error
  }
}
