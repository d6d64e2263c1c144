/** Images of one store into another, through a stage of the target that is gone when it has ended. */
import type { Root } from '../disk/root.js'
import type { OperationContext } from '../operation.js'
import { type CopiedImage, type CopyTarget, copyIntoStore } from './copy.js'
import { StoreSource, type StoreSourceParts } from './store-source.js'

export interface CopyOptions {
  readonly signal?: AbortSignal
}

export interface CopyImagesTarget {
  readonly root: Root
  readonly to: CopyTarget
}

export async function copyImages(
  words: readonly string[],
  from: StoreSourceParts,
  { root, to }: CopyImagesTarget,
  op: OperationContext,
): Promise<CopiedImage[]> {
  return await to.space.watched(op, async op => {
    await using stage = await root.stage()
    await using source = new StoreSource(from, words, to.limits)
    return await copyIntoStore(source, to, stage, op)
  })
}
