/**
 * zstd by the WebAssembly module of the package zstddec: for Node versions without zstd on machines without libzstd.
 *
 * The package's own streaming decoder loops for ever on damaged input, since it does not look at the library's return
 * codes, and leaks its memory when one leaves it early. So only the compiled module is taken from it, and every decoder
 * gets an instance of its own, whose memory is collected with it.
 *
 * The package hands its module out once a thread, to the first who initialises it, and goes on working for others. If
 * somebody else of this program was first, this engine is not there.
 *
 * libzstd's default bound on windows, 128 MiB, holds here.
 */
import type { ZstdDecoder, ZstdStep } from './zstd-pump.js'

/** The types of Node leave WebAssembly out, the standard library's would bring the whole DOM. */
interface WasmModule {
  readonly [opaque: symbol]: never
}
const { WebAssembly: wasm } = globalThis as unknown as {
  readonly WebAssembly: {
    readonly Instance: new (module: WasmModule, imports: object) => { readonly exports: unknown }
  }
}

interface ZstdExports {
  readonly memory: { readonly buffer: ArrayBuffer }
  malloc(bytes: number): number
  ZSTD_createDCtx(): number
  ZSTD_decompressStream(context: number, output: number, input: number): number
}

/** Of input and of output within one step. */
const windowPieceBytes = 128 * 1024
/** size_t results from here on are error codes: ZSTD_error_maxCode. */
const firstErrorCode = 2 ** 32 - 120

let compiled: Promise<WasmModule> | undefined

/** Compiled once a thread. Rejects when the package is not there or was initialised by somebody else. */
export async function loadZstdWasm(): Promise<() => ZstdDecoder> {
  compiled ??= compile()
  const module = await compiled
  return () => new WasmDecoder(module)
}

async function compile(): Promise<WasmModule> {
  const { ZSTDDecoder } = await import('zstddec/stream')
  const decoder = new ZSTDDecoder()
  let module: WasmModule | undefined
  decoder._init = result => {
    module = result.module as WasmModule
    ZSTDDecoder.prototype._init(result)
  }
  await decoder.init()
  if (module === undefined) throw new Error('the package zstddec is in use by another part of this program')
  return module
}

class WasmDecoder implements ZstdDecoder {
  readonly #exports: ZstdExports
  readonly #context: number
  readonly #inputBytes: number
  readonly #outputBytes: number
  /** ZSTD_inBuffer and ZSTD_outBuffer: three 32-bit numbers each. */
  readonly #structs: number

  constructor(module: WasmModule) {
    const imports = { env: { emscripten_notify_memory_growth: () => undefined } }
    this.#exports = new wasm.Instance(module, imports).exports as ZstdExports
    this.#context = this.#allocated(this.#exports.ZSTD_createDCtx())
    this.#inputBytes = this.#allocated(this.#exports.malloc(windowPieceBytes))
    this.#outputBytes = this.#allocated(this.#exports.malloc(windowPieceBytes))
    this.#structs = this.#allocated(this.#exports.malloc(24))
  }

  /** The context takes the memory for the window by itself. */
  begin(): void {
    return
  }

  step(input: Uint8Array, output: Uint8Array): ZstdStep {
    const piece = input.subarray(0, windowPieceBytes)
    new Uint8Array(this.#exports.memory.buffer).set(piece, this.#inputBytes)
    const room = Math.min(output.length, windowPieceBytes)
    this.#struct().set([this.#inputBytes, piece.length, 0, this.#outputBytes, room, 0])
    const hint = this.#exports.ZSTD_decompressStream(this.#context, this.#structs + 12, this.#structs) >>> 0
    if (hint >= firstErrorCode) throw new Error(`error ${2 ** 32 - hint} of libzstd`)
    const structs = this.#struct()
    const consumedBytes = structs[2]!
    const producedBytes = structs[5]!
    output.set(new Uint8Array(this.#exports.memory.buffer, this.#outputBytes, producedBytes))
    return { consumedBytes, producedBytes, frameEnded: hint === 0 }
  }

  /** The memory goes with the instance. */
  close(): void {
    return
  }

  /** A fresh view each time: growing the memory detaches the old ones. */
  #struct(): Uint32Array {
    return new Uint32Array(this.#exports.memory.buffer, this.#structs, 6)
  }

  #allocated(pointer: number): number {
    if (pointer === 0) throw new Error('no memory for a zstd decoder')
    return pointer
  }
}
