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
import type { ContainerPlace, UpperChange, UpperCheck, UpperLeftover, Uppers } from '../driver.js'
import type { Lowers, NewNode, Upper } from '../upper.js'
import { describeDirectory, linkAt, linkFileOf, placeDirectory, unlinkDirectory } from './directory.js'
import type { FileSystemSync } from './file-system-sync.js'
import { detachMounts } from './left-mounts.js'

export interface DirectoryUppersParts {
  readonly root: Root
  readonly sync: FileSystemSync
  /** What reading and writing needs. @throws DRIVER_UNSUPPORTED */
  readonly calls: () => Promise<SystemCalls>
}

type AbandonedUpper = WrittenIntent & { readonly container: string }

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

  async publish(staged: string, place: ContainerPlace, below: string | undefined): Promise<UpperChange<void>> {
    const { root, sync } = this.#parts
    const { container, mountId } = place
    await root.assertAlone()
    const link = await linkAt(root, staged)
    const intent = await root.intend({ directory: mountId, container })
    const abandoned = () => root.abandonIntent(intent)
    try {
      await placeDirectory(root, staged, { id: mountId, link, below })
      await sync.everything(root.paths.below(root.paths.containerUpper(mountId), 'link'))
    } catch (error) {
      await abandoned()
      throw error
    }
    return { done: () => root.settle(() => ifThere(root.io.unlink(intent))), abandoned }
  }

  async remove({ container, mountId }: ContainerPlace): Promise<UpperChange<string | undefined>> {
    const root = this.#parts.root.freeing
    await root.assertAlone()
    const intent = await root.intend({ directory: mountId, container })
    const take = async () => {
      const trashed = await this.#take(mountId)
      await root.settle(() => ifThere(root.io.unlink(intent)))
      return trashed
    }
    return { done: take, abandoned: () => root.abandonIntent(intent) }
  }

  async leftovers(containers: readonly ContainerPlace[]): Promise<UpperLeftover[]> {
    const found: UpperLeftover[] = []
    for (const intent of await this.#abandoned()) {
      const known = containers.some(({ mountId }) => mountId === intent.directory)
      found.push(known ? { name: intent.directory, paths: [intent.path] } : await this.#leftover(intent))
    }
    return found
  }

  async clear(containers: readonly ContainerPlace[]): Promise<UpperLeftover[]> {
    const { root } = this.#parts
    const leftovers = await this.leftovers(containers)
    // The intent, which says whose it is, stands first and goes last.
    for (const { paths } of leftovers) for (const path of paths.toReversed()) await root.toTrash(path)
    return leftovers
  }

  /** Intents of the dead that speak of containers. */
  async #abandoned(): Promise<AbandonedUpper[]> {
    const intents = await this.#parts.root.freeIntentsLocked()
    return intents.flatMap(({ container, ...intent }) => (container === undefined ? [] : [{ ...intent, container }]))
  }

  async #leftover({ directory, container, path }: AbandonedUpper): Promise<UpperLeftover> {
    const { root } = this.#parts
    const upper = root.paths.containerUpper(directory)
    const link = await linkFileOf(root, upper, directory)
    const paths = [path, upper, ...(link === undefined ? [] : [link]), root.paths.mount(container)]
    return { name: directory, container, paths }
  }

  async #take(mountId: string): Promise<string | undefined> {
    const { root } = this.#parts
    const path = root.paths.containerUpper(mountId)
    await unlinkDirectory(root, path, mountId)
    await detachMounts(path)
    return root.toTrash(path)
  }
}
