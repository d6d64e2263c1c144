/** How large a container is, as `docker ps -s` counts it: bytes of files, once per inode, and of targets of symlinks. */
import { WHITEOUT } from '../drivers/layer.js'
import type { Upper, UpperNode } from '../drivers/upper.js'

export interface ContainerSizes {
  /** Of what is its own. A file whose content nobody has written to adds nothing: that lies in the image. */
  readonly sizeBytes: number
  /** With all of the image's layers. */
  readonly virtualBytes: number
}

export function sizesOf(upper: Upper, layers: Iterable<{ readonly sizeBytes: number }>): ContainerSizes {
  const sizeBytes = upper.usedBytes + targetBytes(upper.root)
  let virtualBytes = sizeBytes
  for (const layer of layers) virtualBytes += layer.sizeBytes
  return { sizeBytes, virtualBytes }
}

function targetBytes(root: UpperNode): number {
  const links = new Set<UpperNode>()
  const directories = [root]
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop())
    for (const child of directory.children.values()) {
      if (child === WHITEOUT) continue
      if (child.target !== '') links.add(child)
      else if (child.children.size > 0) directories.push(child)
    }
  let bytes = 0
  for (const { sizeBytes } of links) bytes += sizeBytes
  return bytes
}
