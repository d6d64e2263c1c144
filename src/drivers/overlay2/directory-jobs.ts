/** The jobs that unpack layers into directories. */
import type { CommitLayerOutput, WriteLayerOutput } from '../../pool/jobs.js'
import type { RunOptions } from '../../pool/pool.js'
import type { CommitContent, ContentJob, ContentJobs, ContentJobsParts, WriteContent } from '../driver.js'

export interface DirectoryJobsOptions {
  /** A job syncs the file system before it answers: that is done beside the work of others. */
  readonly durable: boolean
  /** See UnpackLayerInput. */
  readonly placeBytes: number
}

export class DirectoryJobs implements ContentJobs {
  readonly #parts: ContentJobsParts
  readonly #options: DirectoryJobsOptions

  constructor(parts: ContentJobsParts, options: DirectoryJobsOptions) {
    this.#parts = parts
    this.#options = options
  }

  write(content: WriteContent, options: RunOptions): ContentJob<WriteLayerOutput> {
    const { pool, limits } = this.#parts
    return jobOf(pool.run('unpack-layer', { ...content, ...this.#options, limits }, options))
  }

  commit(content: CommitContent, _tarBytes: number, options: RunOptions): ContentJob<CommitLayerOutput> {
    const { pool, limits } = this.#parts
    return jobOf(pool.run('commit-directory', { ...content, ...this.#options, limits }, options))
  }
}

/** Nobody helps with it. */
function jobOf<Output>(output: Promise<Output>): ContentJob<Output> {
  const gone = async () => void (await output.catch(() => undefined))
  return { output, wantHelp: () => undefined, left: () => undefined, gone }
}
