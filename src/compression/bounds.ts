/**
 * Bounds on what a decompressor puts out: absolute bytes first, then the ratio to its input. A ratio alone would refuse
 * a legal file of zeros and let a large bomb pass.
 */
import { type Limits, limitError } from '../limits.js'

export class Bounds {
  readonly #limits: Limits
  readonly #label: string
  #inputBytes = 0
  #outputBytes = 0

  constructor(limits: Limits, label: string) {
    this.#limits = limits
    this.#label = label
  }

  async *countInput(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#inputBytes += chunk.length
      yield chunk
    }
  }

  /** @throws PhylloError LIMIT_EXCEEDED with the first chunk that is over, which is not yielded. */
  async *limitOutput(output: AsyncIterable<Uint8Array>, compressed: boolean): AsyncGenerator<Uint8Array> {
    const { layerBytes, ratioFreeBytes, compressionRatio } = this.#limits
    for await (const chunk of output) {
      this.#outputBytes += chunk.length
      if (this.#outputBytes > layerBytes) throw limitError('layerBytes', layerBytes, this.#outputBytes, this.#label)
      if (compressed && this.#outputBytes > ratioFreeBytes) {
        const ratio = this.#outputBytes / this.#inputBytes
        if (ratio > compressionRatio) throw limitError('compressionRatio', compressionRatio, ratio, this.#label)
      }
      yield chunk
    }
  }
}
