/**
 * A stage: a directory of bytes that are not committed. It is named after its owner and is garbage as soon as the owner
 * is dead; a job writes into it and nowhere else.
 */
import { join } from 'node:path'
import { ifThere } from './io.js'
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
  let trashed: string | undefined
  const move = async () => {
    trashed ??= await moveToTrash(freeing, owner, path)
  }
  const destroy = async () => {
    await move()
    if (trashed !== undefined) await freeing.io.deleteTree(trashed)
  }
  try {
    await io.mkdir(path, 0o700)
  } catch (error) {
    await owner.remains.settle(async () => (await ifThere(io.status(path))) && destroy())
    throw error
  }
  let moved: Promise<void> | undefined
  let disposed: Promise<void> | undefined
  const abandon = () => (moved ??= owner.remains.settle(move))
  const dispose = () => (disposed ??= abandon().then(() => owner.remains.settle(destroy)))
  return { path, file: name => join(path, name), abandon, dispose, [Symbol.asyncDispose]: dispose }
}
