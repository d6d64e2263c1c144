/**
 * A directory that gets its name when it is complete: until then all is in a directory beside it, mode 0700,
 * `.<name>.<12 hex digits>.part`, which a failure removes. What a killed process leaves has such a name, and is worth nothing.
 *
 * Invariants:
 * - What is there already is not touched, unless it is an empty directory, which is replaced.
 * - Nobody else can reach what is being made, and nothing in it inherits from the directory that it stands in.
 */
import { randomBytes } from 'node:crypto'
import { chmod, lstat, mkdir, open, readdir, realpath, rename, rmdir, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { fromText } from '../byte-string.js'
import { callError, isErrno, PhylloError } from '../errors.js'
import { loadLibc } from '../native/libc.js'
import { loadSystemCalls } from '../native/load-system-calls.js'
import type { Born } from '../pool/jobs.js'
import { deleteTree } from './delete-tree.js'

/** What a directory tells those that are made in it. */
const inherited = fromText('system.posix_acl_default')

export class OutputDirectory {
  /** The name that it gets: absolute, free of symlinks. */
  readonly path: string
  /** What is being made. */
  readonly tree: string
  /** A file beside it for whoever makes it; goes away. */
  readonly plan: string
  readonly born: Born
  readonly #beside: string

  private constructor(path: string, beside: string, born: Born) {
    this.path = path
    this.#beside = beside
    this.tree = join(beside, 'tree')
    this.plan = join(beside, 'plan')
    this.born = born
  }

  /** @throws OUTPUT_EXISTS, OUTPUT_IO */
  static async create(name: string): Promise<OutputDirectory> {
    const path = await freePath(name)
    // A name of any characters, four bytes each, with what is added to it
    const beside = join(dirname(path), `.${basename(path).slice(0, 50)}.${randomBytes(6).toString('hex')}.part`)
    return named('mkdir', path, async () => {
      await mkdir(beside, { mode: 0o700 })
      try {
        return new OutputDirectory(path, beside, await prepare(beside))
      } catch (error) {
        await remove(beside)
        throw error
      }
    })
  }

  /** Whether the whole can go to the disk at once; else each file has to by itself. */
  static async canFlush(): Promise<boolean> {
    return (await loadLibc())?.syncfs !== undefined
  }

  /** All is made: it gets its name. `durable`: it is on the disk when this returns. */
  async commit(durable: boolean): Promise<void> {
    if (durable) await named('syncfs', this.path, () => this.#flush())
    await named('rename', this.path, () => rename(this.tree, this.path))
    await remove(this.#beside)
    if (durable) await named('fsync', this.path, () => withDirectory(dirname(this.path), handle => handle.sync()))
  }

  /** It failed: nothing of it stays. */
  discard(): Promise<void> {
    return named('delete', this.path, () => remove(this.#beside))
  }

  async #flush(): Promise<void> {
    const syncfs = (await loadLibc())?.syncfs
    // Without it every file was synced by itself
    if (syncfs !== undefined) await withDirectory(this.tree, ({ fd }) => syncfs(fd))
  }
}

/** Where the directory is to be, through symlinks, so that the directory is replaced and not the link that leads to it. */
async function freePath(name: string): Promise<string> {
  const wanted = resolve(name)
  const path = await named('open', wanted, async () => {
    const found = await unlessAbsent(lstat(wanted))
    return found === undefined ? join(await realpath(dirname(wanted)), basename(wanted)) : realpath(wanted)
  })
  const found = await named('stat', path, () => unlessAbsent(stat(path)))
  if (found === undefined) return path
  if (!found.isDirectory()) throw taken(path, 'is there and no directory')
  if ((await named('open', path, () => readdir(path))).length > 0) throw taken(path, 'is not empty')
  const above = await named('stat', path, () => stat(dirname(path)))
  // Both would not be this directory any more once it is replaced
  if (above.dev !== found.dev || path === dirname(path)) throw taken(path, 'is where something is mounted')
  if (path === (await named('realpath', path, () => realpath('.')))) throw taken(path, 'is the current directory')
  return path
}

/** Makes it ours alone, and sees how things are born in it. */
async function prepare(beside: string): Promise<Born> {
  // A set-group-id bit of the directory above is inherited
  await chmod(beside, 0o700)
  await forgetInherited(beside)
  await mkdir(join(beside, 'tree'), { mode: 0o777 })
  const { uid, gid, mode } = await stat(join(beside, 'tree'))
  await chmod(join(beside, 'tree'), 0o700)
  return { uid, gid, modeBits: mode & 0o777 }
}

async function forgetInherited(directory: string): Promise<void> {
  try {
    ;(await loadSystemCalls())?.lremovexattr(directory, inherited)
  } catch (error) {
    if (!isErrno(error, 'ENODATA', 'ENOTSUP', 'EOPNOTSUPP')) throw error
  }
}

async function remove(beside: string): Promise<void> {
  await deleteTree(join(beside, 'tree'))
  // What deleting moved there before it was broken off
  for (const name of (await unlessAbsent(readdir(beside))) ?? []) {
    if (name === 'plan') await unlink(join(beside, name))
    else await deleteTree(join(beside, name))
  }
  await unlessAbsent(rmdir(beside))
}

async function withDirectory<T>(path: string, use: (handle: Awaited<ReturnType<typeof open>>) => Promise<T>) {
  const handle = await open(path, 'r')
  try {
    return await use(handle)
  } finally {
    await handle.close()
  }
}

function taken(path: string, reason: string): PhylloError {
  const wanted = 'name a directory that is not there, or an empty one that can be replaced'
  return new PhylloError('OUTPUT_EXISTS', `${path}: ${reason}: ${wanted}`, { path })
}

async function named<T>(operation: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (operation === 'rename' && isErrno(cause, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'))
      throw taken(path, 'is not empty any more')
    throw callError('OUTPUT_IO', cause, { operation, path, said: `${path}: ${operation}` })
  }
}

async function unlessAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    return undefined
  }
}
