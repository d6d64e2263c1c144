/** What `ps` shows of a container, and which containers it shows: Docker's rules (docker/cli formatter; daemon/list.go). */
import { type DockerContainer, type Image, type ImageId, PhylloError } from '../index.js'
import { imageAge } from './age.js'
import { ellipsis } from './format/ellipsis.js'
import { sprintf } from './format/go-printf.js'
import { humanSize } from './format/size.js'
import type { ListedContainer } from './listed-container.js'

export type FindImage = (name: string) => Promise<Image | undefined>

/** Docker cuts the command there. */
const commandWidth = 20

/** As Docker counts: `ps` shows these without -a. */
export function isRunning(state: string): boolean {
  return ['running', 'paused', 'restarting'].includes(state)
}

/** The words that would run, quoted as Go does. */
function commandOf({ command }: ListedContainer, whole: boolean): string {
  const [path = '', ...args] = command
  const text = [path, ...args.map(arg => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ')
  return sprintf('%q', [whole ? text : ellipsis(text, commandWidth)])
}

/** The words that named the image, as long as they still name it; else the beginning of its id. */
async function imageShown(container: ListedContainer, whole: boolean, find: FindImage): Promise<string> {
  const { image, imageId } = container
  if (imageId === undefined) return '<no image>'
  const shown = (await foundBy(image, find))?.id === imageId ? image : imageId
  if (whole) return shown
  return shortOf(shown) === shortOf(imageId) ? shortOf(imageId) : shown.replace(/@.*$/, '')
}

/** As Docker shortens ids, and whatever else it is given. */
function shortOf(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12)
}

async function foundBy(name: string, find: FindImage): Promise<Image | undefined> {
  try {
    return await find(name)
  } catch (error) {
    if (error instanceof PhylloError && ['REFERENCE_INVALID', 'DIGEST_SYNTAX'].includes(error.code)) return undefined
    throw error
  }
}

/** The placeholders of `docker ps --format`. */
export async function containerRow(container: ListedContainer, whole: boolean, find: FindImage) {
  const { at, since } = imageAge(container.created)
  const { docker, labels, state, status } = container
  const mounts = docker?.mounts.map(({ source }) => (whole ? source : ellipsis(source, mountWidth))) ?? []
  return {
    ID: whole ? container.id : container.id.slice(0, 12),
    Names: container.name,
    Image: await imageShown(container, whole, find),
    Command: commandOf(container, whole),
    CreatedAt: at,
    RunningFor: since,
    Ports: docker?.ports.join(', ') ?? '',
    State: state,
    Status: status,
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    Mounts: mounts.join(','),
    LocalVolumes: String(docker?.mounts.filter(({ driver }) => driver === 'local').length ?? 0),
    Networks: docker?.networks.join(',') ?? '',
    Size: sizeOf(container),
  }
}

/** Docker cuts names of mounts there. */
const mountWidth = 15

/** What is its own; with what the image has, if there is anything. */
function sizeOf({ sizeBytes = 0, virtualBytes = 0 }: ListedContainer): string {
  const own = humanSize(sizeBytes, 3)
  return virtualBytes > 0 ? `${own} (virtual ${humanSize(virtualBytes, 3)})` : own
}

const filterNames = ['ancestor', 'before', 'id', 'label', 'name', 'since', 'status'] as const
/** Docker's, about what never happens to a container that does not run: these match those of a dockerd alone. */
const dockerFilters: Readonly<Record<string, (container: DockerContainer, value: string) => boolean>> = {
  exited: ({ state, exitCode, startedAt }, value) =>
    startedAt !== undefined && !isRunning(state) && String(exitCode) === value,
  health: ({ health }, value) => (health ?? 'none') === value,
  network: ({ networks }, value) => networks.includes(value),
  volume: ({ mounts }, value) => mounts.some(mount => mount.source === value || mount.destination === value),
}
/** The same, about what their files do not say, or not so that it is worth the words. */
const emptyFilters = ['expose', 'isolation', 'is-task', 'publish', 'task']
const states = ['created', 'dead', 'exited', 'paused', 'removing', 'restarting', 'running']

/**
 * The containers, newest first, that match: every filter must, one of each filter's values is enough; of labels all.
 *
 * @throws TypeError for what is no filter, CONTAINER_NOT_FOUND
 */
export async function filterContainers(
  all: readonly ListedContainer[],
  words: readonly string[],
  find: FindImage,
): Promise<ListedContainer[]> {
  const filters = parseFilters(words)
  const after = boundOf(all, filters.get('since'), Math.max)
  const before = boundOf(all, filters.get('before'), Math.min)
  const ancestors = await Promise.all(
    (filters.get('ancestor') ?? []).map(async name => (await foundBy(name, find))?.id),
  )
  const lines = filters.has('ancestor') ? await Promise.all(all.map(container => lineOf(container, find))) : undefined
  const some = (name: string, matches: (value: string) => boolean) => filters.get(name)?.some(matches) ?? true
  return all.filter((container, index) => {
    const { labels, docker } = container
    return (
      !emptyFilters.some(name => filters.has(name)) &&
      Object.entries(dockerFilters).every(
        ([name, matches]) => !filters.has(name) || (docker && some(name, value => matches(docker, value))),
      ) &&
      some('id', value => container.id.startsWith(value)) &&
      some('name', value => matchesName(container.name, value)) &&
      some('status', value => value === container.state) &&
      (filters.get('label') ?? []).every(word => hasLabel(labels, word)) &&
      (lines === undefined || ancestors.some(id => id !== undefined && lines[index]!.has(id))) &&
      index < (after ?? Number.POSITIVE_INFINITY) &&
      index > (before ?? -1)
    )
  })
}

function parseFilters(words: readonly string[]): Map<string, string[]> {
  const filters = new Map<string, string[]>()
  for (const word of words) {
    const at = word.indexOf('=')
    const name = word.slice(0, at).trim().toLowerCase()
    const value = word.slice(at + 1).trim()
    if (at === -1) throw new TypeError(`filter ${JSON.stringify(word)} is not of the form name=value`)
    if (![...filterNames, ...emptyFilters, ...Object.keys(dockerFilters)].includes(name))
      throw new TypeError(`invalid filter '${name}': known are ${filterNames.join(', ')}`)
    if (name === 'status' && !states.includes(value))
      throw new TypeError(`invalid filter 'status=${value}': one of ${states.join(', ')}`)
    filters.set(name, [...(filters.get(name) ?? []), value])
  }
  return filters
}

/** Where in the list, newest first, the container stands that `before` or `since` names. */
function boundOf(
  all: readonly ListedContainer[],
  names: readonly string[] | undefined,
  pick: (...places: number[]) => number,
): number | undefined {
  if (names === undefined) return undefined
  const places = names.map(name => {
    const exact = all.findIndex(({ id, name: own }) => id === name || own === name.replace(/^\//, ''))
    const place = exact === -1 ? all.findIndex(({ id }) => name !== '' && id.startsWith(name)) : exact
    if (place === -1) throw new PhylloError('CONTAINER_NOT_FOUND', `No such container: ${name}`, { container: name })
    return place
  })
  return pick(...places)
}

/** A part of the name, or a regular expression that matches one; with the slash that Docker's names begin with, too. */
function matchesName(name: string, pattern: string): boolean {
  if (pattern === name || pattern === `/${name}`) return true
  try {
    const expression = new RegExp(pattern)
    return expression.test(name) || expression.test(`/${name}`)
  } catch {
    return false
  }
}

function hasLabel(labels: Readonly<Record<string, string>>, word: string): boolean {
  const at = word.indexOf('=')
  const key = at === -1 ? word : word.slice(0, at)
  return Object.hasOwn(labels, key) && (at === -1 || labels[key] === word.slice(at + 1))
}

/** The images that a container was made from: its own, what that was built from, and so on. */
async function lineOf({ imageId }: ListedContainer, find: FindImage): Promise<Set<ImageId>> {
  const line = new Set<ImageId>()
  for (let id = imageId; id !== undefined && !line.has(id); id = (await find(id))?.parent) line.add(id)
  return line
}
