/** Layers unpacked into memory: the tree that they make, and what tar-split was told. */
import { byteString } from '../../src/byte-string.js'
import { defaultLimits, type Limits } from '../../src/limits.js'
import type { SplitSink } from '../../src/tar/split-writer.js'
import { type UnpackedLayer, unpackLayer } from '../../src/unpack/unpack-layer.js'
import { inChunks } from './layerfile.js'
import { MemoryFiles } from './memory-files.js'

/** What passed, in order. Bytes are latin1. */
export class ToldSplit implements SplitSink {
  tar = ''
  readonly entries: { readonly name: string; readonly payloadBytes: number; readonly at: number; content: string }[] =
    []

  raw(bytes: Uint8Array): void {
    this.tar += byteString(bytes)
  }

  entry(name: string, payloadBytes: number): void {
    this.entries.push({ name, payloadBytes, at: this.tar.length, content: '' })
  }

  payload(bytes: Uint8Array): void {
    this.tar += byteString(bytes)
    this.entries.at(-1)!.content += byteString(bytes)
  }
}

export interface Unpacked extends UnpackedLayer {
  readonly files: MemoryFiles
  readonly split: ToldSplit
}

export interface UnpackOptions {
  readonly limits?: Partial<Limits>
  /** Sizes of the chunks that the archive arrives in, used in turn. */
  readonly chunks?: readonly number[]
  readonly rootBytes?: number
  /** The errno that a call is to fail with. */
  readonly fail?: (call: string, path: string) => string | undefined
}

const root = '/stage/layer/diff'

export async function unpackToMemory(archive: Uint8Array, options: UnpackOptions = {}): Promise<Unpacked> {
  const files = new MemoryFiles(root, options.fail)
  const split = new ToldSplit()
  try {
    const layer = await unpackLayer(inChunks(archive, options.chunks ?? [1 << 20]), {
      calls: files,
      root,
      label: 'test.tar',
      limits: { ...defaultLimits, ...options.limits },
      split,
      ...(options.rootBytes !== undefined && { rootBytes: options.rootBytes }),
    })
    return { ...layer, files, split }
  } finally {
    if (files.openFiles > 0) process.exitCode = 1
  }
}
