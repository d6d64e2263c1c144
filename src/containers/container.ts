/**
 * A Container: Docker's container without a process. A writable file system over the layers of an image, with the shape of
 * node:fs, that outlives the process until somebody removes it.
 *
 * Invariants:
 * - It is held from opening to closing: nobody else opens or removes it. One that is open for reading holds its layers alone, and
 *   changes nothing.
 * - Closing hands everything to the kernel, then lets go of the layers, then of the container. It removes nothing.
 */
import type { Layer } from '../drivers/layer.js'
import type { NewNode, Upper } from '../drivers/upper.js'
import { PhylloError } from '../errors.js'
import type { LayerHandle } from '../layers/open-layers.js'
import { releaseAll } from '../layers/open-layers.js'
import type { ImageId } from '../oci/digest.js'
import { type ChangesOptions, type ContainerChange, changes } from '../overlay/difference/changes.js'
import type { ContainerFs } from '../overlay/face/container-face.js'
import type { Union } from '../overlay/union/union.js'
import type { ContainerStore, HeldContainer } from './container-store.js'
import { containerFace } from './face.js'

export interface ContainerParts {
  readonly held: HeldContainer
  readonly handles: readonly LayerHandle[]
  readonly upper: Upper
  readonly containers: ContainerStore
  readonly readOnly: boolean
  readonly cwd: string | undefined
  /** The container has closed. */
  readonly onClose: () => void
}

/** What a container has beside node:fs. */
export interface ContainerExtras {
  /** 64 hex digits. */
  readonly id: string
  /** Of the container. */
  readonly name: string
  /** The image that it was made from; undefined for one from scratch. */
  readonly imageId: ImageId | undefined
  /** What has been added, changed and deleted, as `docker diff` lists it, or (`minimal`) each change once. */
  changes(options?: ChangesOptions): Generator<ContainerChange, void, void>
  /** Everything that was done is on the disk. */
  sync(): Promise<void>
  /** Closes the container, and removes it with all that it has changed. Idempotent. */
  remove(): Promise<void>
}

export interface OpenedFace {
  readonly face: ContainerFs & ContainerExtras
  readonly union: Union
  /** Closes what cannot be closed by `close`: what the kernel does not have is lost. */
  abandon(): Promise<void>
}

/** Takes over `held`, `handles` and `upper`: they end when the container closes. */
export function openContainer(parts: ContainerParts): OpenedFace {
  const { held, handles, upper, containers, readOnly, cwd, onClose } = parts
  const { id, name, imageId, bounds } = held.record
  let removing: Promise<void> | undefined
  let released = false
  const letGo = async () => {
    await releaseAll(handles)
    onClose()
    released = removing === undefined
    if (released) await held.release()
  }
  /** What is to be removed need not be written, on a full disk least of all. */
  let abandoned = false
  const end = async () => {
    await (abandoned ? upper.abandon() : upper.close())
    await letGo()
  }
  const layers = handles.map(({ layer }) => layer)
  const label = `container ${name}`
  const { face, union } = containerFace(layers, {
    ...bounds,
    upper,
    readOnly,
    label,
    onClose: end,
    ...(cwd !== undefined && { cwd }),
  })
  const remove = async () => {
    if (readOnly) throw openForReading(name)
    abandoned = true
    await face.close()
    await containers.remove(released ? await containers.hold(id) : held)
  }
  const extras: ContainerExtras = {
    id,
    name,
    imageId,
    changes: options => changes(union, options),
    async sync() {
      union.assertOpen()
      if (!readOnly) await union.reading(() => upper.sync())
    },
    remove: () => (removing ??= remove()),
  }
  const abandon = async () => {
    abandoned = true
    await union.close()
  }
  return { face: Object.assign(face, extras), union, abandon }
}

/** What a container that is open for reading says to what is no call of node:fs. */
export function openForReading(name: string): PhylloError {
  return new PhylloError('STORE_READ_ONLY', `container ${name} is open for reading only`, { container: name })
}

/** The root of a new container has the attributes of the topmost layer's (facts: R-UP-5). */
export function rootOf(layers: readonly Layer[], now: number): NewNode {
  const inode = layers.at(-1)?.inode(0)
  const made = { sec: Math.floor(now / 1000), nsec: (now % 1000) * 1e6 }
  const time = inode === undefined ? made : { sec: inode.mtimeSec, nsec: inode.mtimeNsec }
  const { mode, uid, gid } = inode ?? { mode: 0o40755, uid: 0, gid: 0 }
  return { mode, uid, gid, atime: time, mtime: time, ctime: made, birthtime: made }
}
