/** Long work on a container that is open: commit, export, archives. The container does not close before operations have ended. */
import type { PathLike } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import type { Root } from '../disk/root.js'
import type { Layer } from '../drivers/layer.js'
import { type CommitOptions as CommitFields, commitContainer } from '../images/commit.js'
import type { CopyTarget } from '../images/copy.js'
import type { Image } from '../images/image.js'
import type { ImageCatalog } from '../images/image-catalog.js'
import type { Operation, OperationContext } from '../operation.js'
import { archiveStream } from '../overlay/archive/get-archive.js'
import { upperOf } from '../overlay/union/copy-up.js'
import type { Union } from '../overlay/union/union.js'
import { openForReading } from './container.js'
import type { ContainerRecord } from './record.js'

export interface CommitOptions extends CommitFields {
  readonly signal?: AbortSignal
}

export interface ExportOptions {
  readonly signal?: AbortSignal
}

export interface GetArchiveOptions {
  /** Told of what cannot be in a tar and is left out: sockets. */
  readonly onWarning?: (message: string) => void
}

export interface PutArchiveOptions {
  readonly signal?: AbortSignal
  /** What messages call the input. Default: the file's name, `stdin` or `stream`. */
  readonly name?: string
}

/** What the store lends for it. */
export interface WorkParts {
  readonly root: Root
  readonly catalog: Pick<ImageCatalog, 'get'>
  /** Starts work that the store waits for when it closes. */
  readonly start: <T>(work: (op: OperationContext) => Promise<T>, signal: AbortSignal | undefined) => Operation<T>
  readonly copyTarget: () => CopyTarget
  readonly exportTo: (
    union: Union,
    target: { readonly output: string | Writable; readonly durable: boolean; readonly label: string },
    op: OperationContext,
  ) => Promise<void>
  readonly extractInto: (
    union: Union,
    path: PathLike,
    source: { readonly input: string | AsyncIterable<Uint8Array>; readonly name: string | undefined },
    op: OperationContext,
  ) => Promise<void>
}

export interface ContainerWork {
  /**
   * Makes an image of the container: its layers, and one more that holds exactly what has changed; without any change, none more.
   * The image is the container at the moment of the call: it can be used meanwhile, and nothing of that is in the image. The
   * first write to a content of more than 64 KiB then copies it, which a `…Sync` call waits for.
   *
   * @throws CHANGE_INVALID, REFERENCE_INVALID, WHITEOUT_INVALID
   */
  commit(options?: CommitOptions): Operation<Image>
  /** Writes all that there is to see as one tar, to a path or a Writable. A file gets its name when it is whole. */
  export(output: string | Writable, options?: ExportOptions): Operation<void>
  /**
   * A file or directory with all that is in it as a tar, as `docker cp CONTAINER:PATH -` prints it: names begin with the last name
   * of the path, or with `.` if that is the last. A symlink at the end of the path is not followed.
   *
   * @throws ENOENT, ENOTDIR, … at once; SIZE_MISMATCH on the stream for a file that has become shorter meanwhile
   */
  getArchive(path: PathLike, options?: GetArchiveOptions): Readable
  /**
   * Unpacks a tar, compressed or not, into a directory that is there, as `docker cp - CONTAINER:PATH` does, with its owners, modes,
   * times and xattrs. The input is a path, `-` for standard input, or anything that yields bytes. What was unpacked before a
   * failure stays.
   *
   * @throws ENOENT, ENOTDIR, EISDIR, EROFS, EDQUOT, …; PATH_ESCAPE, TAR_INVALID, COMPRESSION_INVALID, LIMIT_EXCEEDED
   */
  putArchive(input: string | AsyncIterable<Uint8Array>, path: PathLike, options?: PutArchiveOptions): Operation<void>
}

export function containerWork(union: Union, record: ContainerRecord, parts: WorkParts): ContainerWork {
  const { id, name, image, imageId, config } = record
  const label = name
  return {
    commit: ({ signal, ...options } = {}) =>
      parts.start(
        op =>
          union.reading(async () => {
            parts.root.assertWritable()
            // Contents that somebody else changes while they are packed would be an image of no moment.
            if (union.readOnly) throw openForReading(name)
            // Whatever is done from now on is not in the image.
            using upper = upperOf(union).snapshot()
            const to = parts.copyTarget()
            const lowerContent = (layer: Layer, inode: number) => to.layers.driver.contentOf(layer, inode)
            const source = { union, upper, label, config, imageId, container: { id, image }, lowerContent }
            const made = await to.space.watched(op, async op => {
              await using stage = await parts.root.stage()
              return await commitContainer(source, options, to, stage, op)
            })
            return await parts.catalog.get(made.id, made.layers)
          }),
        signal,
      ),
    export: (output, { signal } = {}) =>
      parts.start(op => {
        const durable = parts.root.durability === 'full'
        return union.reading(() => parts.exportTo(union, { output, durable, label }, op))
      }, signal),
    getArchive: (path, { onWarning } = {}) =>
      archiveStream(union, path, (what, reason) => onWarning?.(`${what}: ${reason}`)),
    putArchive: (input, path, { signal, name } = {}) =>
      parts.start(op => union.reading(() => parts.extractInto(union, path, { input, name }, op)), signal),
  }
}
