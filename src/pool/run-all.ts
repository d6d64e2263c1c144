/**
 * Several jobs of one kind on the pool that work on the same thing.
 *
 * Invariant: the first failure, or an abort, ends all of them, and when it settles none of them runs any more.
 */
import { setMaxListeners } from 'node:events'
import type { JobName, Jobs } from './jobs.js'
import type { Pool } from './pool.js'

export interface RunAllOptions {
  readonly signal: AbortSignal
  /** Bytes done so far by the job of this number. */
  readonly onProgress?: (bytesDone: number, job: number) => void
}

/** `count` jobs with one and the same input; the outputs in no order that means anything. */
export async function runAll<K extends JobName>(
  pool: Pool,
  name: K,
  input: Jobs[K]['input'],
  count: number,
  { signal, onProgress }: RunAllOptions,
): Promise<Jobs[K]['output'][]> {
  const stop = new AbortController()
  // Every job listens to it.
  setMaxListeners(0, stop.signal)
  const abort = () => stop.abort(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  const outputs: Jobs[K]['output'][] = []
  const one = async (job: number) => {
    try {
      const progress = onProgress && { onProgress: (bytes: number) => onProgress(bytes, job) }
      outputs.push(await pool.run(name, input, { signal: stop.signal, ...progress }))
    } catch (error) {
      stop.abort(error)
    }
  }
  await Promise.all(Array.from({ length: count }, (_, job) => one(job)))
  signal.removeEventListener('abort', abort)
  stop.signal.throwIfAborted()
  return outputs
}
