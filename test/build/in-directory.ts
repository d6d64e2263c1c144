/** A test in a directory of its own, which is gone afterwards. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export function inDirectory(work: (directory: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const directory = mkdtempSync(join(tmpdir(), 'phyllo-test-'))
    try {
      await work(directory)
    } finally {
      rmSync(directory, { recursive: true })
    }
  }
}
