/**
 * The system calls of system-calls.ts, put together from their rooms.
 *
 * Invariant: every load has buffers of its own, and every thread loads for itself. Nothing is shared, nothing outlives its owner.
 */
import { bindDescriptorCalls } from './descriptor-calls.js'
import { type LinuxLibc, loadLinuxLibc } from './linux-libc.js'
import { bindMountCalls } from './mount-calls.js'
import { bindPathCalls } from './path-calls.js'
import type { SystemCalls } from './system-calls.js'
import { bindXattrCalls } from './xattr-calls.js'

/** Undefined, never an error: this process has no way to make them. Load once and keep it. */
export async function loadSystemCalls(): Promise<SystemCalls | undefined> {
  const libc = await loadLinuxLibc()
  return libc && bind(libc)
}

function bind(libc: LinuxLibc): SystemCalls | undefined {
  try {
    return { ...bindPathCalls(libc), ...bindXattrCalls(libc), ...bindMountCalls(libc), ...bindDescriptorCalls(libc) }
  } catch {
    return undefined // koffi found no such symbol: a C library that is neither glibc nor musl
  }
}
