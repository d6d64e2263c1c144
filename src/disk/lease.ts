/**
 * Leases: what a living process is using and no tag refers to yet. One file holds one lease, however many things it
 * names, a line each.
 *
 * Invariant, for all who use leases: **write the lease before looking** whether a thing is there, and keep it until
 * the tag (or whatever else refers to the thing) is published. A collector takes a thing away first and reads the leases
 * afterwards; so either it sees the lease and gives the thing back, or the look comes after the taking and finds nothing.
 */
import { PhylloError } from '../errors.js'
import type { ChainId, DiffId, ImageId } from '../oci/digest.js'
import { isDigest } from '../oci/digest.js'
import { ifThere } from './io.js'
import type { Owner, OwnerContext } from './owner.js'

/** Things to hold. A chain holds its layerdb entry alone: name its parents, too. A diffId holds content. */
export interface Leased {
  readonly chains: ReadonlySet<ChainId>
  readonly diffIds: ReadonlySet<DiffId>
  readonly images: ReadonlySet<ImageId>
}

export interface Lease extends AsyncDisposable {
  readonly leased: Leased
  /** Idempotent. */
  release(): Promise<void>
}

/** Two lines of 80 bytes for each layer of the longest image that is allowed, several times over. */
const maxBytes = 16 * 1024 * 1024

/** Never fsynced: a lease does not outlive its process. */
export async function writeLease({ io, paths }: OwnerContext, owner: Owner, leased: Leased): Promise<Lease> {
  const path = paths.below(paths.owners, owner.next())
  const remove = () => ifThere(io.unlink(path))
  try {
    await io.writeNew(path, leaseText(leased), 0o600, false)
  } catch (error) {
    await owner.remains.settle(remove)
    throw error
  }
  let released: Promise<void> | undefined
  const release = () => (released ??= owner.remains.settle(remove))
  return { leased, release, [Symbol.asyncDispose]: release }
}

/** A lease of a store that is open for reading only: nothing is written, and nothing is held. */
export function emptyLease(leased: Leased): Lease {
  const release = async () => undefined
  return { leased, release, [Symbol.asyncDispose]: release }
}

/**
 * Everything that is leased by anybody, also by the dead who are not reaped yet.
 *
 * Read leases before references: who has released a lease has published the reference before.
 */
export async function readLeases({ io, paths }: OwnerContext): Promise<Leased> {
  const all = { chains: new Set<ChainId>(), diffIds: new Set<DiffId>(), images: new Set<ImageId>() }
  for (const name of await io.readdir(paths.owners)) {
    if (!name.includes('.')) continue
    const path = paths.below(paths.owners, name)
    const bytes = await ifThere(io.readFile(path, maxBytes))
    if (bytes !== undefined) parseLease(bytes.toString('utf8'), path, all)
  }
  return all
}

function leaseText({ chains, diffIds, images }: Leased): string {
  const lines = [
    ...[...chains].map(id => `chain ${id}\n`),
    ...[...diffIds].map(id => `diff ${id}\n`),
    ...[...images].map(id => `image ${id}\n`),
  ]
  return lines.join('')
}

/** A last line without its end is still being written: whoever writes it has not looked at anything yet. */
function parseLease(
  text: string,
  path: string,
  all: { chains: Set<ChainId>; diffIds: Set<DiffId>; images: Set<ImageId> },
) {
  for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
    if (line === '') continue
    const space = line.indexOf(' ')
    const id: unknown = line.slice(space + 1)
    const kind = line.slice(0, space)
    if (isDigest(id) && kind === 'chain') all.chains.add(id as string as ChainId)
    else if (isDigest(id) && kind === 'diff') all.diffIds.add(id as DiffId)
    else if (isDigest(id) && kind === 'image') all.images.add(id as ImageId)
    else throw new PhylloError('STORE_CORRUPT', `${path}: not a lease`, { path })
  }
}
