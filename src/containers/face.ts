/** The one place where a container gets its shape of node:fs. */
import type { Layer } from '../drivers/layer.js'
import { type ContainerFs, createContainerFace } from '../overlay/face/container-face.js'
import { Union, type UnionOptions } from '../overlay/union/union.js'

export interface ContainerFace {
  readonly face: ContainerFs
  /** What the face shows and changes. */
  readonly union: Union
}

/** `layers` are base first, and stay the caller's until the face has closed. */
export function containerFace(layers: readonly Layer[], options: UnionOptions): ContainerFace {
  const union = new Union(layers, options)
  return { face: createContainerFace(union), union }
}
