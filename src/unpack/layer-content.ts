/**
 * The content of a layer as driver overlay2 keeps it, out of its plain tar: `diff/` and `tar-split.json.gz` in a new directory.
 */
import { fstatSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { withNewFile } from '../disk/descriptors.js'
import { PhylloError, told } from '../errors.js'
import type { Limits } from '../limits.js'
import { loadSystemCalls } from '../native/load-system-calls.js'
import { hostFileCalls } from './file-calls.js'
import { writeSplitFile } from './split-file.js'
import { type UnpackedLayer, unpackLayer } from './unpack-layer.js'

export interface LayerContentOptions {
  /** Directory to create, mode 0700, inside a stage. */
  readonly target: string
  /** What is being read, for messages. */
  readonly label: string
  readonly limits: Limits
  /** See UnpackLayerInput of pool/jobs.ts. */
  readonly placeBytes?: number
  readonly durable?: boolean
  /** Called now and then. What it throws ends the work. */
  readonly onStep?: () => void
}

export interface LayerContent extends Omit<UnpackedLayer, 'contentBytes'> {
  /** Of contents and tar-split. */
  readonly fileBytes: number
}

/** Throws as `unpackLayer`. */
export async function writeLayerContent(
  plain: AsyncIterable<Uint8Array>,
  { target, durable = false, placeBytes, ...options }: LayerContentOptions,
): Promise<LayerContent> {
  const calls = await loadSystemCalls()
  if (calls === undefined)
    throw new PhylloError('STORE_IO', 'unpacking needs the system calls of Linux, and there is no way to make them', {
      operation: 'mknod',
      path: target,
    })
  told('STORE_IO', { operation: 'mkdir', path: target }, () => mkdirSync(target, 0o700))
  const path = join(target, 'tar-split.json.gz')
  return withNewFile(path, 0o644, async fd => {
    const files = hostFileCalls(calls)
    const { split, end } = await writeSplitFile(fd, path)
    const root = join(target, 'diff')
    const place = placeBytes === undefined ? {} : { rootBytes: placeBytes }
    const { contentBytes, ...layer } = await unpackLayer(plain, { ...options, ...place, calls: files, root, split })
    end(layer.tarBytes)
    // One flush of the file system for all that was made. Measured on ext4, 6,768 entries of 200 MB: 1.5 s more, where fsync of every
    // file and directory takes 5.2 s more, and each of them would have to be opened again.
    if (durable) told('STORE_IO', { operation: 'syncfs', path }, () => calls.syncfs(fd))
    const { size } = told('STORE_IO', { operation: 'fstat', path }, () => fstatSync(fd))
    return { ...layer, fileBytes: contentBytes + size }
  })
}
