/** Removing images of a store that has containers: what these use is in use, and their layers stay whatever happens to the image. */

import {
  type Removed,
  type RemoveOptions as RemoveImageOptions,
  type RemoveParts,
  removeImage,
} from '../images/remove.js'
import type { Limits } from '../limits.js'
import type { OperationContext } from '../operation.js'
import { ContainerStore } from './container-store.js'
import { imageUsers } from './image-users.js'
import { containerReferences } from './references.js'

export interface RemoveOptions extends RemoveImageOptions {
  /** Ends it between two images. */
  readonly signal?: AbortSignal
}

export type RemovalParts = Omit<RemoveParts, 'users' | 'containers'> & { readonly limits: Limits }

/** Completes the parts of a removal with what containers say. */
export function removalOf({ limits, ...parts }: RemovalParts): RemoveParts {
  const containers = new ContainerStore(parts.root, parts.layers, limits)
  return {
    ...parts,
    users: () => imageUsers(parts.root, containers),
    containers: () => containerReferences(parts.root, containers),
  }
}

export function removeImageOf(
  parts: RemovalParts,
  name: string,
  options: RemoveImageOptions,
  op: OperationContext,
): Promise<Removed[]> {
  return removeImage(name, options, removalOf(parts), op)
}
