/** The jobs that write layer files: they are helped with their blocks while there are threads that nobody else wants. */
import { BlockHelp } from '../../pool/block-help.js'
import type { CommitLayerOutput, JobName, Jobs, LayerInput, WriteLayerOutput } from '../../pool/jobs.js'
import type { RunOptions } from '../../pool/pool.js'
import type { CommitContent, ContentJob, ContentJobs, ContentJobsParts, WriteContent } from '../driver.js'
import type { PackedOptions } from './packed-driver.js'

export class PackedJobs implements ContentJobs {
  readonly #parts: ContentJobsParts & PackedOptions
  readonly #rings: SharedArrayBuffer[] = []

  constructor(parts: ContentJobsParts & PackedOptions) {
    this.#parts = parts
  }

  write(content: WriteContent, options: RunOptions): ContentJob<WriteLayerOutput> {
    const { limits, compression } = this.#parts
    return this.#run('write-layer', { ...content, limits, compression }, toCompress(content.source), options)
  }

  commit(content: CommitContent, tarBytes: number, options: RunOptions): ContentJob<CommitLayerOutput> {
    const { limits, compression } = this.#parts
    return this.#run('commit-layer', { ...content, limits, compression }, tarBytes, options)
  }

  #run<N extends JobName>(name: N, input: Jobs[N]['input'], bytes: number, options: RunOptions) {
    const { pool, compression } = this.#parts
    const help = compression === 'none' ? undefined : BlockHelp.of(pool, compression, bytes, this.#rings)
    const output: Promise<Jobs[N]['output']> = pool.run(name, input, {
      ...options,
      ...(help && { memory: () => help.memory() }),
    })
    const gone = async () => {
      await output.catch(() => undefined)
      await help?.end()
    }
    return { output, wantHelp: () => help?.want(), left: (left: number) => help?.left(left), gone }
  }
}

/** Bytes of the input that have to be compressed: blocks of a layer file have been, most of the time. */
function toCompress(source: LayerInput): number {
  return 'tar' in source && 'layerFile' in source.tar ? 0 : source.sizeBytes
}
