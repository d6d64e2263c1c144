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
import type { Layer } from '../drivers/layer.js'
import { PhylloError, withFacts } from '../errors.js'
import type { LayerStore } from '../layers/layer-store.js'
import { type OpenLayers, releaseAll } from '../layers/open-layers.js'
import type { OperationContext } from '../operation.js'
import { lowersOf } from '../overlay/union/lookup.js'
import { Pace } from '../overlay/union/pace.js'
import { type PlanPart, planDirectories } from '../overlay/walk/plan-tree.js'
import type { NotSetKind, TarSource, WriteTreeInput } from '../pool/jobs.js'
import type { Pool } from '../pool/pool.js'
import { runAll } from '../pool/run-all.js'
import { type NotSet, NotSetCounter } from '../unpack/not-set.js'
import type { ImageCatalog } from './image-catalog.js'

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
  readonly tarSource: (layer: Layer) => TarSource
  readonly root: Root
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
      const report = await writeTree(name, lowers, output, links, from, op)
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
  op: OperationContext,
): Promise<UnpackReport> {
  await using plan = await PlanFile.create(output.plan)
  const target = { append: (lines: string) => plan.append(lines), signal: op.signal }
  const { tree, born } = output
  const sync = isDurable(from) && !(await OutputDirectory.canFlush())
  const sources = lowers.map(from.tarSource)
  const jobs = new TreeJobs({ tree, plan: output.plan, sources, born, sync, ...(links && { links }) }, label, from, op)
  const directories = await op.stage('plan', () => planDirectories(lowers, new Pace(), target))
  const making = jobs.run('directories', directories.parts)
  // A failure of it is heard of behind the plan
  making.catch(() => undefined)
  const [rest] = await settled([op.stage('plan', () => directories.rest.plan(target)), making])
  jobs.totalBytes = rest.bytes
  await op.stage('nodes', () => jobs.run('nodes', rest.parts))
  await op.stage('attributes', () => jobs.run('attributes', [...directories.parts].reverse()))
  op.report.bytesWritten += jobs.done.bytes
  const { entries, bytes, shared } = jobs.done
  return { directory: output.path, entries, bytes, shared, notSet: jobs.notSet.report }
}

class TreeJobs {
  readonly done = { entries: 0, bytes: 0, shared: 0 }
  readonly notSet = new NotSetCounter()
  totalBytes = 0
  readonly #input: Omit<WriteTreeInput, 'parts' | 'taken' | 'step'>
  readonly #label: string
  readonly #pool: Pool
  readonly #op: OperationContext

  constructor(
    input: Omit<WriteTreeInput, 'parts' | 'taken' | 'step'>,
    label: string,
    { pool }: UnpackSource,
    op: OperationContext,
  ) {
    this.#input = input
    this.#label = label
    this.#pool = pool()
    this.#op = op
  }

  async run(step: WriteTreeInput['step'], parts: readonly PlanPart[]): Promise<void> {
    const input = { ...this.#input, step, parts, taken: new SharedArrayBuffer(4) }
    const jobBytes = new Map<number, number>()
    const onProgress = (bytes: number, job: number) => {
      jobBytes.set(job, bytes)
      const done = [...jobBytes.values()].reduce((sum, each) => sum + each, 0)
      if (step === 'nodes') this.#op.emit({ type: 'progress', subject: this.#label, done, total: this.totalBytes })
    }
    const count = Math.min(parts.length, this.#jobsAtOnce(step))
    const outputs = await runAll(this.#pool, 'write-tree', input, count, { signal: this.#op.signal, onProgress })
    for (const { entries, bytes, shared, notSet } of outputs) {
      this.done.entries += entries
      this.done.bytes += bytes
      this.done.shared += shared
      this.notSet.addAll(notSet)
    }
  }

  /** A parent is made before what is in it, and an ordinary user shuts himself out of one only after that. */
  #jobsAtOnce(step: WriteTreeInput['step']): number {
    const inOrder = step === 'directories' || (step === 'attributes' && process.geteuid?.() !== 0)
    return inOrder ? 1 : Math.max(1, this.#pool.workers)
  }
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
    await this.#file.close()
  }
}

async function written<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const { code: errno, message } = cause as NodeJS.ErrnoException
    throw new PhylloError('OUTPUT_IO', `the plan cannot be written: ${message}`, {
      operation: 'write',
      path,
      errno,
      cause,
    })
  }
}

/** What could not be written is known by the directory's name. */
function outputFailure(error: unknown, path: string): unknown {
  const written = error instanceof PhylloError && (error.code === 'OUTPUT_IO' || error.code === 'NAME_COLLISION')
  return written ? withFacts(error, { path }, path) : error
}
