/**
 * One collection's way of taking directories away.
 *
 * Invariant: killed at any point, a directory without a record has an intent, and the next collection goes on with it.
 */
import { ifThere } from '../../disk/io.js'
import type { Root } from '../../disk/root.js'
import type { Removal } from '../driver.js'
import { linkFileOf, unlinkDirectory } from './directory.js'
import { detachMounts } from './left-mounts.js'

export class DirectoryRemoval implements Removal {
  readonly #root: Root
  /** By directory: paths of intents. */
  readonly #intents = new Map<string, string[]>()

  constructor(root: Root) {
    this.#root = root
  }

  async candidates(): Promise<string[]> {
    const free = this.#root.readOnlyReason === undefined ? await this.#root.freeIntents() : []
    for (const { directory, container, path } of free)
      if (container === undefined) this.#intents.set(directory, [...(this.#intents.get(directory) ?? []), path])
    return [...this.#intents.keys()].sort()
  }

  async announce(cacheId: string): Promise<void> {
    this.#intents.set(cacheId, [await this.#root.intend({ directory: cacheId })])
  }

  async detach(path: string): Promise<void> {
    const { paths } = this.#root
    await unlinkDirectory(this.#root, path, paths.idInLimbo(path))
    await detachMounts(path)
  }

  async done(cacheId: string): Promise<void> {
    for (const path of this.#intents.get(cacheId) ?? []) await ifThere(this.#root.io.unlink(path))
    this.#intents.delete(cacheId)
  }

  async abandon(): Promise<void> {
    for (const path of [...this.#intents.values()].flat()) await this.#root.abandonIntent(path)
    this.#intents.clear()
  }

  async pathsOf(cacheId: string): Promise<readonly string[]> {
    const { paths } = this.#root
    const directory = paths.layerContent(cacheId)
    const link = await linkFileOf(this.#root, directory, cacheId)
    return link === undefined ? [directory] : [directory, link]
  }
}
