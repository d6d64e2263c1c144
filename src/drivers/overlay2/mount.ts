/**
 * The layers of an image as one read-only mount of the kernel's overlayfs.
 *
 * Invariants:
 * - Nothing that stands in a layer makes the kernel look elsewhere: redirects are not followed, metadata-only copies are off.
 * - The mount needs nothing but the layers: what was made for the call of mount(2) is gone when this returns.
 * - It says which layer is its topmost (mounted-layers.ts): no collector takes the layers away while it lives, whoever made it.
 */
import { mkdir, mkdtemp, readFile, realpath, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromText } from '../../byte-string.js'
import { isErrno, PhylloError } from '../../errors.js'
import { loadSystemCalls } from '../../native/load-system-calls.js'
import { MNT_DETACH, MS_NODEV, MS_NOSUID, MS_RDONLY, type SystemCalls } from '../../native/system-calls.js'
import { mountTable } from './mount-table.js'
import { layerOf, sourceOf } from './mounted-layers.js'

export interface MountedLayers {
  /** The driver's directory: `<root>/overlay2`. */
  readonly home: string
  /** Topmost first; one at least. */
  readonly cacheIds: readonly string[]
}

const options = 'redirect_dir=nofollow,metacopy=off,index=off'
/** mount(2) takes a page of options, with the NUL behind them. */
const mostBytes = 4095
const linkGrammar = /^[A-Z0-9]{1,64}$/

/** @throws MOUNT_FAILED, LIMIT_EXCEEDED */
export async function mountLayers(layers: MountedLayers, directory: string): Promise<void> {
  const calls = await systemCalls('mount', directory)
  const target = await failing('mount', directory, () => realpath(directory))
  const paths = await Promise.all(layers.cacheIds.map(id => layerPath(layers.home, id)))
  await using scratch = await Scratch.create(calls)
  // The kernel wants two of them where nothing can be written
  if (paths.length === 1) paths.push(await scratch.emptyDirectory())
  const data = optionsOf(paths) ?? optionsOf(await scratch.shortPaths(paths))
  if (data === undefined) {
    const seen = paths.join(':').length
    const reason = `the paths of ${paths.length} layers are more than the ${mostBytes} bytes of options that mount takes`
    throw new PhylloError('LIMIT_EXCEEDED', `${directory}: ${reason}`, { path: directory, max: mostBytes, seen })
  }
  const flags = MS_RDONLY | MS_NOSUID | MS_NODEV
  const source = sourceOf(layers.cacheIds[0]!)
  await failing('mount', target, async () => calls.mount({ source, target, type: 'overlay', flags, data }))
}

/** @throws MOUNT_FAILED, also for what is mounted there and not by `mountLayers` */
export async function unmountLayers(directory: string): Promise<void> {
  const calls = await systemCalls('unmount', directory)
  const target = await failing('unmount', directory, () => realpath(directory))
  const at = fromText(target)
  const mounted = (await failing('unmount', target, mountTable)).findLast(mount => mount.at === at)
  if (mounted === undefined || layerOf(mounted) === undefined)
    throw new PhylloError('MOUNT_FAILED', `${directory}: no image is mounted there`, {
      operation: 'unmount',
      path: target,
    })
  await failing('unmount', target, async () => calls.umount2(target, 0))
}

/** The short path that the driver keeps for mounts, or the directory itself where it has none. */
async function layerPath(home: string, cacheId: string): Promise<string> {
  const link = await readFile(join(home, cacheId, 'link'), 'latin1').catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT')) throw error
    return ''
  })
  return linkGrammar.test(link.trim()) ? join(home, 'l', link.trim()) : join(home, cacheId, 'diff')
}

/** Undefined: they are too long together, or hold what means something among options. */
function optionsOf(paths: readonly string[]): string | undefined {
  if (paths.some(path => /[,:\\]/.test(path))) return undefined
  const data = `lowerdir=${paths.join(':')},${options}`
  return Buffer.byteLength(data) > mostBytes ? undefined : data
}

/** What stands for the time of one call of mount(2). */
class Scratch implements AsyncDisposable {
  readonly #calls: SystemCalls
  readonly #dir: string
  #empty: string | undefined

  private constructor(calls: SystemCalls, dir: string) {
    this.#calls = calls
    this.#dir = dir
  }

  static async create(calls: SystemCalls): Promise<Scratch> {
    return new Scratch(calls, await realpath(await mkdtemp(join(tmpdir(), 'pm-'))))
  }

  /** Of a file system of its own, which lives as long as the mount that it is a part of. */
  async emptyDirectory(): Promise<string> {
    const target = join(this.#dir, 'e')
    await mkdir(target)
    const data = 'size=4k,mode=755'
    await failing('mount', target, async () =>
      this.#calls.mount({ source: 'phyllo', target, type: 'tmpfs', flags: MS_RDONLY, data }),
    )
    return (this.#empty = target)
  }

  /** Links to them with names of a character or two. */
  async shortPaths(paths: readonly string[]): Promise<string[]> {
    return Promise.all(
      paths.map(async (path, index) => {
        const link = join(this.#dir, index.toString(36))
        await symlink(path, link)
        return link
      }),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#empty !== undefined) this.#calls.umount2(this.#empty, MNT_DETACH)
    await rm(this.#dir, { recursive: true, force: true })
  }
}

async function systemCalls(operation: string, path: string): Promise<SystemCalls> {
  const calls = await loadSystemCalls()
  if (calls !== undefined) return calls
  const reason = 'this process cannot make the system call: it takes Linux and the package koffi'
  throw new PhylloError('MOUNT_FAILED', `${path}: ${operation}: ${reason}`, { operation, path })
}

async function failing<T>(operation: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const { code: errno, message } = cause as NodeJS.ErrnoException
    const reason = errno === 'EPERM' ? `${message}: it takes root (CAP_SYS_ADMIN)` : message
    throw new PhylloError('MOUNT_FAILED', `${path}: ${operation}: ${reason}`, { operation, path, errno, cause })
  }
}
