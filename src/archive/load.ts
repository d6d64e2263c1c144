/** Every image of an archive into a store, through a stage that is gone when it has ended, on a disk that is watched meanwhile. */
import type { Root } from '../disk/root.js'
import type { Space, WritingContext } from '../disk/space.js'
import { type CopyTarget, copyIntoStore } from '../images/copy.js'
import type { Limits } from '../limits.js'
import type { OperationContext } from '../operation.js'
import { taking } from './input-stream.js'
import { type ArchiveInput, openArchive } from './open.js'

export interface LoadOptions {
  readonly signal?: AbortSignal
  /** `os/architecture[/variant]`, to choose from an index. Default: the host's. */
  readonly platform?: string
  /** What messages call the input. Default: the file's name. */
  readonly name?: string
}

export interface LoadTarget {
  readonly root: Root
  readonly limits: Limits
  /** On the disk of the store. */
  readonly space: Space
  /** Asked for when it is known that the input is an archive. */
  readonly to: () => CopyTarget
}

export async function loadArchive(
  input: ArchiveInput,
  { platform, name }: { readonly platform: string | undefined; readonly name: string | undefined },
  { root, limits, space, to }: LoadTarget,
  operation: OperationContext,
): ReturnType<typeof copyIntoStore> {
  const work = async (op: WritingContext) => {
    await using stage = await root.stage()
    await using source = await openArchive(input, {
      limits,
      signal: op.signal,
      stage: async () => {
        await op.admit(0)
        return stage.file('archive.tar')
      },
      ...(platform && { platform }),
      ...(name && { name }),
    })
    return await copyIntoStore(source, to(), stage, op)
  }
  return await taking(input, async () => {
    root.assertWritable()
    return await space.watched(operation, work)
  })
}
