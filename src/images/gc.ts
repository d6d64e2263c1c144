/**
 * The store's whole garbage: layers and contents that nothing uses (layers/collect.ts), blobs of such layers, what died before it was finished or after it
 * was taken away, and what is in the trash.
 *
 * Invariants:
 * - What is told is what goes: a dry run and a run look in the same way, and only then the run takes away. Bytes are allocated bytes
 *   on the disk, and those of a run are of what is gone.
 * - Nobody is waited for, and nobody waits: readers hold no lock, adders have leases, which are read before and after the taking.
 * - Images are no garbage, with or without a name: those are for `prune`.
 */
import { basename } from 'node:path'
import { giveUpPartial, oldPartials } from '../disk/partials.js'
import { type Footprint, freedBytes, RoomMeter, totalBytes } from '../disk/usage.js'
import type { UpperLeftover } from '../drivers/driver.js'
import type { Collected, LiveRoots } from '../layers/collect.js'
import type { ChainId } from '../oci/digest.js'
import type { OperationContext } from '../operation.js'
import type { ImageStore } from './image-store.js'
import { blobsAlone, type KeptBlobsParts } from './kept-blobs.js'
import { metadataAlone, takeMetadata } from './metadata-alone.js'
import { liveRoots } from './remove.js'

/**
 * `layer`: the record of a layer; `content`: what one contains; `container`, `stage`, `lease`, `metadata`: what dead processes have
 * left of containers, of work that was not finished, of what they were using, of images; `partial`: a download that stopped a week
 * ago or longer; `blob`: a blob that was kept, and no layer is it any more; `trash`: what is out of the store already.
 */
export type GarbageKind =
  | 'layer'
  | 'content'
  | 'container'
  | 'stage'
  | 'lease'
  | 'metadata'
  | 'partial'
  | 'blob'
  | 'trash'

export interface Garbage {
  readonly kind: GarbageKind
  /** A layer's chainId, an image's id, a blob's digest, a partial download's, else the name of a file or directory of the store. */
  readonly name: string
  /** Allocated bytes that the disk gets back, as du(1) counts them. */
  readonly bytes: number
}

export interface GcReport {
  readonly garbage: readonly Garbage[]
  /** The disk has got back so much, or would: the sum of all garbage, without what could not be deleted. */
  readonly freedBytes: number
  /** Directories of driver overlay2 that are neither in use nor ours: told, and never touched. */
  readonly foreign: readonly string[]
}

export interface GcOptions {
  /** Says what would go, and takes nothing away. */
  readonly dryRun?: boolean
  readonly signal?: AbortSignal
}

export interface GcParts extends KeptBlobsParts {
  readonly images: ImageStore
  readonly containers: {
    /** What containers need, apart from the mounts of these. */
    references(leftovers: ReadonlySet<string>): Promise<LiveRoots>
    leftovers(): Promise<readonly UpperLeftover[]>
    clear(): Promise<readonly UpperLeftover[]>
  }
}

/** @throws STORE_READ_ONLY, STORE_BUSY; STORE_CORRUPT for what cannot be understood: nothing may be collected then */
export async function collectGarbage(
  parts: GcParts,
  { dryRun = false }: Pick<GcOptions, 'dryRun'>,
  op: OperationContext,
): Promise<GcReport> {
  parts.root.assertWritable()
  await parts.root.assertAlone()
  // What this store deletes anyway is neither found nor freed here.
  await parts.root.swept()
  const gc = new GarbageCollection(parts, dryRun)
  await op.stage('look', () => gc.find(op.signal))
  if (!dryRun) await op.stage('delete', () => gc.sweep(op))
  return gc.report()
}

interface Found {
  readonly kind: GarbageKind
  readonly name: string
  readonly footprint: Footprint
}

class GarbageCollection {
  readonly #parts: GcParts
  readonly #dryRun: boolean
  readonly #meter = new RoomMeter()
  readonly #found: Found[] = []
  #foreign: readonly string[] = []
  #leftBytes = 0

  constructor(parts: GcParts, dryRun: boolean) {
    this.#parts = parts
    this.#dryRun = dryRun
  }

  /** Finds it and, unless this is a dry run, takes it out of the store: the bytes are in the trash then. */
  async find(signal: AbortSignal): Promise<void> {
    const steps = [
      () => this.#trash(),
      () => this.#dead(),
      () => this.#layers(),
      () => this.#blobs(),
      () => this.#metadata(),
      () => this.#partials(),
    ]
    for (const step of steps) {
      signal.throwIfAborted()
      await step()
    }
  }

  async sweep(op: OperationContext): Promise<void> {
    const { root } = this.#parts
    const before = new Set(await root.io.readdir(root.paths.trash))
    await root.sweep(op.signal)
    op.signal.throwIfAborted()
    // What others have thrown away since is theirs to delete; what was moved beside has no owner's name.
    const left = (await root.io.readdir(root.paths.trash)).filter(name => before.has(name) || !name.includes('.'))
    this.#leftBytes = totalBytes(await this.#meter.of(left.map(name => root.paths.below(root.paths.trash, name))))
    for (const name of left)
      op.emit({
        type: 'warning',
        subject: name,
        message: `${name} in the trash could not be deleted; the next run tries again`,
      })
  }

  report(): GcReport {
    const bytes = freedBytes(this.#found.map(({ footprint }) => footprint))
    const garbage = this.#found.map(({ kind, name }, at) => ({ kind, name, bytes: bytes[at]! }))
    const sum = bytes.reduce((total, one) => total + one, 0)
    return { garbage, freedBytes: Math.max(0, sum - this.#leftBytes), foreign: this.#foreign }
  }

  async #trash(): Promise<void> {
    const { io, paths } = this.#parts.root
    for (const name of (await io.readdir(paths.trash)).sort())
      await this.#add('trash', name, [paths.below(paths.trash, name)])
  }

  /** Stages and leases of dead owners: nobody else touches them but to take them away, too. */
  async #dead(): Promise<void> {
    const { root } = this.#parts
    const { stages, leases } = await root.leavings()
    for (const [kind, paths] of [
      ['stage', stages],
      ['lease', leases],
    ] as const)
      for (const path of paths) {
        const footprint = await this.#meter.of([path])
        if (this.#dryRun || (await root.toTrash(path)) !== undefined)
          this.#found.push({ kind, name: basename(path), footprint })
      }
    if (!this.#dryRun) while (await root.reap());
  }

  /** Containers first: what is left of one keeps the layers below it. */
  async #layers(): Promise<void> {
    const { containers, images, layers } = this.#parts
    const leftovers = await this.#leftovers()
    const none = new Set(leftovers.flatMap(({ container }) => container ?? []))
    const measure = this.#remembering()
    const roots = liveRoots({ images, containers: () => containers.references(none) })
    // Looked at before anything is locked: a large layer is not counted in a moment.
    const would = await layers.collect({ roots, measure, dryRun: true })
    this.#addLayers(this.#dryRun ? would : await layers.collect({ roots, measure, keepTrash: true }))
  }

  async #leftovers(): Promise<readonly UpperLeftover[]> {
    const { containers } = this.#parts
    const leftovers = await containers.leftovers()
    const footprints = new Map<string, Footprint>()
    for (const { name, paths } of leftovers) footprints.set(name, await this.#meter.of(paths))
    const gone = this.#dryRun ? leftovers : await containers.clear()
    for (const { name } of gone) {
      const footprint = footprints.get(name)
      if (footprint !== undefined) this.#found.push({ kind: 'container', name, footprint })
    }
    return gone
  }

  #addLayers({ layers, contents, foreign }: Collected): void {
    for (const { chainId, footprint } of layers)
      if (footprint !== undefined) this.#found.push({ kind: 'layer', name: chainId, footprint })
    for (const { cacheId, footprint } of contents)
      if (footprint !== undefined) this.#found.push({ kind: 'content', name: cacheId, footprint })
    this.#foreign = foreign
  }

  /** Measures what it has not measured yet: nothing of it changes. */
  #remembering(): (paths: readonly string[]) => Promise<Footprint> {
    const known = new Map<string, Footprint>()
    return async paths => {
      const key = paths.join('\n')
      const footprint = known.get(key) ?? (await this.#meter.of(paths))
      known.set(key, footprint)
      return footprint
    }
  }

  async #metadata(): Promise<void> {
    const { root, images } = this.#parts
    for (const id of await metadataAlone(root, images)) {
      const footprint = await this.#meter.of([root.paths.imageMetadata(id)])
      if (this.#dryRun || (await takeMetadata(root, images, id)))
        this.#found.push({ kind: 'metadata', name: id, footprint })
    }
  }

  /** After the layers: in a dry run these are still there. */
  async #blobs(): Promise<void> {
    const { root } = this.#parts
    const chains = this.#found.flatMap(({ kind, name }) => (kind === 'layer' ? [name as ChainId] : []))
    for (const blob of await blobsAlone(this.#parts, new Set(chains))) {
      const path = root.paths.blob(blob)
      const footprint = await this.#meter.of([path])
      if (this.#dryRun || (await root.toTrash(path)) !== undefined)
        this.#found.push({ kind: 'blob', name: blob, footprint })
    }
  }

  async #partials(): Promise<void> {
    const { root } = this.#parts
    for (const path of await oldPartials(root)) {
      const footprint = await this.#meter.of([path])
      if (await giveUpPartial(root, path, { dryRun: this.#dryRun }))
        this.#found.push({ kind: 'partial', name: basename(path), footprint })
    }
  }

  async #add(kind: GarbageKind, name: string, paths: readonly string[]): Promise<void> {
    this.#found.push({ kind, name, footprint: await this.#meter.of(paths) })
  }
}
