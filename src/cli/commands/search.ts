import type { SearchFilters, SearchResult } from '../../index.js'
import { type Command, listOf, type Options, UsageError } from '../command.js'
import { ellipsis } from '../format/ellipsis.js'
import { formatListing } from '../format/listing.js'

const headers = {
  Name: 'NAME',
  Description: 'DESCRIPTION',
  StarCount: 'STARS',
  IsOfficial: 'OFFICIAL',
  IsAutomated: 'AUTOMATED',
}

/** Docker cuts descriptions there. */
const descriptionWidth = 45

const columns = 'table {{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}'

export const command: Command = {
  usage: '[--limit N] [-f FILTER] [--no-trunc] [--format TEMPLATE] TERM',
  summary: 'Search a registry for images',
  details: [
    'TERM looks on Docker Hub; HOST[:PORT]/TERM on that registry. One without a search is asked for its catalog, which is said.',
    '--limit N      repositories that the registry is asked for, 1 to 100; default 25',
    '-f, --filter   is-official=true|false, is-automated=true|false, stars=N: applied to what has come',
    '--format       a Go template over Name, Description, StarCount, IsOfficial, IsAutomated; `table TEMPLATE` with titles; json',
    '--no-trunc     descriptions whole',
  ],
  options: {
    limit: { type: 'string' },
    'no-trunc': { type: 'boolean' },
    filter: { type: 'string', short: 'f', multiple: true },
    format: { type: 'string' },
  },
  words: [1, 1],
  asksRegistry: true,
  async run(context, [term = ''], options) {
    const filters = filtersOf(listOf(options.filter))
    const { limit } = options
    if (limit !== undefined && !/^\d{1,9}$/.test(String(limit)))
      throw new UsageError(`search: --limit is a whole number, not ${String(limit)}`)
    const found = await searched(
      context
        .store()
        .then(store =>
          store.search(term, { filters, signal: context.signal, ...(limit !== undefined && { limit: Number(limit) }) }),
        ),
    )
    if (found.source === 'catalog' && !context.quiet)
      context.stderr.write(
        'The registry has no search. These are the repositories of its catalog that hold the term.\n',
      )
    const format = formatOf(options)
    const rows = rowsOf(found, options['no-trunc'] === true, /^json$|\{\{-?\s*json \.\s*-?\}\}/.test(format))
    context.stdout.write(formatListing({ format, headers, rows }))
  },
}

/** What the API takes for misuse is a wrong word here. */
async function searched(search: Promise<SearchResult>): Promise<SearchResult> {
  try {
    return await search
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error
  }
}

function formatOf({ format }: Options): string {
  return typeof format === 'string' && format !== 'table' && format !== '' ? format : columns
}

/** Of stars the most that are wanted count, as in Docker. */
function filtersOf(words: readonly string[]): SearchFilters {
  const filters: { -readonly [K in keyof SearchFilters]: SearchFilters[K] } = {}
  for (const word of words) {
    const at = word.indexOf('=')
    if (at === -1) throw new UsageError(`search: filter ${JSON.stringify(word)} is not of the form name=value`)
    const name = word.slice(0, at).trim().toLowerCase()
    const value = word.slice(at + 1).trim()
    const wrong = () => new UsageError(`search: Invalid filter '${name}=${value}'`)
    if (name === 'is-official') filters.isOfficial = truth(value, filters.isOfficial, wrong)
    else if (name === 'is-automated') filters.isAutomated = truth(value, filters.isAutomated, wrong)
    else if (name !== 'stars') throw new UsageError(`search: Invalid filter '${name}'`)
    else if (!/^\d{1,9}$/.test(value)) throw wrong()
    else filters.stars = Math.max(Number(value), filters.stars ?? 0)
  }
  return filters
}

function truth(value: string, before: boolean | undefined, wrong: () => UsageError): boolean {
  if ((value !== 'true' && value !== 'false') || (before !== undefined && before !== (value === 'true'))) throw wrong()
  return value === 'true'
}

/** `json` writes what is otherwise a mark for people as a word. */
function rowsOf({ repositories }: SearchResult, whole: boolean, json: boolean) {
  const mark = (is: boolean) => (json ? String(is) : is ? '[OK]' : '')
  // As Docker does: a catalog, which has no stars, stays in its order.
  const byStars = [...repositories].sort((a, b) => b.stars - a.stars)
  return byStars.map(({ name, description, stars, isOfficial, isAutomated }) => ({
    Name: harmless(name),
    Description: whole ? harmless(description) : ellipsis(harmless(description), descriptionWidth),
    StarCount: String(stars),
    IsOfficial: mark(isOfficial),
    IsAutomated: mark(isAutomated),
  }))
}

/** Somebody else's words: nothing in them moves the cursor of a terminal. Ends of lines are spaces, as in Docker. */
function harmless(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it is about
  return text.replace(/[\r\n]/g, ' ').replace(/[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
}
