/**
 * Where the stores of a run lie: in memory, so that the file system costs nothing, and on the disk, as users have it.
 * Every place is a folder of its own that goes away with the run.
 */
import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { access, constants, mkdir, mkdtemp, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from './corpus.js'

export interface Place {
  readonly path: string
  /** Its file system, to be printed. */
  readonly fileSystem: string
  /** For phyllo: without `--durability none` where it costs nothing, and where its cost is the question. */
  readonly options: readonly string[]
  /** A new empty folder. */
  fresh(): Promise<string>
  /** What lies dirty in memory is written now, and not on the next contestant's time. */
  settle(): Promise<void>
}

export interface Places extends AsyncDisposable {
  /** A tmpfs; where there is none, the disk with durability `none`. */
  readonly quick: Place
  /** The disk with durability `full`. */
  readonly disk: Place
  /** The disk with durability `none`, for stores that would not fit into memory. */
  readonly large: Place
  /** What has to be undone before anything is removed: a mount, say. The last one first. */
  before(undo: () => void): void
  /** Removes all of it at once, for signals. */
  removeSync(): void
}

/** statfs(2) f_type. */
const fileSystems: Readonly<Record<number, string>> = {
  61267: 'ext4',
  16914836: 'tmpfs',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  2035054128: 'overlayfs',
  801189825: 'zfs',
}
const run = promisify(execFile)

export async function openPlaces(): Promise<Places> {
  const memory = process.env.PHYLLO_BENCH_MEMORY ?? '/dev/shm'
  const disk = process.env.PHYLLO_BENCH_DISK ?? cacheFolder()
  await mkdir(disk, { recursive: true })
  const made: string[] = []
  const undos: (() => void)[] = []
  const undo = () => {
    for (let last = undos.pop(); last !== undefined; last = undos.pop()) last()
  }
  const place = async (parent: string, options: readonly string[]): Promise<Place> => {
    const path = await mkdtemp(join(parent, 'phyllo-bench-'))
    made.push(path)
    const settle = async () => void (await run('sync', ['-f', path]))
    return { path, fileSystem: await fileSystemOf(parent), options, fresh: () => mkdtemp(join(path, 's-')), settle }
  }
  const none = ['--durability', 'none']
  const onDisk = await place(disk, [])
  const large = { ...onDisk, options: none }
  return {
    quick: (await isMemory(memory)) ? await place(memory, []) : large,
    disk: onDisk,
    large,
    before: one => void undos.push(one),
    removeSync() {
      undo()
      for (const path of made) rmSync(path, { recursive: true, force: true })
    },
    async [Symbol.asyncDispose]() {
      undo()
      await Promise.all(made.map(remove))
    },
  }
}

export const remove = (path: string): Promise<void> => rm(path, { recursive: true, force: true })

export async function fileSystemOf(path: string): Promise<string> {
  const { type } = await statfs(path)
  return fileSystems[type] ?? `file system 0x${type.toString(16)}`
}

async function isMemory(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK)
    return (await fileSystemOf(path)) === 'tmpfs'
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
