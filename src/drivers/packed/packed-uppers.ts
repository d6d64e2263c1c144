/**
 * What containers of driver packed have changed: `packed/containers/<mount-id>/`, with a journal.
 *
 * Invariant: nobody else has anything there, so what belongs to no container goes.
 */
import { ifThere } from '../../disk/io.js'
import type { Root } from '../../disk/root.js'
import type { Checksums } from '../../layerfile/checksum.js'
import type { ContainerPlace, UpperChange, UpperCheck, UpperLeftover, Uppers } from '../driver.js'
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

  async publish(staged: string, { mountId }: ContainerPlace): Promise<UpperChange<void>> {
    await this.#root.publishDirectory(staged, this.#root.paths.containerUpper(mountId))
    return { done: async () => undefined, abandoned: async () => undefined }
  }

  async remove({ mountId }: ContainerPlace): Promise<UpperChange<string | undefined>> {
    const take = () => this.#root.toTrash(this.#root.paths.containerUpper(mountId))
    return { done: take, abandoned: async () => undefined }
  }

  async leftovers(containers: readonly ContainerPlace[]): Promise<UpperLeftover[]> {
    const { io, paths } = this.#root
    const containerIds = new Set(containers.map(({ container }) => container))
    const mountIds = new Set(containers.map(({ mountId }) => mountId))
    const unknown = async (directory: string, known: ReadonlySet<string>) =>
      ((await ifThere(io.readdir(directory))) ?? []).filter(name => !known.has(name)).sort()
    const mounts = await unknown(paths.mounts, containerIds)
    const uppers = await unknown(paths.uppers, mountIds)
    return [
      ...mounts.map(name => ({ name, container: name, paths: [paths.mount(name)] })),
      ...uppers.map(name => ({ name, paths: [paths.containerUpper(name)] })),
    ]
  }

  async clear(containers: readonly ContainerPlace[]): Promise<UpperLeftover[]> {
    const leftovers = await this.leftovers(containers)
    for (const { paths } of leftovers) for (const path of paths) await this.#root.toTrash(path)
    return leftovers
  }

  #checksums(): Promise<Checksums> {
    const load = async () => (await import('../../layerfile/checksum.js')).loadChecksums()
    return (this.#loading ??= load())
  }
}
