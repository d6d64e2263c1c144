/** What stands at a path, when a collector may just have set it aside. */
import type { Root } from './root.js'

/** Between two looks of a reader that may not put back what a collector has set aside, milliseconds. */
const readerPauseMs = 5
const readerPauses = 100

/**
 * What the look finds there, after putting back what a collector has set aside from there. The caller's lease, if it has one, was
 * not there when the collector first looked; nobody who has one should have to wait until it looks again.
 */
export async function settled<T>(root: Root, path: string, look: () => Promise<T | undefined>): Promise<T | undefined> {
  for (let pauses = 0; ; pauses++) {
    const found = await look()
    if (found !== undefined) return found
    const aside = await root.inLimbo(path)
    // It may have come back between the look and the list: so look once more.
    if (aside.length === 0 || pauses === readerPauses) return look()
    for (const name of aside) await putBack(root, name)
  }
}

async function putBack(root: Root, name: string): Promise<void> {
  if (root.readOnlyReason === undefined) await root.restore(name)
  else await root.io.sleep(readerPauseMs)
}

/** Discards what stands there if it is damaged: under the root lock and after a second look, lest a repair is thrown away. */
export async function discardIf(root: Root, path: string, damaged: () => Promise<boolean>): Promise<void> {
  if (!(await damaged())) return
  await root.withLock(async () => {
    if (await damaged()) await root.discard(path)
  })
}
