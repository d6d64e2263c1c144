/**
 * The filters of `docker images`: dangling, label, before, since, reference, until. Rules: docker-compatible listing
 * (docker daemon, images/image_list.go).
 */
import { together } from '../endings.js'
import type { ImageConfig } from '../oci/config.js'
import type { Image } from './image.js'
import { pathMatch } from './path-match.js'
import { imageNotFound } from './resolve.js'
import { untilSeconds } from './until.js'

/** Values by name; several of one name are joined as each filter's own rule says. */
type Filters<Name extends string> = Readonly<Partial<Record<Name, readonly string[]>>>

const listNames = ['dangling', 'label', 'before', 'since', 'reference', 'until'] as const
export type ImageFilters = Filters<(typeof listNames)[number]>

/** `name=value` words, as given to `images --filter`. @throws TypeError for a word that is no filter */
export function parseListFilters(words: readonly string[]): ImageFilters {
  return parseFilters(words, listNames)
}

/** Of the names that a command knows. @throws TypeError for a word that is no filter */
export function parseFilters<Name extends string>(words: readonly string[], names: readonly Name[]): Filters<Name> {
  const filters: Partial<Record<Name, string[]>> = {}
  for (const word of words) {
    const at = word.indexOf('=')
    const name = names.find(known => known === word.slice(0, at).trim().toLowerCase())
    if (at === -1) throw new TypeError(`filter ${JSON.stringify(word)} is not of the form name=value`)
    if (name === undefined) throw new TypeError(`invalid filter '${word.slice(0, at)}': known are ${names.join(', ')}`)
    ;(filters[name] ??= []).push(word.slice(at + 1).trim())
  }
  return filters
}

export interface FilterContext {
  /** Every image of the store. */
  readonly images: readonly Image[]
  /** Show images that only others are built on, too. */
  readonly all: boolean
  readonly filters: ImageFilters
  /** The image that `before` or `since` names. */
  readonly resolve: (name: string) => Promise<Image | undefined>
}

export async function filterImages({ images, all, filters, resolve }: FilterContext): Promise<Image[]> {
  const parents = new Set(images.map(({ parent }) => parent))
  const dangling = danglingOf(filters.dangling)
  const [after, before] = await timeBounds(filters, resolve)
  const timed = after !== undefined || before !== undefined
  return images
    .filter(image => {
      const named = image.tags.length + image.digests.length > 0
      const hasChildren = parents.has(image.id)
      if (dangling === true && (image.tags.length > 0 || hasChildren)) return false
      if (dangling === false && !named) return false
      if (!all && !named && hasChildren) return false
      const created = Date.parse(image.config.created ?? '')
      if (timed && (Number.isNaN(created) || created <= (after ?? -Infinity) || created >= (before ?? Infinity)))
        return false
      return hasLabels(image.config, filters.label ?? [])
    })
    .map(image => matchReferences(image, filters.reference))
    .filter(image => image !== undefined)
}

/** @throws TypeError for what is neither true nor false */
export function danglingOf(values: readonly string[] | undefined): boolean | undefined {
  if (values === undefined) return undefined
  const meaning = new Map([
    ...['1', 'true', 't'].map(v => [v, true] as const),
    ...['0', 'false', 'f'].map(v => [v, false] as const),
  ])
  const found = values.map(value => meaning.get(value.toLowerCase()))
  if (found.includes(undefined)) throw new TypeError(`invalid filter 'dangling=${values.join(',')}': true or false`)
  return found[0]
}

/** Milliseconds between which, exclusively, an image must have been made. */
async function timeBounds(
  { before, since, until }: ImageFilters,
  resolve: FilterContext['resolve'],
): Promise<[after: number | undefined, before: number | undefined]> {
  const createdOf = async (name: string) => {
    const image = await resolve(name)
    if (image === undefined) throw imageNotFound(name)
    return Date.parse(image.config.created ?? '') || 0
  }
  const befores = await together((before ?? []).map(createdOf))
  const sinces = await together((since ?? []).map(createdOf))
  if (until !== undefined) befores.push(...until.map(text => untilSeconds(text) * 1000))
  return [sinces.length > 0 ? Math.max(...sinces) : undefined, befores.length > 0 ? Math.min(...befores) : undefined]
}

/** All of them: `key`, or `key=value`. */
export function hasLabels(config: ImageConfig, wanted: readonly string[]): boolean {
  if (wanted.length === 0) return true
  const labels = config.config?.labels ?? {}
  return wanted.every(word => {
    const [key, value] = splitOnce(word)
    return Object.hasOwn(labels, key) && (value === undefined || labels[key] === value)
  })
}

/** The image with the references that match, or undefined when none does. */
function matchReferences(image: Image, patterns: readonly string[] | undefined): Image | undefined {
  if (patterns === undefined) return image
  const matches = (reference: string) => {
    const repository = reference.replace(/(?:@.*|:[^/:]*)$/, '')
    return patterns.some(pattern => pathMatch(pattern, reference) || pathMatch(pattern, repository))
  }
  const [tags, digests] = [image.tags.filter(matches), image.digests.filter(matches)]
  return tags.length + digests.length === 0 ? undefined : image.withReferences(tags, digests)
}

function splitOnce(word: string): [string, string | undefined] {
  const at = word.indexOf('=')
  return at === -1 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)]
}
