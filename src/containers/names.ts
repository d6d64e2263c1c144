/** Names of containers: which there can be, which one gets that was given none, and which container some words mean. */
import { PhylloError } from '../errors.js'
import { randomName } from './random-name.js'

/** Docker's. */
const nameGrammar = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/

/** As often as Docker tries. */
const attempts = 6

/** The name without the slash that Docker's API puts before it. @throws CONTAINER_NAME_INVALID */
export function checkName(given: string): string {
  const name = given.startsWith('/') ? given.slice(1) : given
  if (nameGrammar.test(name)) return name
  const message = `Invalid container name (${given}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`
  throw new PhylloError('CONTAINER_NAME_INVALID', message, { name: given })
}

/** Whoever has a name. */
export interface Named {
  readonly id: string
  readonly name: string
}

/** @throws CONTAINER_NAME_TAKEN */
export function assertFree(name: string, others: readonly Named[]): void {
  const other = others.find(other => other.name === name)
  if (other === undefined) return
  throw new PhylloError(
    'CONTAINER_NAME_TAKEN',
    `Conflict. The container name "/${name}" is already in use by container "${other.id}". You have to remove (or rename) that container to be able to reuse that name.`,
    { name, container: other.id },
  )
}

/** A name that no container has: two words, after some tries with a digit; else the beginning of the id. */
export function newName(id: string, others: readonly Named[], random: () => number = Math.random): string {
  const taken = new Set(others.map(({ name }) => name))
  for (let attempt = 0; attempt < attempts; attempt++) {
    const name = randomName(random) + (attempt === 0 ? '' : Math.floor(random() * 10))
    if (!taken.has(name)) return name
  }
  return id.slice(0, 12)
}

/** Docker's order: a full id, a name, the beginning of an id. @throws CONTAINER_NOT_FOUND when that is of several */
export function findContainer<C extends Named>(text: string, records: readonly C[]): C | undefined {
  const name = text.startsWith('/') ? text.slice(1) : text
  const exact = records.find(record => record.id === text) ?? records.find(record => record.name === name)
  if (exact !== undefined || !/^[0-9a-f]+$/.test(text)) return exact
  const [only, ...others] = records.filter(({ id }) => id.startsWith(text))
  if (others.length === 0) return only
  throw new PhylloError('CONTAINER_NOT_FOUND', `Multiple IDs found with provided prefix: ${text}`, { container: text })
}

export function containerNotFound(text: string, reason = ''): PhylloError {
  return new PhylloError('CONTAINER_NOT_FOUND', `No such container: ${text}${reason}`, { container: text })
}
