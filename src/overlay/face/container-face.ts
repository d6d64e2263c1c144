/** What a container is to its user: the face of a union with an upper. All of node:fs works, and what node:fs lacks is there, too. */
import type fs from 'node:fs'
import type { Union } from '../union/union.js'
import type { Device, SetXattrOptions, XattrOptions } from './calls-nodes.js'
import { extraFaceOf } from './face.js'
import { type View, viewOf } from './view.js'

type Done = fs.NoParamCallback
type Got<T> = (error: NodeJS.ErrnoException | null, result: T) => void
type Value = string | NodeJS.ArrayBufferView

/** The system calls that node:fs lacks, synchronous and with a callback. Failures are errno errors with the name of the call. */
export interface ContainerCalls {
  /** Any node but a directory: by the type bits of `mode`, without any a file. A character device 0:0 is EPERM. */
  mknodSync(path: fs.PathLike, mode: number, device?: Device): void
  mknod(path: fs.PathLike, mode: number, device: Device, callback: Done): void
  mknod(path: fs.PathLike, mode: number, callback: Done): void
  /** `mode`: permission bits, 0o666 by default, less the umask. */
  mkfifoSync(path: fs.PathLike, mode?: number): void
  mkfifo(path: fs.PathLike, mode: number, callback: Done): void
  mkfifo(path: fs.PathLike, callback: Done): void
  /** ENODATA if it is not there. */
  getxattrSync(path: fs.PathLike, name: string, options?: XattrOptions): Buffer
  getxattr(path: fs.PathLike, name: string, options: XattrOptions, callback: Got<Buffer>): void
  getxattr(path: fs.PathLike, name: string, callback: Got<Buffer>): void
  listxattrSync(path: fs.PathLike, options?: XattrOptions): string[]
  listxattr(path: fs.PathLike, options: XattrOptions, callback: Got<string[]>): void
  listxattr(path: fs.PathLike, callback: Got<string[]>): void
  /** Names of the namespaces user, trusted and security. */
  setxattrSync(path: fs.PathLike, name: string, value: Value, options?: SetXattrOptions): void
  setxattr(path: fs.PathLike, name: string, value: Value, options: SetXattrOptions, callback: Done): void
  setxattr(path: fs.PathLike, name: string, value: Value, callback: Done): void
  removexattrSync(path: fs.PathLike, name: string, options?: XattrOptions): void
  removexattr(path: fs.PathLike, name: string, options: XattrOptions, callback: Done): void
  removexattr(path: fs.PathLike, name: string, callback: Done): void
}

/** The same as promises. */
export interface ContainerPromises {
  mknod(path: fs.PathLike, mode: number, device?: Device): Promise<void>
  mkfifo(path: fs.PathLike, mode?: number): Promise<void>
  getxattr(path: fs.PathLike, name: string, options?: XattrOptions): Promise<Buffer>
  listxattr(path: fs.PathLike, options?: XattrOptions): Promise<string[]>
  setxattr(path: fs.PathLike, name: string, value: Value, options?: SetXattrOptions): Promise<void>
  removexattr(path: fs.PathLike, name: string, options?: XattrOptions): Promise<void>
}

export type ContainerFs = Omit<View, 'promises'> &
  ContainerCalls & { readonly promises: View['promises'] & ContainerPromises }

/** `union` has an upper. Who made it closes it, by the face or by itself. */
export function createContainerFace(union: Union): ContainerFs {
  if (union.upper === undefined) throw new TypeError(`${union.label} has no upper`)
  const view = viewOf(union)
  const { face, promises } = extraFaceOf(union)
  return { ...view, ...face, promises: { ...view.promises, ...promises } } as unknown as ContainerFs
}
