/**
 * Brings everything that was written to the store's file system to the disk: one syncfs, instead of an fsync for each of the tens of
 * thousands of files and directories of a layer, and of their parents.
 */
import type { Root } from '../../disk/root.js'
import { callError, PhylloError } from '../../errors.js'
import { type Libc, loadLibc } from '../../native/libc.js'

export class FileSystemSync {
  readonly #root: Root
  #libc: Promise<Libc | undefined> | undefined

  constructor(root: Root) {
    this.#root = root
  }

  /** `file`: any file on it. Nothing in a store without durability. */
  async everything(file: string): Promise<void> {
    const { io, durability } = this.#root
    if (durability === 'none') return
    const { syncfs } = (await (this.#libc ??= loadLibc())) ?? {}
    if (syncfs === undefined) throw new PhylloError('DRIVER_UNSUPPORTED', 'driver overlay2 needs syncfs(2)', {})
    const fd = await io.openExisting(file)
    try {
      await syncfs(fd)
    } catch (cause) {
      throw callError('STORE_IO', cause, { operation: 'syncfs', path: file })
    } finally {
      await io.close(fd)
    }
  }
}
