/**
 * Downloads that have stopped half-way, `partial/sha256/<digest>`: whoever writes one holds a lock on it, and anybody may take it up
 * later. One that nobody has touched for a week is given up.
 */
import { join } from 'node:path'
import { failedWith, ifThere } from './io.js'
import type { Root } from './root.js'

const keptMs = 7 * 24 * 60 * 60 * 1000

/** Paths of those that are as old, whoever holds them. */
export async function oldPartials({ io, paths }: Root, now = Date.now()): Promise<string[]> {
  const old: string[] = []
  for (const algorithm of (await ifThere(io.readdir(paths.partials))) ?? []) {
    const directory = join(paths.partials, algorithm)
    for (const name of (await readdirIfDirectory(io, directory)).sort()) {
      const status = await ifThere(io.status(join(directory, name)))
      if (status?.type === 'file' && status.mtimeMs < now - keptMs) old.push(join(directory, name))
    }
  }
  return old
}

async function readdirIfDirectory(io: Root['io'], path: string): Promise<string[]> {
  try {
    return await io.readdir(path)
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENOTDIR')) return []
    throw error
  }
}

/** Whether nobody holds it; and then, unless it is only asked, it goes to the trash. */
export async function giveUpPartial(
  root: Root,
  path: string,
  { dryRun }: { readonly dryRun: boolean },
): Promise<boolean> {
  const release = await ifThere(root.tryHold(path))
  if (release === undefined) return false
  try {
    return dryRun || (await root.toTrash(path)) !== undefined
  } finally {
    await release()
  }
}
