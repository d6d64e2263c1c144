/** One layer of a copy: its bytes, wherever they come from, through a job into the stage, and whether they are what they should be. */
import { PhylloError, withFacts } from '../errors.js'
import { type DiffId, shortId } from '../oci/digest.js'
import type { OperationContext } from '../operation.js'
import type { LayerInput, TarSource } from '../pool/jobs.js'
import type { LayerJobs, WrittenLayer } from './layer-jobs.js'
import { type ImageSource, loadWords, type SourceImage, type SourceLayer } from './source.js'

export interface MissingLayer extends SourceLayer {
  /** See LayerLook. */
  readonly content: string
  /** Base first, with itself as the last. */
  readonly stack: readonly DiffId[]
}

export interface LayerWriting {
  readonly source: ImageSource
  readonly jobs: LayerJobs
  /** Whether it is still not there. */
  readonly isWanted: () => Promise<boolean>
}

export function stackOf(image: SourceImage): DiffId[] {
  return image.layers.map(({ diffId }) => diffId)
}

/** Undefined: somebody else has brought it. */
export async function writeLayer(
  layer: MissingLayer,
  { source, jobs, isWanted }: LayerWriting,
  op: OperationContext,
): Promise<WrittenLayer | undefined> {
  const { member, diffId, remote } = layer
  const subject = layer.subject ?? shortId(diffId)
  try {
    const output =
      remote === undefined
        ? await writeFrom(layer, await jobs.find(() => inputOf(layer)), jobs)
        : await remote.fetch(({ range, progress }) => writeFrom(layer, range, jobs, progress), {
            signal: jobs.signal,
            isWanted,
          })
    for (const message of output?.warnings ?? []) op.emit({ type: 'warning', subject, message })
    op.report.bytesWritten += output?.fileBytes ?? 0
    if (!source.publishesEarly) op.emit({ type: 'layer', subject, message: (source.words ?? loadWords).written })
    return output
  } catch (error) {
    throw withFacts(error, { path: source.name, member }, `${source.name}: ${member}`)
  }
}

async function inputOf({ range, stored, diffId }: SourceLayer): Promise<LayerInput> {
  const input = range ?? (await stored?.tar())
  if (input !== undefined) return input
  throw new PhylloError('ARCHIVE_INVALID', 'the archive does not hold this layer, and neither does the store', {
    diffId,
  })
}

async function writeFrom(
  layer: MissingLayer,
  input: LayerInput,
  jobs: LayerJobs,
  onProgress?: (bytes: number) => void,
): Promise<WrittenLayer> {
  const { member, diffId, digest, content, subject = shortId(diffId) } = layer
  const options = { ...(digest && { digest }), ...(onProgress && { onProgress }) }
  const output = await jobs.write({ source: input, member, subject, content, ...options })
  verify(layer, input, output)
  return output
}

/** A job that was started on an arriving stream did not know what to expect. */
function verify({ diffId, digest }: SourceLayer, source: LayerInput, output: WrittenLayer): void {
  if (digest !== undefined && output.digest !== digest) {
    const facts = { expected: digest, actual: output.digest }
    throw new PhylloError('DIGEST_MISMATCH', `hashes to ${output.digest}, not to ${digest}`, facts)
  }
  if (output.diffId !== diffId) {
    const facts = { expected: diffId, actual: output.diffId }
    if ('tar' in source) throw damaged(source.tar, facts)
    throw new PhylloError('DIFF_ID_MISMATCH', `invalid diffID: expected ${diffId}, got ${output.diffId}`, facts)
  }
}

function damaged(tar: TarSource, facts: { readonly expected: string; readonly actual: string }): PhylloError {
  const path = 'layerFile' in tar ? tar.layerFile : tar.tarSplit
  return new PhylloError('STORE_CORRUPT', `${path}: holds ${facts.actual}, not ${facts.expected}`, { path, ...facts })
}
