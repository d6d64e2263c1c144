/**
 * A folder that goes with the process. The only handler of the library, and there only while a temporary store is: what it is
 * told of, the process's end, nobody else can tell.
 */
import { rmSync } from 'node:fs'

/** Removes the folder when the process exits, or when the answer is called. What a signal kills removes nothing. */
export function removeAtExit(folder: string): () => Promise<void> {
  const remove = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  return async () => {
    process.off('exit', remove)
    await (await import('fs-extra/esm')).remove(folder)
  }
}
