/** What a store does with images besides copying them, put together out of its parts. Loaded when it is first asked for. */
import { type ImportOptions, importArchive } from './archive/import.js'
import type { ArchiveInput } from './archive/open.js'
import type { Fetch } from './archive/url.js'
import type { Containers, InspectOptions } from './containers/containers.js'
import { removalOf } from './containers/remove-image.js'
import type { Image } from './images/image.js'
import { type PruneOptions, type PruneReport, pruneImages } from './images/prune.js'
import type { JsonObject } from './oci/json.js'
import type { OperationContext } from './operation.js'
import type { StoreParts } from './store-parts.js'

export async function importImage(
  parts: StoreParts,
  input: ArchiveInput,
  options: ImportOptions,
  op: OperationContext,
): Promise<Image> {
  const { root, space, catalog } = parts
  const fetching = async (): Promise<Fetch> => {
    const client = await parts.registries()
    return (url, init) => client.fetch(url, init)
  }
  const target = { root, space, to: () => parts.copyTarget(), fetching }
  const { id, layers } = await importArchive(input, options, target, op)
  return catalog.get(id, layers)
}

export function pruneStore(parts: StoreParts, options: PruneOptions, op: OperationContext): Promise<PruneReport> {
  parts.root.assertWritable()
  return pruneImages(options, removalOf(parts), op)
}

export async function inspectNamed(
  { catalog }: StoreParts,
  containers: Containers,
  name: string,
  { type, size = false }: InspectOptions,
): Promise<JsonObject | undefined> {
  const container = type === 'image' ? undefined : await containers.inspect(name, { size })
  if (container !== undefined || type === 'container') return container
  return (await catalog.find(name))?.inspect()
}
