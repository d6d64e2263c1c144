/**
 * Copies a file, symlink or directory with all that is in it between two things of node:fs's shape.
 *
 * Invariants, all Docker's: modes go along, times in whole seconds; a directory is merged with the one that is there, and
 * neither takes the place of the other; anything else is replaced. Hard links inside of the tree stay hard links. Names are
 * bytes.
 */
import type fs from 'node:fs'
import { pipeline } from 'node:stream/promises'

/** Makes a fifo or a device, less the umask. */
export type MakeSpecial = (path: Buffer, stats: fs.Stats) => Promise<void>

export type Files = Pick<typeof fs, 'promises' | 'createReadStream' | 'createWriteStream'>

export interface CopyOptions {
  readonly from: Files
  readonly to: Files
  /** Whose the copies are; undefined: left to whoever makes them. */
  readonly owner: (stats: fs.Stats) => { readonly uid: number; readonly gid: number } | undefined
  /** Undefined: fifos and devices are left out. Sockets always are. */
  readonly makeSpecial?: MakeSpecial
  /** The directory that is copied into keeps its own attributes. */
  readonly keepTop: boolean
  /** Follow a symlink that is named itself. */
  readonly follow: boolean
  readonly signal: AbortSignal
  /** Told of what cannot be copied. */
  readonly warn: (message: string) => void
}

/** Contents up to here go in one piece. */
const pieceBytes = 1 << 20

export async function copyTree(source: string, destination: string, options: CopyOptions): Promise<void> {
  const { from, follow } = options
  const path = Buffer.from(source)
  const stats = await (follow ? from.promises.stat(path) : from.promises.lstat(path))
  await new TreeCopy(options, options.keepTop ? path : undefined).copy(path, Buffer.from(destination), stats)
}

class TreeCopy {
  readonly #options: CopyOptions
  readonly #kept: Buffer | undefined
  /** Where the first name of what has several was copied to. */
  readonly #linked = new Map<string, Buffer>()

  /** `kept`: what keeps the attributes that it has at the destination. */
  constructor(options: CopyOptions, kept: Buffer | undefined) {
    this.#options = options
    this.#kept = kept
  }

  async copy(source: Buffer, destination: Buffer, stats: fs.Stats): Promise<void> {
    this.#options.signal.throwIfAborted()
    if (stats.isDirectory()) return this.#directory(source, destination, stats)
    await this.#makeRoom(destination)
    const first = this.#linked.get(`${stats.dev} ${stats.ino}`)
    if (first !== undefined) return this.#options.to.promises.link(first, destination)
    if (!(await this.#leaf(source, destination, stats))) return
    if (stats.nlink > 1) this.#linked.set(`${stats.dev} ${stats.ino}`, destination)
    await this.#attributes(destination, stats)
  }

  async #directory(source: Buffer, destination: Buffer, stats: fs.Stats): Promise<void> {
    const { from, to } = this.#options
    const there = await this.#lstat(destination)
    if (there !== undefined && !there.isDirectory())
      throw new Error(`cannot overwrite non-directory ${destination} with directory ${source}`)
    if (there === undefined) await to.promises.mkdir(destination)
    for (const name of await from.promises.readdir(source, { encoding: 'buffer' })) {
      const child = below(source, name)
      await this.copy(child, below(destination, name), await from.promises.lstat(child))
    }
    if (source !== this.#kept) await this.#attributes(destination, stats)
  }

  /** False for what is of a kind that is left out. */
  async #leaf(source: Buffer, destination: Buffer, stats: fs.Stats): Promise<boolean> {
    const { from, to, signal, warn, makeSpecial } = this.#options
    if (stats.isSymbolicLink()) {
      await to.promises.symlink(await from.promises.readlink(source, { encoding: 'buffer' }), destination)
    } else if (!stats.isFile() && !stats.isSocket() && makeSpecial !== undefined) {
      await makeSpecial(destination, stats)
    } else if (!stats.isFile()) {
      warn(`${source}: neither file, directory nor symlink: left out`)
      return false
    } else if (stats.size <= pieceBytes) {
      await to.promises.writeFile(destination, await from.promises.readFile(source))
    } else {
      const read = from.createReadStream(source, { highWaterMark: pieceBytes })
      await pipeline(read, to.createWriteStream(destination), { signal })
    }
    return true
  }

  /** The owner first, for changing it takes set-id bits away; times last. */
  async #attributes(path: Buffer, stats: fs.Stats): Promise<void> {
    const { promises } = this.#options.to
    const owner = this.#options.owner(stats)
    if (owner !== undefined) await promises.lchown(path, owner.uid, owner.gid)
    if (!stats.isSymbolicLink()) await promises.chmod(path, stats.mode & 0o7777)
    const seconds = Math.floor(stats.mtimeMs / 1000)
    await promises.lutimes(path, seconds, seconds)
  }

  async #makeRoom(destination: Buffer): Promise<void> {
    const there = await this.#lstat(destination)
    if (there?.isDirectory()) throw new Error(`cannot overwrite directory ${destination} with non-directory`)
    if (there !== undefined) await this.#options.to.promises.unlink(destination)
  }

  async #lstat(path: Buffer): Promise<fs.Stats | undefined> {
    try {
      return await this.#options.to.promises.lstat(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }
}

function below(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, Buffer.from(directory.at(-1) === 0x2f ? '' : '/'), name])
}
