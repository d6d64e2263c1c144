/**
 * Runs a zstd decoder that works step by step, as ZSTD_decompressStream does: from the pieces of frames to chunks of
 * output in two buffers, which take turns.
 */
import { chunkBytes } from '../limits.js'
import { oneAhead } from './ahead.js'
import { invalid, reasonOf } from './invalid.js'
import type { ZstdPiece } from './zstd-frames.js'

export interface ZstdStep {
  readonly consumedBytes: number
  readonly producedBytes: number
  /** The frame has ended, and all of it has come out. */
  readonly frameEnded: boolean
}

export interface ZstdDecoder {
  /** A frame with this window begins with the next step. */
  begin(windowBytes: number): void
  /** Throws when the bytes are not zstd. Neither argument is touched after it has settled. */
  step(input: Uint8Array, output: Uint8Array): ZstdStep | Promise<ZstdStep>
  /** Frees it. No step is running. */
  close(): void
}

export function pumpZstd(pieces: AsyncIterable<ZstdPiece>, decoder: ZstdDecoder, label: string) {
  return oneAhead(pump(pieces, decoder, label))
}

async function* pump(pieces: AsyncIterable<ZstdPiece>, decoder: ZstdDecoder, label: string): AsyncGenerator<Buffer> {
  let output = Buffer.allocUnsafeSlow(chunkBytes)
  let other = Buffer.allocUnsafeSlow(chunkBytes)
  let filled = 0
  let open = false
  try {
    for await (const { bytes, windowBytes } of pieces) {
      if (windowBytes !== undefined) {
        if (open) throw invalid(label, 'zstd', 'a frame goes on behind its last block')
        decoder.begin(windowBytes)
        open = true
      }
      for (let input = bytes, more = true; more; ) {
        const step = await steppedOrInvalid(decoder, input, output.subarray(filled), label)
        input = input.subarray(step.consumedBytes)
        filled += step.producedBytes
        if (step.frameEnded) open = false
        if (!open && input.length > 0) throw invalid(label, 'zstd', 'a frame ends before its last block')
        // Output may be waiting inside although all input is taken: asked for until nothing comes.
        more = input.length > 0 || (open && step.producedBytes > 0)
        if (more && step.consumedBytes === 0 && step.producedBytes === 0) {
          throw invalid(label, 'zstd', 'decoding does not advance')
        }
        if (filled < output.length) continue
        yield output
        ;[output, other] = [other, output]
        filled = 0
      }
    }
    if (open) throw invalid(label, 'zstd', 'the last frame is not complete')
    if (filled > 0) yield output.subarray(0, filled)
  } finally {
    decoder.close()
  }
}

async function steppedOrInvalid(
  decoder: ZstdDecoder,
  input: Uint8Array,
  output: Uint8Array,
  label: string,
): Promise<ZstdStep> {
  try {
    return await decoder.step(input, output)
  } catch (error) {
    throw invalid(label, 'zstd', reasonOf(error), error)
  }
}
