/**
 * A stage: a directory of bytes that are not committed. It is named after its owner and is garbage as soon as the owner
 * is dead; a job writes into it and nowhere else.
 */
import { join } from 'node:path'
import type { Owner, OwnerContext } from './owner.js'
import { moveToTrash } from './trash.js'

export interface Stage extends AsyncDisposable {
  /** The directory, 0700. */
  readonly path: string
  /** Path of a file inside. */
  file(name: string): string
  /**
   * Takes the stage out of the store at once and keeps its bytes, for as long as a thread that is being killed may
   * still write to them. Idempotent.
   */
  abandon(): Promise<void>
  /** Abandons and deletes it. Idempotent. */
  dispose(): Promise<void>
}

/** `freeing`: the same for taking it away, which has to be possible on a full disk. */
export async function createStage({ io, paths }: OwnerContext, owner: Owner, freeing: OwnerContext): Promise<Stage> {
  const path = paths.below(paths.stages, owner.next())
  await io.mkdir(path, 0o700)
  let moved: Promise<string | undefined> | undefined
  let disposed: Promise<void> | undefined
  const abandon = async () => void (await (moved ??= moveToTrash(freeing, owner, path)))
  const destroy = async () => {
    const trashed = await (moved ??= moveToTrash(freeing, owner, path))
    if (trashed !== undefined) await freeing.io.deleteTree(trashed)
  }
  const dispose = () => (disposed ??= destroy())
  return { path, file: name => join(path, name), abandon, dispose, [Symbol.asyncDispose]: dispose }
}
