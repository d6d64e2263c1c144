/**
 * Streaming zstd decompression by the machine's libzstd, through koffi.
 *
 * Invariants:
 * - The decoder lives in a Buffer of ours (ZSTD_initStaticDStream), so that a thread that is killed leaks nothing.
 * - Buffers that a call on the thread pool uses are referenced by its callback.
 * - Never beside the zstd of Node itself: its executable exports the same symbols, the library's own calls would land
 *   there, and two versions would share one structure (seen: "not enough memory"). Such a Node needs no libzstd.
 */
import { type Koffi, loadLibrary, type NativeArgument, type NativeLibrary } from './native.js'

export interface ZstdStream {
  begin(windowBytes: number): void
  step(input: Uint8Array, output: Uint8Array): ZstdStreamStep | Promise<ZstdStreamStep>
  close(): void
}

interface ZstdStreamStep {
  readonly consumedBytes: number
  readonly producedBytes: number
  readonly frameEnded: boolean
}

const names: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  linux: ['libzstd.so.1'],
  freebsd: ['libzstd.so.1'],
  darwin: ['libzstd.1.dylib', '/opt/homebrew/lib/libzstd.1.dylib'],
}

/** ZSTD_inBuffer and ZSTD_outBuffer are built by hand, for 64-bit little-endian machines. */
const architectures: readonly string[] = ['x64', 'arm64', 'riscv64', 'loong64']

/** The parameter that lifts libzstd's own bound on windows; callers bound them before. */
const windowLogMaxParameter = 100
const windowLogMax = 31

/** Less than this is decompressed before a thread of the pool would have woken up. */
const offThreadBytes = 16 * 1024

/** Makes decoders; undefined where Node has zstd, the machine has no libzstd, koffi is missing, or native code is off. */
export async function loadLibzstd(): Promise<(() => ZstdStream) | undefined> {
  if (process.versions.zstd !== undefined || !architectures.includes(process.arch)) return undefined
  const loaded = await loadLibrary(names[process.platform] ?? [])
  const calls = loaded && bind(loaded.library)
  return calls && (() => new LibzstdStream(loaded.koffi, calls))
}

type Calls = NonNullable<ReturnType<typeof bind>>

function bind(library: NativeLibrary) {
  try {
    return {
      estimate: library.func('size_t ZSTD_estimateDStreamSize(size_t windowBytes)'),
      initStatic: library.func('void *ZSTD_initStaticDStream(void *workspace, size_t workspaceBytes)'),
      setParameter: library.func('size_t ZSTD_DCtx_setParameter(void *stream, int parameter, int value)'),
      decompress: library.func('size_t ZSTD_decompressStream(void *stream, void *output, void *input)'),
      errorName: library.func('const char *ZSTD_getErrorName(size_t code)'),
    }
  } catch {
    return undefined // a build without the functions for static memory: as good as none
  }
}

class LibzstdStream implements ZstdStream {
  readonly #koffi: Koffi
  readonly #calls: Calls
  /** const void *bytes; size_t size; size_t position */
  readonly #input = Buffer.allocUnsafeSlow(24)
  readonly #output = Buffer.allocUnsafeSlow(24)
  #workspace: Buffer = Buffer.alloc(0)
  #stream: NativeArgument = null

  constructor(koffi: Koffi, calls: Calls) {
    this.#koffi = koffi
    this.#calls = calls
  }

  begin(windowBytes: number): void {
    const { estimate, initStatic, setParameter } = this.#calls
    const workspaceBytes = this.#number(estimate(windowBytes))
    if (workspaceBytes <= this.#workspace.length) return
    this.#workspace = Buffer.allocUnsafeSlow(workspaceBytes)
    this.#stream = initStatic(this.#workspace, workspaceBytes) as NativeArgument
    if (this.#stream === null) throw new Error(`libzstd: no decoder for a window of ${windowBytes} bytes`)
    this.#number(setParameter(this.#stream, windowLogMaxParameter, windowLogMax))
  }

  step(input: Uint8Array, output: Uint8Array): ZstdStreamStep | Promise<ZstdStreamStep> {
    this.#describe(this.#input, input)
    this.#describe(this.#output, output)
    const { decompress } = this.#calls
    if (input.length < offThreadBytes) return this.#stepped(decompress(this.#stream, this.#output, this.#input))
    return new Promise((resolve, reject) => {
      decompress.async(this.#stream, this.#output, this.#input, (error, result) => {
        try {
          if (error != null) throw error
          resolve(this.#stepped(result))
        } catch (failure) {
          reject(failure)
        } finally {
          keepAlive(input, output)
        }
      })
    })
  }

  close(): void {
    this.#stream = null
    this.#workspace = Buffer.alloc(0)
  }

  #describe(struct: Buffer, bytes: Uint8Array): void {
    // The address of no bytes is nothing that a library may look at.
    struct.writeBigUInt64LE(bytes.length === 0 ? 0n : this.#koffi.address(bytes), 0)
    struct.writeBigUInt64LE(BigInt(bytes.length), 8)
    struct.writeBigUInt64LE(0n, 16)
  }

  #stepped(result: unknown): ZstdStreamStep {
    const hint = this.#number(result)
    return {
      consumedBytes: Number(this.#input.readBigUInt64LE(16)),
      producedBytes: Number(this.#output.readBigUInt64LE(16)),
      frameEnded: hint === 0,
    }
  }

  /** Error codes are the last numbers of size_t, which koffi gives as a bigint. */
  #number(result: unknown): number {
    if (typeof result === 'number') return result
    throw new Error(String(this.#calls.errorName(result as bigint)))
  }
}

/** Being named in the callback is what keeps them; there is nothing to do. */
function keepAlive(..._buffers: readonly Uint8Array[]): void {
  return
}
