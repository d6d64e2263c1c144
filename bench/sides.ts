/** The two sides of a comparison: a container, and node:fs on the kernel's overlay of the same layers. */
import fs from 'node:fs'
import type { Container, Store } from '../src/index.js'
import type { KernelOverlay } from './kernel-overlay.js'

/** What both have, and what is timed. */
export interface Files {
  statSync(path: string): fs.Stats
  readdirSync(path: string): string[]
  readFileSync(path: string): Buffer
  renameSync(from: string, to: string): void
  readonly promises: Pick<typeof fs.promises, 'open'>
}

export interface Side {
  readonly name: string
  readonly files: Files
  /** Stands before every path. */
  readonly root: string
}

export const kernelSide = (name: string, { path: root }: KernelOverlay): Side => ({ name, files: fs, root })
export const ourSide = (name: string, files: Container): Side => ({ name, files, root: '' })

/** Paths of an image's files, of at most so many bytes each, in directory order. */
export async function filesOf(store: Store, image: string, bytesMax = Number.POSITIVE_INFINITY): Promise<string[]> {
  await using view = await store.view(image)
  const files: string[] = []
  for await (const { path, type } of view.walk())
    if (type === 'file' && view.statSync(path).size <= bytesMax) files.push(path)
  return files
}
