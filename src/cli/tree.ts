/** The file system that `ls` and `cat` look into: of an image, or else of a container of that name. */
import { PhylloError, type Store } from '../index.js'
import type { CommandContext } from './command.js'

/** What both have. */
export type Tree = Awaited<ReturnType<Store['view']>>

/** An image goes first, as its words do in Docker. */
export async function openTree(context: CommandContext, name: string): Promise<Tree> {
  const store = await context.store()
  try {
    return await store.view(name)
  } catch (error) {
    if (!(error instanceof PhylloError) || !notAnImage.has(error.code)) throw error
    const known = (await store.containers()).some(
      ({ id, name: own }) => own === name.replace(/^\//, '') || (name !== '' && id.startsWith(name)),
    )
    if (!known) throw error
    return store.container(name, { readOnly: true })
  }
}

const notAnImage: ReadonlySet<string> = new Set(['IMAGE_NOT_FOUND', 'REFERENCE_INVALID'])
