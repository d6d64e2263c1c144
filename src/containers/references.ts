/**
 * What containers keep alive: their layers, whatever happens to the image. To be read after the leases, as every reference
 * (layers/collect.ts).
 */
import { ifThere } from '../disk/io.js'
import type { Root } from '../disk/root.js'
import { PhylloError } from '../errors.js'
import type { LiveRoots } from '../layers/collect.js'
import { type ChainId, type ImageId, isDigest } from '../oci/digest.js'
import type { ContainerStore } from './container-store.js'

export interface ContainerReferences extends Required<Pick<LiveRoots, 'chains'>> {
  readonly stacks: NonNullable<LiveRoots['stacks']>
  /** Images that containers were made from; they may be gone. */
  readonly images: ReadonlySet<ImageId>
}

/** A chain is one digest. */
const parentBytes = 4096

/**
 * Mounts count without a record, too: Docker's own containers have no other trace here. `leftovers`: containers whose mounts do not.
 *
 * @throws STORE_CORRUPT, STORE_VERSION for what cannot be read: nothing may be collected then
 */
export async function containerReferences(
  root: Root,
  containers: ContainerStore,
  leftovers: ReadonlySet<string> = new Set(),
): Promise<ContainerReferences> {
  const { records, damaged } = await containers.scan()
  if (damaged[0] !== undefined) throw damaged[0].error
  const images = new Set(records.map(({ imageId }) => imageId).filter(id => id !== undefined))
  return {
    stacks: records.map(({ config }) => config?.diffIds ?? []),
    chains: await mountedChains(root, leftovers),
    images,
  }
}

async function mountedChains({ io, paths }: Root, leftovers: ReadonlySet<string>): Promise<Set<ChainId>> {
  const chains = new Set<ChainId>()
  for (const name of (await ifThere(io.readdir(paths.mounts))) ?? []) {
    if (leftovers.has(name)) continue
    const path = paths.below(paths.mount(name), 'parent')
    const parent: unknown = (await ifThere(io.readFile(path, parentBytes)))?.toString().trim()
    if (parent === undefined) continue
    if (!isDigest(parent)) throw new PhylloError('STORE_CORRUPT', `${path}: not a digest`, { path })
    chains.add(parent as string as ChainId)
  }
  return chains
}
