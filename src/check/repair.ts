/**
 * Heals what a check finds: from what the store knows twice, from other copies, from an archive. What cannot be healed is moved to the
 * quarantine with what needs it, so that the rest of the store works and the image can be loaded again.
 *
 * Invariants:
 * - Nothing is deleted, and nothing is replaced that was not kept before.
 * - What is healed is looked at again: a round ends with a check, and the last check is the answer.
 */
import { taking } from '../archive/input-stream.js'
import { type ArchiveInput, openArchive } from '../archive/open.js'
import type { WritingContext } from '../disk/space.js'
import { storeFileText } from '../disk/store-file.js'
import { PhylloError } from '../errors.js'
import type { OperationContext } from '../operation.js'
import type { StoreParts } from '../store-parts.js'
import { checkStore } from './check.js'
import type { Finding, FindingKind } from './kinds.js'
import { left, type Mend, type Mended, moveAway, type Outcome, repaired, replaceSmall } from './mend.js'
import { mendContainer, mendContainerRecord, mendMount } from './mend-containers.js'
import { mendDirectory, mendLink } from './mend-directories.js'
import { mendConfig, mendMetadata, mendReferences } from './mend-images.js'
import { mendContent, mendMissing, mendRecord, mendUnreadable } from './mend-layers.js'
import { Sources } from './sources.js'
import { surveyOf } from './survey.js'

export interface RepairOptions {
  /** An archive or layout directory with images of this store. */
  readonly from?: ArchiveInput
  /** What an earlier check has found: spares the first look. */
  readonly findings?: readonly Finding[]
  readonly signal?: AbortSignal
}

export interface Repaired {
  readonly finding: Finding
  readonly outcome: Outcome
  /** What was done, or why nothing. */
  readonly how: string
}

export interface RepairReport {
  readonly repairs: readonly Repaired[]
  /** What a check of every byte found afterwards. */
  readonly findings: readonly Finding[]
}

const storeFile: Mend = async ({ path }, { parts: { root } }) => {
  await replaceSmall(root, path, storeFileText(root.paths.driver), 0o600)
  return repaired('written anew')
}

const away: Mend = ({ path }, { parts: { root } }) => moveAway(root, path)

/** In this order: what others are healed by comes first. */
const mends: Readonly<Record<FindingKind, Mend>> = {
  'store-file': storeFile,
  'image-config': mendConfig,
  'layer-record': mendRecord,
  'layer-missing': mendMissing,
  'layer-content': mendContent,
  'container-record': mendContainerRecord,
  mount: mendMount,
  link: mendLink,
  directory: mendDirectory,
  'container-content': mendContainer,
  references: mendReferences,
  reference: mendReferences,
  'image-metadata': mendMetadata,
  distribution: away,
  blob: away,
  unreadable: mendUnreadable,
}
const order = Object.keys(mends)

/** What is healed may let something else be seen: a layer's record its content, that what stands on it. */
const mostRounds = 6

export async function repairStore(
  parts: StoreParts,
  given: Omit<RepairOptions, 'signal'>,
  op: OperationContext,
): Promise<RepairReport> {
  return await taking(given.from ?? '', async () => {
    await parts.root.assertAlone()
    return await parts.space.watched(op, op => repairAll(parts, given, op))
  })
}

async function repairAll(
  parts: StoreParts,
  { from, findings: given }: Omit<RepairOptions, 'signal'>,
  op: WritingContext,
): Promise<RepairReport> {
  const { root, limits } = parts
  await using stage = await root.stage()
  const opened =
    from === undefined
      ? undefined
      : await openArchive(from, {
          limits,
          signal: op.signal,
          stage: async () => {
            await op.admit(0)
            return stage.file('archive.tar')
          },
        })
  await using _opened = opened
  const images = (await opened?.images()) ?? []
  const sources = new Sources(parts, images)
  const repairs = new Map<string, Repaired>()
  let findings = given ?? (await checkStore(parts, {}, op)).findings
  for (let round = 0; round < mostRounds; round++) {
    const ordered = findings.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
    let done = 0
    for (const finding of ordered) {
      op.signal.throwIfAborted()
      const mended = await mend(finding, { parts, survey: await surveyOf(parts), sources, op })
      repairs.set(`${finding.kind} ${finding.path} ${finding.reason}`, { finding, ...mended })
      op.emit({ type: 'warning', subject: finding.path, message: `${mended.outcome}: ${mended.how}` })
      if (mended.outcome !== 'left') done++
    }
    if (done === 0 && round > 0) break
    findings = (await checkStore(parts, {}, op)).findings
    if (findings.length === 0 || done === 0) break
  }
  return { repairs: [...repairs.values()], findings }
}

async function mend(finding: Finding, mending: Parameters<Mend>[1]): Promise<Mended> {
  try {
    return await mends[finding.kind as FindingKind](finding, mending)
  } catch (error) {
    if (!(error instanceof PhylloError) || ['STORE_CLOSED', 'STORE_BUSY', 'WORKER_DIED'].includes(error.code))
      throw error
    return left(error.message)
  }
}
