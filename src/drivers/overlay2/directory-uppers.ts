/**
 * What containers of driver overlay2 have changed: `overlay2/<mount-id>/`, an upper directory for the kernel, without an init layer
 * (facts of Docker's store, 1.8). A dockerd takes the mount for one of its own, and keeps the layers below.
 *
 * Invariant: an intent names the container and its directory while no record does, so that nothing of others is ever cleared away.
 */

import type { WrittenIntent } from '../../disk/intent.js'
import { ifThere } from '../../disk/io.js'
import type { Root } from '../../disk/root.js'
import type { SystemCalls } from '../../native/system-calls.js'
import type { ContainerPlace, UpperCheck, Uppers } from '../driver.js'
import type { Lowers, NewNode, Upper } from '../upper.js'
import { describeDirectory, linkAt, placeDirectory, unlinkDirectory } from './directory.js'
import type { FileSystemSync } from './file-system-sync.js'

export interface DirectoryUppersParts {
  readonly root: Root
  readonly sync: FileSystemSync
  /** What reading and writing needs. @throws DRIVER_UNSUPPORTED */
  readonly calls: () => Promise<SystemCalls>
}

export class DirectoryUppers implements Uppers {
  readonly #parts: DirectoryUppersParts

  constructor(parts: DirectoryUppersParts) {
    this.#parts = parts
  }

  async make(staged: string, node: NewNode, below: string | undefined): Promise<void> {
    const { makeDirectoryUpper } = await import('./directory-upper.js')
    await makeDirectoryUpper(staged, node, { calls: await this.#parts.calls() })
    await describeDirectory(this.#parts.root, staged, below)
  }

  async open(directory: string, lowers: () => Promise<Lowers>): Promise<Upper> {
    const { openDirectoryUpper } = await import('./directory-upper.js')
    return openDirectoryUpper(directory, { calls: await this.#parts.calls(), lowers: await lowers() })
  }

  async look(directory: string, lowers: () => Promise<Lowers>): Promise<Upper> {
    const { lookAtDirectoryUpper } = await import('./directory-upper.js')
    return lookAtDirectoryUpper(directory, { calls: await this.#parts.calls(), lowers: await lowers() })
  }

  /** A look reads all names and attributes; contents have no checksums. */
  async check(directory: string, { lowers }: UpperCheck): Promise<void> {
    await (await this.look(directory, lowers)).close()
  }

  async publish(staged: string, place: ContainerPlace, below: string | undefined): Promise<() => Promise<void>> {
    const { root, sync } = this.#parts
    const { container, mountId } = place
    await root.assertAlone()
    const link = await linkAt(root, staged)
    const intent = await root.intend({ directory: mountId, container })
    await placeDirectory(root, staged, { id: mountId, link, below })
    await sync.everything(root.paths.below(root.paths.containerUpper(mountId), 'link'))
    return () => ifThere(root.io.unlink(intent))
  }

  async remove({ container, mountId }: ContainerPlace): Promise<() => Promise<string | undefined>> {
    const { root } = this.#parts
    await root.assertAlone()
    const intent = await root.intend({ directory: mountId, container })
    return async () => {
      const trashed = await this.#take(mountId)
      await ifThere(root.io.unlink(intent))
      return trashed
    }
  }

  async clear(containers: readonly ContainerPlace[]): Promise<void> {
    const { root } = this.#parts
    const known = new Set(containers.map(({ mountId }) => mountId))
    for (const intent of await root.freeIntentsLocked())
      if (intent.container !== undefined) await this.#clear(intent, intent.container, known)
  }

  async #clear({ directory, path }: WrittenIntent, container: string, known: ReadonlySet<string>): Promise<void> {
    const { root } = this.#parts
    if (!known.has(directory)) {
      await root.toTrash(root.paths.mount(container))
      await this.#take(directory)
    }
    await ifThere(root.io.unlink(path))
  }

  async #take(mountId: string): Promise<string | undefined> {
    const { root } = this.#parts
    const path = root.paths.containerUpper(mountId)
    await unlinkDirectory(root, path, mountId)
    return root.toTrash(path)
  }
}
