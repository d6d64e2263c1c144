/**
 * zstd (RFC 8878): frames are joined, skippable ones passed over. Three engines, the first that is there: libzstd by
 * koffi, node:zlib, WebAssembly. All are libzstd at heart, and all stand behind ZstdFrames, so that they accept the
 * same streams.
 */
import type { Limits } from '../limits.js'
import { loadLibzstd } from '../native/libzstd.js'
import { reasonOf, unsupported } from './invalid.js'
import { ZstdFrames, type ZstdPiece } from './zstd-frames.js'
import { loadZstdOfNode, type ZstdPieceDecoder } from './zstd-node.js'
import { pumpZstd } from './zstd-pump.js'
import { loadZstdWasm } from './zstd-wasm.js'

export interface ZstdEngine {
  readonly name: 'libzstd' | 'node:zlib' | 'zstddec'
  readonly decode: ZstdPieceDecoder
}

/** Loads one engine; undefined where it is missing. */
export const zstdEngines: Readonly<Record<ZstdEngine['name'], () => Promise<ZstdEngine | undefined>>> = {
  async libzstd() {
    const create = await loadLibzstd()
    return create && { name: 'libzstd', decode: (pieces, label) => pumpZstd(pieces, create(), label) }
  },
  async 'node:zlib'() {
    const decode = loadZstdOfNode()
    return decode && { name: 'node:zlib', decode }
  },
  async zstddec() {
    const create = await loadZstdWasm()
    return { name: 'zstddec', decode: (pieces, label) => pumpZstd(pieces, create(), label) }
  },
}

async function bestEngine(label: string): Promise<ZstdEngine> {
  const engine = (await zstdEngines.libzstd()) ?? (await zstdEngines['node:zlib']())
  if (engine !== undefined) return engine
  try {
    return (await zstdEngines.zstddec())!
  } catch (error) {
    throw unsupported(label, 'zstd', `Install libzstd, or use Node 22.15 or later (${reasonOf(error)})`)
  }
}

/** `engine` is for tests; without it, the best one is taken. */
export async function* decompressZstd(
  source: AsyncIterable<Uint8Array>,
  label: string,
  limits: Limits,
  engine?: ZstdEngine,
): AsyncGenerator<Buffer> {
  const pieces = new ZstdFrames(limits, label).pieces(source)
  const first = await pieces.next()
  if (first.done) return // skippable frames only: node:zlib would call that truncated
  try {
    yield* (engine ?? (await bestEngine(label))).decode(resumed(first.value, pieces), label)
  } finally {
    await pieces.return(undefined)
  }
}

async function* resumed(first: ZstdPiece, rest: AsyncGenerator<ZstdPiece>): AsyncGenerator<ZstdPiece> {
  yield first
  yield* rest
}
