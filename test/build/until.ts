import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

/** Waits for what another part of the process, or another process, is about to bring about. */
export async function until(holds: () => boolean): Promise<void> {
  for (let left = 2000; !holds(); left--) {
    assert.ok(left > 0, `in vain: ${holds}`)
    await sleep(5)
  }
}
