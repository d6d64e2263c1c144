/**
 * What keeps a store in order: removing what nobody needs, what it takes, whether it still is what was written, and healing it.
 * A part of Store, apart from what moves images and shows them.
 */
import type { CheckOptions, CheckReport } from './check/check.js'
import type { RepairOptions, RepairReport } from './check/repair.js'
import type { ListContainersOptions } from './containers/containers.js'
import type { DiskUsage, DiskUsageOptions } from './containers/disk-usage.js'
import type { ContainerInfo } from './containers/record.js'
import type { RemoveOptions } from './containers/remove-image.js'
import type { GcOptions, GcReport } from './images/gc.js'
import type { PruneOptions, PruneReport } from './images/prune.js'
import type { Removed } from './images/remove.js'
import type { Lifetime } from './lifetime.js'
import type { Operation } from './operation.js'
import type { StoreParts } from './store-parts.js'

export abstract class StoreUpkeep {
  readonly #parts: StoreParts
  readonly #life: Lifetime

  constructor(parts: StoreParts, life: Lifetime) {
    this.#parts = parts
    this.#life = life
  }

  /** All containers, newest first. */
  abstract containers(options?: ListContainersOptions): Promise<ContainerInfo[]>

  /**
   * Takes a name away, as `docker rmi` does, and the image with it when that was its last one; an id takes the image with its one
   * name. The answer is what went: names, then the image and those of its layers that nothing else needs, from the top. They
   * are out of the store at once; when the operation has ended their room is free.
   *
   * @throws IMAGE_NOT_FOUND, IMAGE_IN_USE, REFERENCE_INVALID, STORE_READ_ONLY
   */
  remove(name: string, { signal, ...options }: RemoveOptions = {}): Operation<readonly Removed[]> {
    return this.#life.operation(async op => {
      this.#parts.root.assertWritable()
      const { removeImageOf } = await import('./containers/remove-image.js')
      return removeImageOf(this.#parts, name, options, op)
    }, signal)
  }

  /**
   * Deletes what nothing uses: layers that no image and no container has, and what dead processes have left. Nobody who reads or adds
   * is held up. `dryRun` tells what would go, and how many bytes. See docs/space.md.
   *
   * @throws STORE_READ_ONLY, STORE_BUSY, STORE_CORRUPT
   */
  gc({ signal, ...options }: GcOptions = {}): Operation<GcReport> {
    return this.#life.operation(async op => {
      const { collectGarbageOf } = await import('./containers/collect-garbage.js')
      return collectGarbageOf(this.#parts, options, op)
    }, signal)
  }

  /** `docker system df`: what images and containers take by Docker's count, and what the store takes on the disk. See docs/space.md. */
  diskUsage({ signal }: DiskUsageOptions = {}): Operation<DiskUsage> {
    return this.#life.operation(async op => {
      const { diskUsage } = await import('./containers/disk-usage.js')
      const { root, layers, catalog, limits } = this.#parts
      return diskUsage({ root, layers, catalog, limits, containers: () => this.containers({ size: true }) }, op)
    }, signal)
  }

  /**
   * Removes images that nobody needs, as `docker image prune` does: those without a name that nothing is built on; with `all` every one
   * that no container is made of. What is in use stays.
   */
  prune({ signal, ...options }: PruneOptions = {}): Operation<PruneReport> {
    return this.#life.operation(async op => {
      return (await import('./store-images.js')).pruneStore(this.#parts, options, op)
    }, signal)
  }

  /**
   * Looks whether the store still is what was written into it, and tells each thing that is not in an event `finding`. Nothing is
   * changed, and nobody is held up: see docs/check.md.
   */
  check({ signal, ...given }: CheckOptions = {}): Operation<CheckReport> {
    return this.#life.operation(async op => {
      const { checkStore } = await import('./check/check.js')
      return checkStore(this.#parts, given, op)
    }, signal)
  }

  /** Heals what a check finds, by what the store knows twice, other copies and an archive; the rest goes to its quarantine. */
  repair({ signal, ...given }: RepairOptions = {}): Operation<RepairReport> {
    return this.#life.operation(async op => {
      this.#parts.root.assertWritable()
      const { repairStore } = await import('./check/repair.js')
      return repairStore(this.#parts, given, op)
    }, signal)
  }
}
