/**
 * The merged tree of an image in a directory: main plans what is to be made, jobs make it, and the directory gets its name when
 * all is there.
 *
 * Invariants:
 * - Only what the image shows is written, each inode once.
 * - Until the end nothing stands under the directory's name; after a failure or an abort nothing of it is left.
 * - When this returns or throws, no job of it is running.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { OutputDirectory } from '../disk/output-directory.js'
import type { Root } from '../disk/root.js'
import { Space, type WritingContext } from '../disk/space.js'
import type { Layer } from '../drivers/layer.js'
import { PhylloError, toldLater, withFacts } from '../errors.js'
import type { LayerStore } from '../layers/layer-store.js'
import { type OpenLayers, releaseAll } from '../layers/open-layers.js'
import type { Limits } from '../limits.js'
import type { OperationContext } from '../operation.js'
import { lowersOf } from '../overlay/union/lookup.js'
import { Pace } from '../overlay/union/pace.js'
import { planDirectories } from '../overlay/walk/plan-tree.js'
import type { ContentSource, NotSetKind } from '../pool/jobs.js'
import type { Pool } from '../pool/pool.js'
import type { NotSet } from '../unpack/not-set.js'
import { PlanBoard, type PlanPart } from '../unpack/plan-board.js'
import type { ImageCatalog } from './image-catalog.js'
import { TreeJobs, TreeStep } from './tree-jobs.js'

export interface UnpackOptions {
  readonly signal?: AbortSignal
  /**
   * How files may share their contents with an overlay2 store on the same file system; where that cannot be, they are copies.
   * `reflink`: copy on write, as good as a copy. `hardlink`: the very files of the store, so whoever changes one of them in the
   * directory changes the image, and damages the store: only for what nobody ever writes to. Default: copies.
   */
  readonly links?: 'reflink' | 'hardlink'
}

export interface UnpackReport {
  /** Absolute, free of symlinks. */
  readonly directory: string
  /** Names that are there now, without the directory's own. */
  readonly entries: number
  /** Of contents that were written. */
  readonly bytes: number
  /** Files that share their content with the store. */
  readonly shared: number
  /** What the image says and the directory does not have, by kind: `count` is 0 for most, and for all as root on Linux. */
  readonly notSet: Readonly<Record<NotSetKind, NotSet>>
}

export type { NotSet, NotSetKind }

export interface UnpackSource {
  readonly layers: LayerStore
  readonly open: OpenLayers
  readonly catalog: ImageCatalog
  readonly pool: () => Pool
  /** Where contents of a layer are. */
  readonly contentSource: (layer: Layer) => ContentSource
  readonly root: Root
  readonly limits: Limits
}

export interface UnpackWish {
  readonly image: string
  readonly directory: string
  readonly links: UnpackOptions['links']
}

/** @throws IMAGE_NOT_FOUND, OUTPUT_EXISTS, OUTPUT_IO, NAME_COLLISION, STORE_CORRUPT, STORE_IO, and the signal's reason */
export async function unpackImage(
  { image: name, directory, links }: UnpackWish,
  from: UnpackSource,
  op: OperationContext,
): Promise<UnpackReport> {
  const { image } = await from.catalog.resolve(name)
  const { diffIds } = image.config
  await using _lease = await from.layers.lease({ stacks: [diffIds], images: [image.id] })
  const handles = await from.open.acquireAll(await from.layers.chainOf(diffIds))
  try {
    const output = await OutputDirectory.create(directory)
    try {
      const lowers = lowersOf(handles.map(({ layer }) => layer))
      const space = new Space({ io: from.root.io, path: output.tree, limits: from.limits, countsInodes: true })
      const report = await space.watched(op, op => writeTree(name, lowers, output, links, from, op))
      op.signal.throwIfAborted()
      await op.stage('publish', () => output.commit(isDurable(from)))
      op.emit({ type: 'image', subject: name, message: `Unpacked into ${output.path}` })
      return report
    } catch (error) {
      await output.discard()
      throw outputFailure(error, output.path)
    }
  } finally {
    await releaseAll(handles)
  }
}

const isDurable = ({ root }: UnpackSource) => root.durability === 'full'

/** Everything but the directory's name. */
async function writeTree(
  label: string,
  lowers: readonly Layer[],
  output: OutputDirectory,
  links: UnpackOptions['links'],
  from: UnpackSource,
  op: WritingContext,
): Promise<UnpackReport> {
  await using plan = await PlanFile.create(output.plan)
  const { tree, born } = output
  const sync = isDurable(from) && !(await OutputDirectory.canFlush())
  const sources = lowers.map(from.contentSource)
  const input = { tree, plan: output.plan, sources, born, sync, ...(links && { links }) }
  using jobs = new TreeJobs(input, { label, pool: from.pool() }, op)
  try {
    await makeNodes(lowers, plan, jobs, op)
  } catch (error) {
    await jobs.stop(error)
    throw jobs.signal.reason
  }
  const { entries, bytes, shared } = jobs.done
  op.report.bytesWritten += bytes
  return { directory: output.path, entries, bytes, shared, notSet: jobs.notSet.report }
}

/** While the plan grows, its directories are made; whatever stands in them, as soon as they all are there. */
async function makeNodes(lowers: readonly Layer[], plan: PlanFile, jobs: TreeJobs, op: WritingContext): Promise<void> {
  op.watch()
  const append = (lines: string) => plan.append(lines)
  const { signal } = jobs
  const [directories, nodes] = [new TreeStep('directories', jobs), new TreeStep('nodes', jobs)]
  directories.begin(1)
  nodes.begin(jobs.atOnce - 1)
  const parts: PlanPart[] = []
  const onDirectories = (part: PlanPart) => {
    parts.push(part)
    directories.board.add(part)
  }
  const { rest } = await op.stage('plan', () =>
    planDirectories(lowers, new Pace(), { append, onPart: onDirectories, signal }),
  )
  directories.board.end()
  const held: PlanPart[] = []
  let made = false
  const onPart = (part: PlanPart) => (made ? nodes.board.add(part) : void held.push(part))
  const release = async () => {
    await directories.ended()
    made = true
    for (const part of held) nodes.board.add(part)
    nodes.begin(1)
  }
  const [{ bytes }] = await settled([op.stage('plan', () => rest.plan({ append, onPart, signal })), release()])
  nodes.board.end()
  jobs.totalBytes = bytes
  await op.admit(jobs.shares ? 0 : bytes)
  await op.stage('nodes', () => nodes.ended())
  const attributes = new TreeStep('attributes', jobs, PlanBoard.of(parts.reverse()))
  // An ordinary user shuts himself out of a directory only after all that is in it
  attributes.begin(process.geteuid?.() === 0 ? jobs.atOnce : 1)
  await op.stage('attributes', () => attributes.ended())
}

/** The results of both, when both have ended. */
async function settled<A, B>(work: readonly [Promise<A>, Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled(work)
  return Promise.all(work)
}

class PlanFile implements AsyncDisposable {
  readonly #file: FileHandle
  readonly #path: string

  private constructor(file: FileHandle, path: string) {
    this.#file = file
    this.#path = path
  }

  static async create(path: string): Promise<PlanFile> {
    return new PlanFile(await written(path, () => open(path, 'wx', 0o600)), path)
  }

  append(lines: string): Promise<void> {
    return written(this.#path, () => this.#file.appendFile(lines, 'latin1'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await written(this.#path, () => this.#file.close())
  }
}

function written<T>(path: string, work: () => Promise<T>): Promise<T> {
  return toldLater('OUTPUT_IO', { operation: 'write', path, said: 'the plan cannot be written' }, work)
}

/** What could not be written is known by the directory's name. */
function outputFailure(error: unknown, path: string): unknown {
  const written = error instanceof PhylloError && (error.code === 'OUTPUT_IO' || error.code === 'NAME_COLLISION')
  return written ? withFacts(error, { path }, path) : error
}
