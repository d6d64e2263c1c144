/** Collecting the garbage of a store that has containers: what they use is in use, and what is left of dead ones goes, too. */
import { collectGarbage, type GcOptions, type GcParts, type GcReport } from '../images/gc.js'
import type { OperationContext } from '../operation.js'
import { ContainerStore } from './container-store.js'
import { containerReferences } from './references.js'

type Parts = Omit<GcParts, 'containers'>

export function collectGarbageOf(
  parts: Parts,
  options: Pick<GcOptions, 'dryRun'>,
  op: OperationContext,
): Promise<GcReport> {
  const store = new ContainerStore(parts.root, parts.layers, parts.limits)
  const containers = {
    references: (leftovers: ReadonlySet<string>) => containerReferences(parts.root, store, leftovers),
    leftovers: () => store.leftovers(),
    clear: () => store.clear(),
  }
  return collectGarbage({ ...parts, containers }, options, op)
}
