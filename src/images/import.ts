/**
 * The tar of a root file system as an image of one layer: what `docker import` does (facts: docker-store 8.6).
 *
 * Invariants:
 * - Nothing is published before the whole layer is verified, and names come last.
 * - When this returns or throws, no job of it is running.
 */
import type { WritingContext } from '../disk/space.js'
import type { Stage } from '../disk/stage.js'
import { withFacts } from '../errors.js'
import type { DiffId } from '../oci/digest.js'
import { goJson } from '../oci/go-json.js'
import { hostPlatform, type Platform } from '../oci/platform.js'
import type { OperationContext } from '../operation.js'
import type { ByteRange } from '../pool/jobs.js'
import { applyChanges } from './commit-changes.js'
import type { CopiedImage, CopyTarget } from './copy.js'
import { dockerConfigJson, emptyRunConfig } from './docker-config.js'
import { leastBytes } from './least-bytes.js'
import { type NewTop, publishImage, taggable } from './publish-image.js'

export interface ImportText {
  /** `repository[:tag]` that the image gets. */
  readonly reference?: string
  /** Comment of the image. Default: where it was imported from. */
  readonly message?: string
  /** Dockerfile instructions, as of a commit. */
  readonly changes?: readonly string[]
  /** What it runs on, parts as they were given. Default: the host's. */
  readonly platform?: Platform
  /** RFC 3339; default: now. */
  readonly created?: string
}

export interface ImportSource {
  /** For messages. */
  readonly label: string
  /** Of the tar, compressed or not; may be growing. */
  readonly range: ByteRange
  /** In the default message: `-` for bytes that came with the call, else the URL. */
  readonly from: string
}

/** Before any work is done. @throws REFERENCE_INVALID, CHANGE_INVALID */
export function checkImport({ reference, changes = [] }: ImportText): void {
  if (reference !== undefined) taggable(reference)
  applyChanges(emptyRunConfig, changes)
}

/** @throws what `checkImport` throws, TAR_INVALID and whatever else the job throws, and the signal's reason */
export async function importLayer(
  source: ImportSource,
  text: ImportText,
  to: CopyTarget,
  stage: Stage,
  op: WritingContext,
): Promise<CopiedImage> {
  const { layers, limits } = to
  await op.admit(await leastBytes([source], { driver: layers.driver, limits, fits: op.fits }))
  const layer = await op.stage('layer', () => writeLayer(source, to, stage, op))
  op.signal.throwIfAborted()
  const reference = text.reference === undefined ? undefined : taggable(text.reference)
  const config = importConfig(text, source.from, layer.diffId)
  const image = { label: source.label, config, stack: [layer.diffId], layer, reference, done: 'Imported' }
  return op.stage('publish', () => publishImage(image, to, op))
}

async function writeLayer(
  { label, range }: ImportSource,
  { layers, pool, limits }: CopyTarget,
  stage: Stage,
  op: OperationContext,
): Promise<NewTop> {
  const staged = stage.file('layer')
  const total = Number.isFinite(range.sizeBytes) ? { total: range.sizeBytes } : {}
  const onProgress = (done: number) => {
    job.left(range.sizeBytes - done)
    op.emit({ type: 'progress', subject: label, done, ...total })
  }
  const content = { source: range, label, target: staged }
  const job = layers.driver.jobs({ pool, limits }).write(content, { signal: op.signal, onProgress })
  job.wantHelp()
  try {
    const { diffId, sizeBytes, fileBytes, warnings } = await job.output
    for (const message of warnings) op.emit({ type: 'warning', subject: label, message })
    op.report.bytesWritten += fileBytes
    return { diffId, sizeBytes, staged }
  } catch (error) {
    throw withFacts(error, { path: label }, label)
  } finally {
    await job.gone()
  }
}

/** Keys in Docker's order. No `docker_version`, for none was here. */
function importConfig({ message, changes = [], ...text }: ImportText, from: string, diffId: DiffId): Buffer {
  const { created = new Date().toISOString(), platform = hostPlatform() } = text
  const comment = message || `Imported from ${from}`
  return Buffer.from(
    goJson({
      architecture: platform.architecture,
      comment,
      config: dockerConfigJson(applyChanges(emptyRunConfig, changes)),
      container_config: dockerConfigJson(emptyRunConfig),
      created,
      history: [{ created, comment }],
      os: platform.os,
      rootfs: { type: 'layers', diff_ids: [diffId] },
      variant: platform.variant,
    }),
  )
}
