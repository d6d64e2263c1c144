/** Which layer a finding is of, and whether what the layer contains is whole. */
import { PhylloError } from '../errors.js'
import { chainOfName } from '../layers/record.js'
import type { ChainId, DiffId } from '../oci/digest.js'
import type { CheckContentOutput } from '../pool/jobs.js'
import type { Finding } from './kinds.js'
import type { Mending } from './mend.js'

/** The chain that a path below layerdb is of. */
export function chainAt(path: string, { parts }: Mending): ChainId | undefined {
  const { layers } = parts.root.paths
  return path.startsWith(`${layers}/`) ? chainOfName(path.slice(layers.length + 1).split('/')[0]!) : undefined
}

export interface Content {
  readonly chainId: ChainId
  readonly diffId: DiffId
  readonly cacheId: string
}

export function checkContent(content: Content, full: boolean, { parts, op }: Mending): Promise<CheckContentOutput> {
  const { diffId } = content
  const source = parts.layers.driver.sourceOf(content)
  const { limits } = parts
  return parts.workers().run('check-content', { source, diffId, full, limits }, { signal: op.signal })
}

/** @throws STORE_IO for whatever else than the disk keeps it from being read */
export async function isWhole(content: Content, mending: Mending): Promise<boolean> {
  try {
    return (await checkContent(content, true, mending)).damage.length === 0
  } catch (error) {
    if (error instanceof PhylloError && error.errno === 'EIO') return false
    throw error
  }
}

export async function contentAt({ path }: Finding, mending: Mending): Promise<Content | undefined> {
  const { root } = mending.parts
  const byChain = chainAt(path, mending)
  for (const { chainId, diffId, cacheId } of mending.survey.layers.values()) {
    const place = root.paths.layerContent(cacheId)
    if (byChain === chainId || path === place || path.startsWith(`${place}/`)) return { chainId, diffId, cacheId }
  }
  const [, hex] = /\/([0-9a-f]{64})\.tar\.lz4$/.exec(path) ?? []
  if (hex === undefined || root.paths.driver !== 'packed') return undefined
  return { chainId: `sha256:${hex}` as unknown as ChainId, diffId: `sha256:${hex}` as DiffId, cacheId: hex }
}
