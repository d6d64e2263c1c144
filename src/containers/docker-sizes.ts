/** How large a dockerd's own container is: its directory and its layers are told by Docker's mount of it alone. */
import { ifThere } from '../disk/io.js'
import type { Root } from '../disk/root.js'
import { together } from '../endings.js'
import type { LayerStore } from '../layers/layer-store.js'
import { type LayerHandle, type OpenLayers, releaseAll } from '../layers/open-layers.js'
import type { LayerRecord } from '../layers/record.js'
import { type ChainId, isDigest } from '../oci/digest.js'
import { lowersBelow } from '../overlay/union/lowers.js'
import type { DockerContainer } from './docker-containers.js'
import { type ContainerSizes, sizesOf } from './sizes.js'

export interface DockerSizesParts {
  readonly root: Root
  readonly layers: LayerStore
  readonly open: OpenLayers
}

const maxBytes = 4096
const mountGrammar = /^[0-9a-f]{64}$/

/** Undefined for one that has no directory, or not any more: a dockerd may be removing it. */
export async function dockerSizes(
  { id }: DockerContainer,
  { root, layers, open }: DockerSizesParts,
): Promise<ContainerSizes | undefined> {
  const { io, paths } = root
  const said = async (file: string) =>
    (await ifThere(io.readFile(paths.below(paths.mount(id), file), maxBytes)))?.toString().trim()
  const [mountId, parent] = await together([said('mount-id'), said('parent')])
  if (mountId === undefined || !mountGrammar.test(mountId)) return undefined
  const directory = paths.containerUpper(mountId)
  const isThere = async () => (await ifThere(io.status(directory))) !== undefined
  if (!(await isThere())) return undefined
  const records = await recordsBelow(layers, parent)
  const handles: LayerHandle[] = []
  try {
    handles.push(...(await open.acquireAll(records)))
    const lowers = async () => lowersBelow(handles.map(({ layer }) => layer))
    const upper = await layers.driver.uppers.look(directory, lowers)
    const sizes = sizesOf(upper, records)
    await upper.close()
    return sizes
  } catch (error) {
    if (await isThere()) throw error
    return undefined
  } finally {
    await releaseAll(handles)
  }
}

/** Base first. */
async function recordsBelow(layers: LayerStore, top: string | undefined): Promise<LayerRecord[]> {
  const records: LayerRecord[] = []
  let at: ChainId | undefined = isDigest(top) ? (top as string as ChainId) : undefined
  while (at !== undefined) {
    const record: LayerRecord | undefined = await layers.get(at)
    if (record === undefined) break
    records.unshift(record)
    at = record.parent
  }
  return records
}
