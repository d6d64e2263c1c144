/**
 * Looks whether a store still is what was written into it, while others read and write it. Nothing is changed.
 *
 * Metadata first, always all of it; then, from depth `structure` on, contents one by one, in an order that a later check can go on in.
 *
 * Invariants:
 * - What is removed or replaced meanwhile is no finding: a finding in metadata counts when a second look finds the same.
 * - Bytes are hashed by jobs, at most as many at a time as the pool has threads; one at a time when the rate is bounded.
 */
import type { Finding, OperationContext } from '../operation.js'
import type { StoreParts } from '../store-parts.js'
import { containerItems } from './containers.js'
import { blobItems, contentItems, type Item } from './contents.js'
import { checkDirectories } from './directories.js'
import { type CheckDepth, depths, type Found } from './kinds.js'
import { checkMetadata } from './metadata.js'
import { findingOf, type Survey, surveyOf } from './survey.js'

export interface CheckOptions {
  /** `metadata`: records and references; `structure`: also sizes and indexes; `full` (default): every byte. */
  readonly depth?: CheckDepth
  /** Bytes to read in a second at most. Default: as fast as it goes. */
  readonly bytesPerSecond?: number
  /** Contents up to here were looked at by an earlier check, which said so in its progress events. */
  readonly resume?: string
  readonly signal?: AbortSignal
}

export interface CheckReport {
  readonly depth: CheckDepth
  /** All that were told in events. */
  readonly findings: readonly Finding[]
  /** Contents that were looked at. */
  readonly checked: number
  readonly bytesRead: number
}

type Given = Omit<CheckOptions, 'signal'>

export async function checkStore(parts: StoreParts, given: Given, op: OperationContext): Promise<CheckReport> {
  const { depth, after, bytesPerSecond } = checked(given)
  const findings: Finding[] = []
  const tell = (found: readonly Found[], survey: Survey) => {
    for (const finding of found.map(one => findingOf(one, survey))) {
      findings.push(finding)
      op.emit({ type: 'finding', subject: finding.path, message: finding.reason, finding })
    }
  }
  const { found, survey } = await op.stage('metadata', () => twice(parts, depth))
  tell(found, survey)
  if (depth === 'metadata') return { depth, findings, checked: 0, bytesRead: 0 }
  const told = new Set(found.map(({ path }) => path))
  const items = [...(await contentItems(parts, survey)), ...containerItems(parts, survey), ...(await blobItems(parts))]
    .filter(({ key, path }) => (after === undefined || key > after) && !told.has(path))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
  const run = new Run({ items, depth, bytesPerSecond, tell: found => tell(found, survey) }, op)
  await op.stage('contents', () => run.all(bytesPerSecond === undefined ? Math.max(1, parts.workers().workers) : 1))
  return { depth, findings, checked: items.length, bytesRead: run.bytes }
}

/** @throws TypeError for options that mean nothing */
function checked({ depth = 'full', bytesPerSecond, resume }: Given) {
  if (!depths.includes(depth)) throw new TypeError(`depth is one of ${depths.join(', ')}, not ${String(depth)}`)
  if (bytesPerSecond !== undefined && !(bytesPerSecond > 0))
    throw new TypeError(`bytesPerSecond is more than 0, not ${String(bytesPerSecond)}`)
  const [, of, after] = /^(structure|full):((?:layer|blob|container) .*)$/s.exec(resume ?? '') ?? []
  if (resume !== undefined && of !== depth)
    throw new TypeError(`resume: ${JSON.stringify(resume)} is not of a check of depth ${depth}`)
  return { depth, bytesPerSecond, after }
}

/** What is wrong with metadata; somebody may be in the middle of changing it, so what is wrong only once is not. */
async function twice(
  parts: StoreParts,
  depth: CheckDepth,
): Promise<{ readonly found: Found[]; readonly survey: Survey }> {
  const look = async () => {
    const survey = await surveyOf(parts)
    const found = await checkMetadata(parts, survey)
    if (depth !== 'metadata') found.push(...(await checkDirectories(parts, survey)))
    return { found, survey }
  }
  const first = await look()
  if (first.found.length === 0) return first
  await parts.root.io.sleep(secondLookMs)
  const second = await look()
  const before = new Set(first.found.map(identityOf))
  return { found: second.found.filter(one => before.has(identityOf(one))), survey: second.survey }
}

/** Longer than anybody takes between two steps of one publication, unless it waits for the disk. */
const secondLookMs = 50

function identityOf({ kind, path, reason }: Found): string {
  return `${kind} ${path} ${reason}`
}

interface RunParts {
  readonly items: readonly Item[]
  readonly depth: CheckDepth
  readonly bytesPerSecond: number | undefined
  readonly tell: (found: readonly Found[]) => void
}

/** The contents of one check. */
class Run {
  bytes = 0
  readonly #parts: RunParts
  readonly #op: OperationContext
  readonly #done = new Set<number>()
  /** Items before this one are done. */
  #first = 0

  constructor(parts: RunParts, op: OperationContext) {
    this.#parts = parts
    this.#op = op
  }

  async all(lanes: number): Promise<void> {
    const { items } = this.#parts
    let next = 0
    let failed = false
    const lane = async () => {
      while (next < items.length && !failed) {
        const at = next++
        try {
          this.#op.signal.throwIfAborted()
          await this.#one(items[at]!)
        } catch (error) {
          failed = true
          throw error
        }
        this.#ended(at)
      }
    }
    const ended = await Promise.allSettled(Array.from({ length: lanes }, lane))
    for (const lane of ended) if (lane.status === 'rejected') throw lane.reason
  }

  async #one(item: Item): Promise<void> {
    const { depth, bytesPerSecond, tell } = this.#parts
    let bytes = 0
    const onProgress = (now: number) => {
      this.bytes += now - bytes
      this.#op.report.bytesRead += now - bytes
      bytes = now
    }
    tell(await item.check({ full: depth === 'full', bytesPerSecond, signal: this.#op.signal, onProgress }))
  }

  #ended(at: number): void {
    const { items, depth } = this.#parts
    this.#done.add(at)
    while (this.#done.delete(this.#first)) this.#first++
    const last = items[this.#first - 1]
    const resume = last && `${depth}:${last.key}`
    this.#op.emit({
      type: 'progress',
      subject: 'check',
      done: this.#first,
      total: items.length,
      ...(resume && { resume }),
    })
  }
}
