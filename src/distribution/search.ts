/** Search as Docker does it: one registry, Docker Hub unless the term names another, and filters that are applied afterwards. */
import { PhylloError } from '../errors.js'
import type { RegistryClient } from '../registry/client.js'
import { hubDomain } from '../registry/endpoint.js'
import type { Found } from '../registry/search.js'

export interface SearchFilters {
  readonly isOfficial?: boolean
  readonly isAutomated?: boolean
  /** At least so many. */
  readonly stars?: number
}

export interface SearchOptions {
  /** Repositories that the registry is asked for, before any filter: 1 to 100. Default 25. */
  readonly limit?: number
  readonly filters?: SearchFilters
  readonly signal?: AbortSignal
}

export interface SearchResult {
  /** `catalog`: the registry has no search, so these are the names in its list of repositories that hold the term. */
  readonly source: 'search' | 'catalog'
  /** In the registry's order. */
  readonly repositories: readonly Found[]
}

const defaultLimit = 25
const limitMax = 100

/** @throws TypeError, REFERENCE_INVALID, REGISTRY_ codes */
export async function searchImages(
  term: string,
  { limit = defaultLimit, filters = {}, signal }: SearchOptions,
  client: RegistryClient,
): Promise<SearchResult> {
  if (!Number.isInteger(limit) || limit < 1 || limit > limitMax)
    throw new TypeError(`Limit ${limit} is outside the range of [1, ${limitMax}]`)
  const { domain, words } = splitTerm(term)
  const { source, repositories } = await found(client, { domain, words, limit, signal })
  return { source, repositories: repositories.filter(one => passes(one, filters)) }
}

interface Query {
  readonly domain: string
  readonly words: string
  readonly limit: number
  readonly signal: AbortSignal | undefined
}

async function found(client: RegistryClient, { domain, words, limit, signal }: Query): Promise<SearchResult> {
  try {
    return { source: 'search', repositories: await client.search(domain, words, { limit, signal }) }
  } catch (error) {
    // Docker Hub has no list of all that there is.
    if (!(error instanceof PhylloError && error.code === 'REGISTRY_NOT_FOUND') || domain === hubDomain) throw error
  }
  const names = (await client.catalog(domain, { signal })).filter(name => name.includes(words))
  const nothing = { description: '', stars: 0, isOfficial: false, isAutomated: false }
  return { source: 'catalog', repositories: names.slice(0, limit).map(name => ({ name, ...nothing })) }
}

/** The registry that the term names before its first slash, and what is looked for there. */
function splitTerm(term: string): { domain: string; words: string } {
  if (typeof term !== 'string' || term === '') throw new TypeError('search: a term that is not empty')
  if (term.includes('://')) {
    const reason = 'Invalid repository name (ex: "registry.domain.tld/myrepos")'
    throw new PhylloError('REFERENCE_INVALID', reason, { reason: 'a term is no URL' })
  }
  const [first = '', ...rest] = term.split('/')
  const named = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')
  const domain = !named || first === `index.${hubDomain}` ? hubDomain : first
  const words = named ? rest.join('/') : term
  return { domain, words: domain === hubDomain ? words.replace(/^library\//, '') : words }
}

function passes({ isOfficial, isAutomated, stars }: Found, filters: SearchFilters): boolean {
  return (
    (filters.isOfficial === undefined || filters.isOfficial === isOfficial) &&
    (filters.isAutomated === undefined || filters.isAutomated === isAutomated) &&
    stars >= (filters.stars ?? 0)
  )
}
