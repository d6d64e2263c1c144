/** What jobs a pool was given, and which of them have not ended. */
import type { JobName } from '../../src/pool/jobs.js'
import type { Pool } from '../../src/pool/pool.js'

export interface SeenJobs {
  /** In the order in which they were handed over. */
  readonly names: JobName[]
  /** Handed over and not settled. */
  readonly running: ReadonlySet<Promise<unknown>>
}

export function watchJobs(pool: Pool): SeenJobs {
  const names: JobName[] = []
  const running = new Set<Promise<unknown>>()
  const run = pool.run.bind(pool)
  pool.run = (name, input, options) => {
    names.push(name)
    const job = run(name, input, options)
    running.add(job)
    const settled = () => void running.delete(job)
    job.then(settled, settled)
    return job
  }
  return { names, running }
}
