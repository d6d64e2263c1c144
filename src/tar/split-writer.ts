/**
 * tar-split's disassembly of a layer: everything of the tar but contents, so that the exact tar can be put together again from the
 * files (facts: docker-store 6). Whoever scans the layer tells it what passes.
 */
import type { ByteString } from '../byte-string.js'

export interface SplitSink {
  /** Bytes of the tar that are no content, in their order: padding, headers, what ends the archive. */
  raw(bytes: Uint8Array): void
  /**
   * The headers of an entry have passed as raw bytes. `payloadBytes`: how much content follows by `payload` and can be read again
   * from the file of this name; 0 for whatever has none, or whose content is told as raw bytes.
   */
  entry(name: ByteString, payloadBytes: number): void
  payload(bytes: Uint8Array): void
}
