/** What containers have changed: whether it can be read, whoever has it open. */
import { ContainerStore } from '../containers/container-store.js'
import type { ContainerRecord } from '../containers/record.js'
import { ifThere } from '../disk/io.js'
import { PhylloError } from '../errors.js'
import { type LayerHandle, releaseAll } from '../layers/open-layers.js'
import { lowersBelow } from '../overlay/union/lowers.js'
import type { StoreParts } from '../store-parts.js'
import { type Item, type ItemOptions, unreadable } from './contents.js'
import type { Found } from './kinds.js'
import { withoutPath } from './metadata.js'
import type { Survey } from './survey.js'

/** How often a container that changes while we look is looked at again. */
const mostTries = 3

export function containerItems(parts: StoreParts, survey: Survey): Item[] {
  return survey.containers.map(record => ({
    key: `container ${record.id}`,
    path: parts.root.paths.containerUpper(record.mountId),
    check: how => checkContainer(parts, record, how),
  }))
}

async function checkContainer(parts: StoreParts, record: ContainerRecord, how: ItemOptions): Promise<Found[]> {
  const { root, layers, limits } = parts
  const path = root.paths.containerUpper(record.mountId)
  const of = { containers: [record.id] }
  await using _lease = await layers.lease({ stacks: [record.config?.diffIds ?? []] })
  for (let tries = 1; ; tries++) {
    try {
      await look(parts, record, how)
      return []
    } catch (error) {
      if (!(error instanceof PhylloError)) throw error
      const gone = !(await new ContainerStore(root, layers, limits).scan()).records.some(({ id }) => id === record.id)
      // A container that changes under the look is one that somebody can read
      if (gone || (error.code === 'CONTAINER_CHANGED' && tries === mostTries)) return []
      if (error.code === 'CONTAINER_CHANGED') continue
      if (error.code !== 'STORE_CORRUPT' && error.code !== 'ENTRY_UNSUPPORTED') return [unreadable(error, path, of)]
      if (await isOfLayers(parts, record)) return []
      const at = error.path ?? path
      return [{ kind: 'container-content', path: at, reason: withoutPath(error.message, at), of }]
    }
  }
}

/** Its layers are told as what they are. */
async function isOfLayers({ layers }: StoreParts, { config }: ContainerRecord): Promise<boolean> {
  try {
    await layers.chainOf(config?.diffIds ?? [])
    return false
  } catch (error) {
    if (error instanceof PhylloError) return true
    throw error
  }
}

async function look(parts: StoreParts, record: ContainerRecord, how: ItemOptions): Promise<void> {
  const { layers, open, root } = parts
  const handles: LayerHandle[] = []
  const lowers = async () => {
    handles.push(...(await open.acquireAll(await layers.chainOf(record.config?.diffIds ?? []))))
    return lowersBelow(handles.map(({ layer }) => layer))
  }
  let bytes = 0
  const start = performance.now()
  const pace = async (more: number) => {
    how.signal.throwIfAborted()
    how.onProgress((bytes += more))
    const early = (bytes / (how.bytesPerSecond ?? Number.POSITIVE_INFINITY)) * 1000 - (performance.now() - start)
    if (early > 0) await root.io.sleep(early)
  }
  try {
    const directory = root.paths.containerUpper(record.mountId)
    if ((await ifThere(root.io.status(directory))) === undefined) return
    await layers.driver.uppers.check(directory, { lowers, full: how.full, pace })
  } finally {
    await releaseAll(handles)
  }
}
