/**
 * A store with everything in it that a store can have, and what happens to copies of it when one file of a class rots: found by the
 * check of the depth that promises it, never shown as something else, healed out of an archive.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DriverName } from '../../src/disk/paths.js'
import { PhylloError, Store } from '../../src/index.js'
import { archiveOf } from './image.js'
import {
  assertNothingWrong,
  copyStore,
  type Damage,
  damage,
  damageOf,
  filesByClass,
  findingsOf,
  rotArchive,
  type Shown,
  shownBy,
} from './rot.js'

export type Rot = 'flip' | 'cut' | 'delete'

/** What a class of files cannot promise, and why: see docs/check.md. */
export interface Bounds {
  /** Damage that no check can tell from a store that is whole. */
  readonly untold?: readonly Rot[]
  /** Depth from which on it is told; of the others they are told by metadata alone. */
  readonly depth?: 'structure' | 'full'
  /** Reading it has no checksum to go by: contents of a file system. Saving has. */
  readonly shownAsItIs?: boolean
  /** Not part of any image: nothing of it comes back out of an archive. */
  readonly notInArchive?: boolean
  /** What its readers get out of the file; throws for what they cannot read. Damage that leaves it as it was is none. */
  readonly read?: (bytes: Buffer) => Buffer
}

export class RotStore {
  readonly scratch = mkdtempSync(join(process.platform === 'linux' ? '/dev/shm' : tmpdir(), 'phyllo-rot-'))
  readonly root = join(this.scratch, 'store')
  readonly archive = join(this.scratch, 'all.tar')
  readonly images = ['base:v1', 'app:v1', 'app:latest', 'box:v1']
  #shown: Shown | undefined
  #classes = new Map<string, string[]>()

  static async make(driver: DriverName): Promise<RotStore> {
    const made = new RotStore()
    const loaded = join(made.scratch, 'app.tar')
    writeFileSync(loaded, archiveOf(rotArchive()))
    const store = await Store.open(made.root, { driver, workers: 0, durability: 'none' })
    await store.load(loaded)
    const box = await store.create('app:v1', { name: 'box' })
    box.writeFileSync('/small', 'hello world')
    box.writeFileSync('/large', Buffer.alloc(200_000, 'abc'))
    box.unlinkSync('/app/main.js')
    await box.sync()
    await box.commit({ tag: 'box:v1' })
    await box.close()
    await store.tag('box:v1', 'box:v2')
    await store.save([...made.images, 'box:v2'], made.archive)
    made.#shown = await shownBy(store, made.images, made.scratch)
    await store.close()
    made.#classes = filesByClass(made.root)
    return made
  }

  get classes(): ReadonlyMap<string, readonly string[]> {
    return this.#classes
  }

  /** What is in a copy of the store, damaged in one place. */
  damaged(place: string, how: Damage): string {
    const root = join(this.scratch, 'case')
    rmSync(root, { recursive: true, force: true })
    copyStore(this.root, root)
    damage(join(root, place), how)
    return root
  }

  /** One file of a class, damaged somewhere: all that is promised of it. */
  async judge(name: string, rot: Rot, bounds: Bounds, random: () => number): Promise<void> {
    const files = this.#classes.get(name)!
    const place = files[Math.floor(random() * files.length)]!
    const how = damageOf(join(this.root, place), rot, random)
    const actual: Rot = how === 'delete' ? 'delete' : rot
    const what = `${place}, ${JSON.stringify(how)}`
    const root = this.damaged(place, how)
    if (bounds.untold?.includes(actual) || isNewer(join(root, place))) return
    if (how !== 'delete' && readsTheSame([this.root, root], place, bounds)) return
    await this.#found(root, bounds.depth ?? 'metadata', what)
    if (!place.endsWith('store.json')) await this.#notShown(root, bounds, what)
    await this.#heals(root, bounds, what)
  }

  async #found(root: string, depth: 'metadata' | 'structure' | 'full', what: string): Promise<void> {
    const found = await findingsOf(root, depth)
    if (found instanceof PhylloError) assert.ok(found.path?.startsWith(root), `${what}: ${found.message}`)
    else {
      assert.notEqual(found.length, 0, `${what}: not found at depth ${depth}`)
      for (const { path } of found) assert.ok(path.startsWith(root), `${what}: ${path}`)
    }
  }

  async #notShown(root: string, { shownAsItIs }: Bounds, what: string): Promise<void> {
    if (shownAsItIs) return
    const store = await Store.open(root, { readOnly: true, workers: 0 })
    try {
      await assertNothingWrong(store, this.images, this.#shown!, this.scratch)
    } catch (error) {
      throw new Error(what, { cause: error })
    } finally {
      await store.close()
    }
  }

  async #heals(root: string, { notInArchive }: Bounds, what: string): Promise<void> {
    await Store.restore(root)
    const store = await Store.open(root, { workers: 0, durability: 'none' })
    try {
      const { findings } = await store.repair({ from: this.archive })
      assert.deepEqual(findings, [], what)
      if (notInArchive) return
      const now = await shownBy(store, this.images, this.scratch)
      assert.deepEqual(now.files, this.#shown!.files, what)
      assert.ok(now.saved.equals(this.#shown!.saved), `${what}: save gives other bytes`)
    } finally {
      await store.close()
    }
  }

  remove(): void {
    rmSync(this.scratch, { recursive: true, force: true })
  }
}

/** A store.json that says that it is of a newer version is believed: nothing else can be. */
function isNewer(path: string): boolean {
  if (!path.endsWith('store.json') || !existsSync(path)) return false
  const [, version] =
    /^\{"version":(\d+),"driver":"(?:packed|overlay2)","lock":"[^"]*"\}\n?$/.exec(readFileSync(path, 'latin1')) ?? []
  return Number(version) > 1
}

/** A small generator whose seed says all: `a * s + c` modulo 2^31. */
export function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

function readsTheSame(roots: readonly [string, string], place: string, { read }: Bounds): boolean {
  if (read === undefined) return false
  const [before, after] = roots.map(root => readFileSync(join(root, place))) as [Buffer, Buffer]
  try {
    return read(after).equals(read(before))
  } catch {
    return false
  }
}
