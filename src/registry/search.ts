/** Docker's search: an API of version 1, which Docker Hub and a few others have. */
import { PhylloError } from '../errors.js'
import type { Limits } from '../limits.js'
import { isObject, type JsonObject, parseJson } from '../oci/json.js'
import { facts, named } from './exchange.js'
import type { Cancellable } from './place.js'
import type { Document, Session } from './session.js'

/** A repository that was found. What the registry says of it is its own word, and may hold anything. */
export interface Found {
  /** As the registry writes it, without its own name: `alpine`, `library/alpine`, `a/b`. */
  readonly name: string
  readonly description: string
  readonly stars: number
  readonly isOfficial: boolean
  readonly isAutomated: boolean
}

export interface SearchQuery extends Cancellable {
  readonly term: string
  /** Repositories at most. */
  readonly limit: number
  readonly limits: Limits
}

/** In the registry's order. @throws REGISTRY_NOT_FOUND where it has no such API; REGISTRY_ codes, LIMIT_EXCEEDED */
export async function search(session: Session, { term, limit, limits, signal }: SearchQuery): Promise<Found[]> {
  const what = `search of ${session.endpoint.host}`
  const call = {
    method: 'GET',
    at: `search?q=${encodeURIComponent(term)}&n=${limit}`,
    scopes: ['registry:catalog:search'],
    expects: [200],
    repeat: 'always',
    headers: { 'x-docker-token': 'true' },
    signal,
  } as const
  const page = await session.document(call, { limits, limit: 'jsonBytes' }, what)
  const value = parsed(page, limits, what)
  const results = isObject(value) && Object.hasOwn(value, 'results') ? (value.results ?? []) : undefined
  if (!Array.isArray(results)) throw wrong(page, 'no list of results')
  return results.slice(0, limit).map(result => foundOf(result, page))
}

function parsed(page: Document, limits: Limits, what: string) {
  try {
    return parseJson(page.bytes, { limits, what })
  } catch (error) {
    if (error instanceof PhylloError && error.code === 'LIMIT_EXCEEDED') throw error
    throw wrong(page, 'what is no JSON', error)
  }
}

/** As Go reads it: what is not there, or null, is nothing. */
function foundOf(result: unknown, page: Document): Found {
  if (!isObject(result as JsonObject)) throw wrong(page, 'a result that is none')
  const fields = result as JsonObject
  const field = <T>(name: string, otherwise: T): T => {
    const value = Object.hasOwn(fields, name) ? (fields[name] ?? otherwise) : otherwise
    if (typeof value !== typeof otherwise) throw wrong(page, `a result whose ${name} is none`)
    return value as T
  }
  const [name, stars] = [field('name', ''), field('star_count', 0)]
  if (name === '') throw wrong(page, 'a result without a name')
  if (!Number.isSafeInteger(stars)) throw wrong(page, 'a result whose star_count is none')
  return {
    name,
    description: field('description', ''),
    stars,
    isOfficial: field('is_official', false),
    isAutomated: field('is_automated', false),
  }
}

function wrong({ answer }: Document, reason: string, cause?: unknown): PhylloError {
  const more = cause === undefined ? {} : { cause }
  return new PhylloError('REGISTRY_PROTOCOL', `${named(answer)}: ${reason}`, { ...facts(answer), ...more })
}
