/** A scanner keeps no content: whoever wants it looks at it here while it passes. */
import { blockBytes } from './header.js'
import type { TarScanner } from './scanner.js'

/**
 * Pushes a chunk piece by piece, and shows what lies between two headers, content and then padding, before the scanner passes over
 * it. `offset`: where in the archive the piece begins.
 */
export function pushShowing(
  scanner: TarScanner,
  chunk: Uint8Array,
  show: (piece: Uint8Array, offset: number) => void,
): void {
  for (let at = 0; at < chunk.length; ) {
    const content = scanner.skippable
    if (content === 0) {
      // Up to the next block boundary or a block further: a header ends there, and its content begins.
      const piece = chunk.subarray(at, at + blockBytes - (scanner.offset % blockBytes))
      scanner.push(piece)
      at += piece.length
      continue
    }
    const piece = chunk.subarray(at, at + content)
    show(piece, scanner.offset)
    scanner.skip(piece.length)
    at += piece.length
  }
}
