/**
 * Another content in the place of a layer's damaged one, by a repair: one exchange of two directories, so that its names stay, and
 * whoever stands on it goes on.
 */
import { ifThere, storeIoError } from '../../disk/io.js'
import type { Root } from '../../disk/root.js'
import { PhylloError } from '../../errors.js'
import { loadSystemCalls } from '../../native/load-system-calls.js'
import { RENAME_EXCHANGE } from '../../native/system-calls.js'
import { FileSystemSync } from './file-system-sync.js'

/** How it is called, what it stands on, and whether something stands on it; of 125 layers' links some thousand bytes. */
const beside = [
  ['link', 0o644],
  ['lower', 0o644],
  ['committed', 0o600],
] as const
const mostBytes = 8192

/** Whether there is a directory that can be exchanged: one that still says how it is called. */
export async function hasNames({ io, paths }: Root, id: string): Promise<boolean> {
  return (await ifThere(io.status(paths.below(paths.layerContent(id), 'link')))) !== undefined
}

/** `staged`: a directory with `diff`. The old one is in the quarantine, under its own name, at that very moment. @throws STORE_BUSY, STORE_IO */
export async function exchangeDirectory(root: Root, id: string, staged: string): Promise<void> {
  const { io, paths } = root
  const place = paths.layerContent(id)
  const calls = await loadSystemCalls()
  if (calls === undefined) throw new PhylloError('DRIVER_UNSUPPORTED', 'driver overlay2 needs renameat2(2)', {})
  await root.assertAlone()
  await io.chmod(paths.below(staged, 'diff'), 0o755)
  for (const [name, mode] of beside) {
    const bytes = await ifThere(io.readFile(paths.below(place, name), mostBytes))
    if (bytes !== undefined) await io.writeNew(paths.below(staged, name), bytes, mode, false)
    if (name === 'lower' && bytes !== undefined) await io.mkdir(paths.below(staged, 'work'), 0o700)
  }
  await io.chmod(staged, 0o710)
  await new FileSystemSync(root).everything(paths.below(staged, 'link'))
  const aside = await root.quarantineFor(place)
  await io.rename(staged, aside)
  try {
    calls.renameat2(aside, place, RENAME_EXCHANGE)
  } catch (error) {
    throw await storeIoError('renameat2', place, error)
  }
  await root.flush(paths.content)
  await root.flush(paths.quarantine)
}
