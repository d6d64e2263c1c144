/** The jobs that unpack layers into directories. */
import type { CommitLayerOutput, WriteLayerOutput } from '../../pool/jobs.js'
import type { RunOptions } from '../../pool/pool.js'
import type { CommitContent, ContentJob, ContentJobs, ContentJobsParts, WriteContent } from '../driver.js'

export class DirectoryJobs implements ContentJobs {
  readonly #parts: ContentJobsParts

  constructor(parts: ContentJobsParts) {
    this.#parts = parts
  }

  write(content: WriteContent, options: RunOptions): ContentJob<WriteLayerOutput> {
    const { pool, limits } = this.#parts
    return jobOf(pool.run('unpack-layer', { ...content, limits }, options))
  }
}

function jobOf<Output>(output: Promise<Output>): ContentJob<Output> {
  const gone = async () => void (await output.catch(() => undefined))
  return { output, left: () => undefined, gone }
}
