/**
 * What containers of driver packed have changed: `packed/containers/<mount-id>/`, with a journal.
 *
 * Invariant: nobody else has anything there, so what belongs to no container goes.
 */
import { ifThere } from '../../disk/io.js'
import type { Root } from '../../disk/root.js'
import type { Checksums } from '../../layerfile/checksum.js'
import type { ContainerPlace, UpperCheck, Uppers } from '../driver.js'
import type { NewNode, Upper } from '../upper.js'

export class PackedUppers implements Uppers {
  readonly #root: Root
  /** Shared by all: an instance of it reserves gigabytes of address space. */
  #loading: Promise<Checksums> | undefined

  constructor(root: Root) {
    this.#root = root
  }

  async make(staged: string, root: NewNode): Promise<void> {
    const { makePackedUpper } = await import('./open-upper.js')
    await makePackedUpper(staged, root, { checksums: await this.#checksums() })
  }

  async open(directory: string): Promise<Upper> {
    const { openPackedUpper } = await import('./open-upper.js')
    return openPackedUpper(directory, { checksums: await this.#checksums() })
  }

  async look(directory: string): Promise<Upper> {
    const { lookAtPackedUpper } = await import('./look.js')
    return lookAtPackedUpper(directory, { checksums: await this.#checksums() })
  }

  async check(directory: string, { full, pace }: UpperCheck): Promise<void> {
    const { checkPackedUpper } = await import('./check-upper.js')
    await checkPackedUpper(directory, { checksums: await this.#checksums(), full, pace })
  }

  async publish(staged: string, { mountId }: ContainerPlace): Promise<() => Promise<void>> {
    await this.#root.publishDirectory(staged, this.#root.paths.containerUpper(mountId))
    return async () => undefined
  }

  async remove({ mountId }: ContainerPlace): Promise<() => Promise<string | undefined>> {
    return () => this.#root.toTrash(this.#root.paths.containerUpper(mountId))
  }

  async clear(containers: readonly ContainerPlace[]): Promise<void> {
    const { io, paths } = this.#root
    for (const [directory, known] of [
      [paths.mounts, new Set(containers.map(({ container }) => container))],
      [paths.uppers, new Set(containers.map(({ mountId }) => mountId))],
    ] as const)
      for (const name of (await ifThere(io.readdir(directory))) ?? [])
        if (!known.has(name)) await this.#root.toTrash(paths.below(directory, name))
  }

  #checksums(): Promise<Checksums> {
    const load = async () => (await import('../../layerfile/checksum.js')).loadChecksums()
    return (this.#loading ??= load())
  }
}
