/** A container of which 10,000 files have changed, 200 MB in all: pieces of a Debian root file system, all different. */
import { closeSync, openSync, readSync } from 'node:fs'
import type { Store } from '../src/index.js'
import type { LayerEntry } from './archive-writer.js'
import { seeded, shuffled } from './random.js'
import { filesOf } from './sides.js'

export const changedFiles = 10_000
export const changedFileBytes = 20_000
const seed = 13

export interface ChangedFile {
  /** Absolute. */
  readonly path: string
  readonly content: Buffer
}

/** Files of an image with what they will be; `base` is a tar of contents. */
export async function changesOf(store: Store, image: string, base: string): Promise<ChangedFile[]> {
  const contents = piecesOf(base)
  const files = shuffled(await filesOf(store, image), seeded(seed)).slice(0, changedFiles)
  if (files.length < changedFiles) throw new Error(`${image} has ${files.length} files`)
  return files.sort().map((path, at) => ({ path, content: contents[at]! }))
}

export function tarEntries(changes: readonly ChangedFile[]): LayerEntry[] {
  return changes.map(({ path, content }) => {
    return { type: 'file', name: path.slice(1), mode: 0o644, sizeBytes: content.length, content: [content] }
  })
}

/** A container with the changes made, and durable; it is closed. */
export async function changedContainer(
  store: Store,
  image: string,
  name: string,
  changes: readonly ChangedFile[],
): Promise<void> {
  await using box = await store.create(image, { name })
  for (const { path, content } of changes) await box.promises.writeFile(path, content)
  await box.sync()
}

function piecesOf(tar: string): Buffer[] {
  const fd = openSync(tar, 'r')
  try {
    return Array.from({ length: changedFiles }, (_, at) => {
      const piece = Buffer.alloc(changedFileBytes)
      const count = readSync(fd, piece, 0, piece.length, at * changedFileBytes)
      // Shorter than all of them: it begins again, with a mark that makes each piece another.
      if (count < piece.length) readSync(fd, piece, count, piece.length - count, at)
      piece.writeUInt32LE(at, 0)
      return piece
    })
  } finally {
    closeSync(fd)
  }
}
