/** Lists that a registry gives in pages: tags of a repository, repositories of a registry. Each page links to the next. */
import { PhylloError, withFacts } from '../errors.js'
import type { Limits } from '../limits.js'
import { isObject, parseJson } from '../oci/json.js'
import { facts, named } from './exchange.js'
import { nextLink } from './link.js'
import { type Cancellable, type Place, pullScope } from './place.js'
import type { Document, Session } from './session.js'

/** Of a whole list, pages and entries. */
const pagesMax = 10_000
const entriesMax = 1_000_000
/** Entries of a page that are asked for. docker-registry refuses more than 1000, or fewer if it is told so (`catalog.maxentries`). */
const pageEntries = 1000

export interface PageOptions extends Cancellable {
  readonly scopes: readonly string[]
  readonly limits: Limits
  readonly headers?: Readonly<Record<string, string>>
  /** Name of the list, for messages. */
  readonly what: string
}

/** The tags of a repository, sorted, each once: registries give them in any order. @throws REGISTRY_NOT_FOUND and others */
export async function listTags(
  { session, path, name, limits }: Place,
  { signal }: Cancellable = {},
): Promise<string[]> {
  const options = { scopes: [pullScope(path)], limits, what: `tags of ${name}`, signal }
  const tags = await entriesOf(largePages(session, `${path}/tags/list`, options), 'tags', options)
  // A page may begin with what the last one ended with.
  return [...new Set(tags)].sort()
}

/** The repositories of a registry, as it has them. Docker Hub has no such list. */
export function listRepositories(session: Session, limits: Limits, { signal }: Cancellable = {}): Promise<string[]> {
  const options = { scopes: ['registry:catalog:*'], limits, what: `catalog of ${session.endpoint.host}`, signal }
  return entriesOf(largePages(session, '_catalog', options), 'repositories', options)
}

/** One page after the other, each of the registry's own origin. @throws REGISTRY_PROTOCOL for a list without an end */
export async function* pages(
  session: Session,
  first: string,
  { scopes, limits, headers, what, signal }: PageOptions,
): AsyncGenerator<Document, void, void> {
  const seen = new Set<string>()
  let at: string | URL = first
  for (;;) {
    const call = {
      method: 'GET',
      at,
      scopes,
      expects: [200],
      repeat: 'always',
      signal,
      ...(headers && { headers }),
    } as const
    const page: Document = await session.document(call, { limits, limit: 'jsonBytes' }, what)
    yield page
    const next = nextOf(page)
    if (next === undefined) return
    at = await session.ownUrl(next, page.answer)
    if (seen.has(at.href) || seen.size >= pagesMax) throw endless(page, what)
    seen.add(at.href)
  }
}

/** Pages of many entries, or as many as the registry gives by itself, where that is too many for it. */
async function* largePages(session: Session, list: string, options: PageOptions): AsyncGenerator<Document, void, void> {
  let any = false
  try {
    for await (const page of pages(session, `${list}?n=${pageEntries}`, options)) {
      any = true
      yield page
    }
    return
  } catch (error) {
    const tooMany = error instanceof PhylloError && error.registryCode === 'PAGINATION_NUMBER_INVALID'
    if (any || !tooMany) throw error
  }
  yield* pages(session, list, options)
}

function nextOf({ answer }: Document): string | undefined {
  try {
    return nextLink(answer.headers('link'))
  } catch (error) {
    throw withFacts(error, facts(answer), named(answer))
  }
}

async function entriesOf(
  all: AsyncIterable<Document>,
  key: 'tags' | 'repositories',
  { limits, what }: PageOptions,
): Promise<string[]> {
  const entries: string[] = []
  for await (const page of all) {
    const value = parseJson(page.bytes, { limits, what })
    const list = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined
    // `tags` is null where there are none.
    if (!isObject(value) || !(list === undefined || list === null || Array.isArray(list))) throw wrong(page, what)
    for (const entry of list ?? []) {
      if (typeof entry !== 'string') throw wrong(page, what)
      entries.push(entry)
    }
    if (entries.length > entriesMax) throw endless(page, what)
  }
  return entries
}

function wrong({ answer }: Document, what: string): PhylloError {
  return new PhylloError('REGISTRY_PROTOCOL', `${named(answer)}: not a list of ${what}`, facts(answer))
}

function endless({ answer }: Document, what: string): PhylloError {
  return new PhylloError('REGISTRY_PROTOCOL', `${named(answer)}: the list of ${what} has no end`, facts(answer))
}
