/** Layer files for tests: written from archives into a temporary folder, opened, and shown as a plain tree. */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type ByteString, toText } from '../../src/byte-string.js'
import { openPackedLayer, type PackedLayer } from '../../src/drivers/packed/packed-layer.js'
import { BlockCache } from '../../src/layerfile/block-cache.js'
import type { WrittenLayer } from '../../src/layerfile/tar-pass.js'
import { writeLayerFile } from '../../src/layerfile/writer.js'
import { defaultLimits, type Limits } from '../../src/limits.js'

export interface WriteOptions {
  readonly compression?: 'lz4' | 'none'
  readonly limits?: Partial<Limits>
  /** Sizes of the chunks that the archive arrives in, used in turn. */
  readonly chunks?: readonly number[]
}

/** A folder that is gone after the test. */
export function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'phyllo-test-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** One buffer is used again for all chunks, as the contract of `writeLayerFile` allows, and spoilt in between. */
export async function* inChunks(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.alloc(Math.max(...sizes))
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const count = Math.min(sizes[i % sizes.length]!, bytes.length - at)
    buffer.set(bytes.subarray(at, at + count))
    at += count
    yield buffer.subarray(0, count)
    buffer.fill(0xa5)
  }
}

export async function writeLayer(path: string, archive: Uint8Array, options: WriteOptions = {}): Promise<WrittenLayer> {
  const fd = openSync(path, 'w')
  try {
    return await writeLayerFile(inChunks(archive, options.chunks ?? [1 << 20]), {
      fd,
      label: 'test.tar',
      compression: options.compression ?? 'lz4',
      limits: { ...defaultLimits, ...options.limits },
    })
  } finally {
    closeSync(fd)
  }
}

/** As a store would have it: one for all layers. */
const cache = new BlockCache()

/** The layer of an archive, open until the test ends. */
export async function layerOf(t: TestContext, archive: Uint8Array, options?: WriteOptions): Promise<PackedLayer> {
  const path = join(scratch(t), 'layer.tar.lz4')
  await writeLayer(path, archive, options)
  const layer = await openPackedLayer(path, { cache })
  t.after(() => layer.close())
  return layer
}

/** Bytes as a file of the test's folder. */
export function fileOf(t: TestContext, bytes: Uint8Array): string {
  const path = join(scratch(t), 'file')
  writeFileSync(path, bytes)
  return path
}

const letters = new Map([
  [0o010000, 'p'],
  [0o020000, 'c'],
  [0o040000, 'd'],
  [0o060000, 'b'],
  [0o100000, 'f'],
  [0o120000, 'l'],
])

/**
 * One line a name, in the order of a walk: `path type content`, with `whiteout` for whiteouts and the marks of
 * directories behind them. Short, so that a test can say what it expects.
 */
export function treeOf(layer: PackedLayer): string[] {
  const lines: string[] = []
  const walk = (dir: number, prefix: string): void => {
    layer.list(dir, (name, inode) => {
      const path = prefix + toText(name)
      if (inode < 0) lines.push(`${path} whiteout`)
      else lines.push(`${path} ${describe(layer, inode)}`)
      if (inode >= 0 && letters.get(layer.mode(inode) & 0o170000) === 'd') walk(inode, `${path}/`)
    })
  }
  walk(0, '')
  return lines
}

function describe(layer: PackedLayer, inode: number): string {
  const { mode, nlink, opaque, implied, deviceMajor, deviceMinor } = layer.inode(inode)
  const type = letters.get(mode & 0o170000)!
  const parts = [type]
  if (type === 'f') parts.push(contentOf(layer, inode).toString())
  if (type === 'l') parts.push(`→${toText(layer.readlink(inode))}`)
  if (type === 'c' || type === 'b') parts.push(`${deviceMajor}:${deviceMinor}`)
  if (nlink > 1) parts.push(`×${nlink}`)
  if (opaque) parts.push('opaque')
  if (implied) parts.push('implied')
  return parts.filter(part => part !== '').join(' ')
}

export function contentOf(layer: PackedLayer, inode: number): Buffer {
  const content = Buffer.alloc(layer.inode(inode).sizeBytes)
  let done = 0
  while (done < content.length) {
    const count = layer.readSync(inode, done, content.subarray(done))
    if (count === 0) break
    done += count
  }
  return content.subarray(0, done)
}

/** The inode of a path, walked name by name; throws where there is none. */
export function inodeAt(layer: PackedLayer, path: string): number {
  let inode = 0
  for (const name of path.split('/')) {
    inode = layer.lookup(inode, Buffer.from(name).toString('latin1') as ByteString)
    if (inode < 0) throw new Error(`${path}: ${name} is not there (${inode})`)
  }
  return inode
}
