/** The containers of a store, with the archives that they go into and come out of. Loaded when the first one is asked for. */
import { exportTo } from './archive/export.js'
import { extractInto } from './archive/extract.js'
import { Containers } from './containers/containers.js'
import type { Lifetime } from './lifetime.js'
import type { StoreParts } from './store-parts.js'

export function containersOf(parts: StoreParts, life: Lifetime): Containers {
  const { root, layers, catalog, open, limits } = parts
  return new Containers({
    ...{ root, layers, catalog, open, limits },
    start: (work, signal) => life.operation(work, signal),
    copyTarget: () => parts.copyTarget(),
    exportTo,
    extractInto: (union, path, source, op) => extractInto(union, path, { ...source, limits }, op),
  })
}
