/**
 * A container as a test drives it: one union after another over the same upper, and layers that come and go below it. `memory`
 * keeps the upper in memory. `packed` keeps it in a directory, as a store does. `killed` does so, too, and looks, whenever an upper
 * ends, at what each end of its journal would have left: the state before or after the step that was under way (P-73).
 */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Layer } from '../../src/drivers/layer.js'
import { parseJournal } from '../../src/drivers/packed/journal.js'
import { nodeUpperIo } from '../../src/drivers/packed/upper-io.js'
import type { Upper } from '../../src/drivers/upper.js'
import { loadChecksums } from '../../src/layerfile/checksum.js'
import { type ContainerFs, createContainerFace } from '../../src/overlay/face/container-face.js'
import type { Union } from '../../src/overlay/union/union.js'
import { commitLayer, contentsFile, scratch } from './commit-run.js'
import type { Driven } from './face-calls.js'
import { MemoryLayer } from './memory-layer.js'
import { memoryUpper } from './memory-upper.js'
import { packedUpper } from './packed-upper.js'
import { dumpUnion } from './union-dump.js'
import { layerOf, rootOf, unionOf } from './union-run.js'
import type { TreeNodes } from './union-sequence.js'

export type Keeping = 'memory' | 'packed' | 'killed'
export type DirectoryRename = 'copy' | 'exdev'

/** Where the journal ended when the container showed this. */
interface Moment {
  readonly end: number
  readonly shows: unknown
}

const checksums = await loadChecksums()

export class Session implements Driven, AsyncDisposable {
  union!: Union
  box!: ContainerFs
  /** Base first. */
  readonly layers: Layer[]
  readonly open = new Map<number, number>()
  readonly #files = new Map<Layer, string>()
  /** How often the journal was cut, all in all. */
  cuts = 0
  readonly #keeping: Keeping
  readonly #directoryRename: DirectoryRename
  readonly #directory: string
  readonly #closing: (() => Promise<void>)[] = []
  #upper!: Upper
  #uppers = 0
  #moments: Moment[] = []

  private constructor(layers: readonly TreeNodes[], keeping: Keeping, directoryRename: DirectoryRename) {
    this.layers = layers.map(layerOf)
    this.#keeping = keeping
    this.#directoryRename = directoryRename
    this.#directory = scratch('phyllo-session-')
  }

  static async open(
    layers: readonly TreeNodes[],
    keeping: Keeping,
    directoryRename: DirectoryRename,
  ): Promise<Session> {
    const session = new Session(layers, keeping, directoryRename)
    await session.#begin()
    return session
  }

  /** Where the contents of the layers lie: those of a layer in memory are written once. */
  async layerFiles(): Promise<ReadonlyMap<Layer, string>> {
    for (const layer of this.layers)
      if (layer instanceof MemoryLayer && !this.#files.has(layer))
        this.#files.set(layer, await contentsFile(this.#directory, layer, this.#files.size))
    return this.#files
  }

  /** Something was done as one step. */
  async stepped(): Promise<void> {
    if (this.#keeping === 'killed')
      this.#moments.push({ end: statSync(join(this.#place, 'journal')).size, shows: dumpUnion(this.union) })
  }

  /** The same upper, read again by a union that has seen nothing yet. */
  async reopen(sync: boolean): Promise<void> {
    if (sync) await this.#upper.sync()
    await this.#end()
    if (this.#keeping !== 'memory') this.#upper = await this.#open(this.#place)
    this.#over()
  }

  /** Commits the upper, puts the layer on top and begins with a new one. */
  async rotate(): Promise<void> {
    const directory = join(this.#directory, `layer-${this.#uppers}`)
    mkdirSync(directory)
    const committed = await commitLayer(this.union, directory, await this.layerFiles())
    if (committed !== undefined) this.#closing.push(() => committed.layer.close())
    await this.#end()
    if (committed !== undefined) {
      this.layers.push(committed.layer)
      this.#files.set(committed.layer, committed.path)
    }
    await this.#begin()
  }

  /** Puts other layers below the container, whose upper is empty. */
  async relayer(layers: readonly Layer[]): Promise<void> {
    await this.#end()
    this.layers.splice(0, this.layers.length, ...layers)
    await this.#begin()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#end()
    } finally {
      for (const close of this.#closing) await close()
      rmSync(this.#directory, { recursive: true, force: true })
    }
  }

  get #place(): string {
    return join(this.#directory, `upper-${this.#uppers}`)
  }

  async #begin(): Promise<void> {
    this.#uppers++
    this.#upper = this.#keeping === 'memory' ? memoryUpper(rootOf()) : await this.#open(this.#place)
    this.#over()
  }

  #open(directory: string): Promise<Upper> {
    return packedUpper(directory, { root: rootOf(), checksums, eager: this.#keeping === 'killed' })
  }

  #over(): void {
    this.union = unionOf(this.layers, this.#upper, { directoryRename: this.#directoryRename })
    this.box = createContainerFace(this.union)
    this.#moments = []
    void this.stepped()
  }

  async #end(): Promise<void> {
    if (this.#keeping === 'memory') return
    await this.#upper.close()
    if (this.#keeping === 'killed') await this.#cutEverywhere()
  }

  /** Behind each frame, and within it. */
  async #cutEverywhere(): Promise<void> {
    const journal = readFileSync(join(this.#place, 'journal'))
    const { frames, end } = parseJournal('journal', journal, checksums.xxh64)
    const ends = [...frames.slice(1).map(({ offset }) => offset), end]
    const copy = join(this.#directory, 'cut')
    cpSync(this.#place, copy, { recursive: true })
    for (const [at, frameEnd] of ends.entries()) {
      if (frameEnd <= this.#moments[0]!.end) continue
      const before = ends[at - 1] ?? 0
      await this.#cut(copy, journal, frameEnd, frameEnd)
      if (before >= this.#moments[0]!.end) await this.#cut(copy, journal, (before + frameEnd) >> 1, before)
    }
    rmSync(copy, { recursive: true })
  }

  /** Cut off at `end`, the journal has whole frames up to `whole`. */
  async #cut(directory: string, journal: Buffer, end: number, whole: number): Promise<void> {
    writeFileSync(join(directory, 'journal'), journal.subarray(0, end))
    // What is not needed any more is needed by the next, shorter journal
    const io = { ...nodeUpperIo, unlink: () => undefined }
    const upper = await packedUpper(directory, { root: rootOf(), checksums, io })
    const shown = dumpUnion(unionOf(this.layers, upper))
    await upper.close()
    const last = this.#moments.findLastIndex(moment => moment.end <= whole)
    const { end: exactly, shows: before } = this.#moments[last]!
    // Behind the last step there is but the mark of a sync
    const after = exactly === whole ? before : (this.#moments[last + 1]?.shows ?? before)
    this.cuts++
    try {
      assert.deepEqual(shown, after)
    } catch {
      assert.deepEqual(shown, before, `the journal ended at ${end}`)
    }
  }
}
