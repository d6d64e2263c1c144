/** Layers and an upper as real directories, for a union of ours and for mounts of the kernel. Needs root. */
import fs from 'node:fs'
import { join } from 'node:path'
import { type DirectoryLayer, openDirectoryLayer } from '../../src/drivers/overlay2/directory-layer.js'
import type { UpperDisk } from '../../src/drivers/overlay2/upper-disk.js'
import type { DirectoryUpper } from '../../src/drivers/overlay2/upper-in-directory.js'
import type { SystemCalls } from '../../src/native/system-calls.js'
import type { DiffId } from '../../src/oci/digest.js'
import type { Union, UnionOptions } from '../../src/overlay/union/union.js'
import { directoryUpper } from './directory-upper.js'
import type { Kernel, KernelAnswer } from './overlay-kernel.js'
import { makeTree } from './real-tree.js'
import { rootOf, unionOf } from './union-run.js'
import type { Op, TreeNodes } from './union-sequence.js'

/** What Docker mounts with, and no looking for redirects. */
export const mountOptions = ',index=off,redirect_dir=nofollow,metacopy=off'

export class DirectoryContainer implements AsyncDisposable {
  readonly at: string
  readonly #calls: SystemCalls
  readonly #options: UnionOptions
  readonly #disk: (() => UpperDisk) | undefined
  layers: readonly DirectoryLayer[] = []
  upper!: DirectoryUpper
  union!: Union

  private constructor(at: string, calls: SystemCalls, options: UnionOptions, disk: (() => UpperDisk) | undefined) {
    this.at = at
    this.#calls = calls
    this.#options = options
    this.#disk = disk
  }

  /** `trees` base first; `at` is made, and gone in the end. */
  static async make(
    at: string,
    calls: SystemCalls,
    trees: readonly TreeNodes[],
    options: UnionOptions = {},
    disk?: () => UpperDisk,
  ): Promise<DirectoryContainer> {
    const made = new DirectoryContainer(at, calls, options, disk)
    fs.mkdirSync(join(at, 'merged'), { recursive: true })
    for (const [index, tree] of trees.entries()) makeTree(calls, join(at, `l${index}`), tree)
    made.layers = await Promise.all(trees.map((_, index) => made.#layer(index)))
    await made.open()
    return made
  }

  async open(): Promise<void> {
    const disk = this.#disk?.()
    const { layers } = this
    this.upper = await directoryUpper(this.at, { calls: this.#calls, layers, root: rootOf(), ...(disk && { disk }) })
    this.union = unionOf(this.layers, this.upper, this.#options)
  }

  /** Closed and read again by a union that has seen nothing yet. */
  async reopen(): Promise<void> {
    await this.upper.close()
    await this.open()
  }

  /** Opened anew, as after a death of whoever had it open. */
  async abandon(): Promise<void> {
    await this.open()
  }

  /** Operations on a mount of it. */
  mounted(kernel: Kernel, ops: readonly Op[] = []): Promise<KernelAnswer> {
    return kernel.run({ at: this.at, lowers: this.layers.length, ops, looks: [ops.length], mount: mountOptions })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.upper.close()
    for (const layer of this.layers) await layer.close()
    fs.rmSync(this.at, { recursive: true, force: true })
  }

  /** Another one, anywhere. Closed by whoever asks. */
  layerAt(path: string, index = 0): Promise<DirectoryLayer> {
    const diffId = `sha256:${String(index).padStart(64, '0')}` as DiffId
    return openDirectoryLayer(path, { calls: this.#calls, diffId, sizeBytes: 0 })
  }

  #layer(index: number): Promise<DirectoryLayer> {
    return this.layerAt(join(this.at, `l${index}`), index)
  }
}
