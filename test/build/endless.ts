import type { ServerResponse } from 'node:http'

/** Sends a piece again and again, for as long as somebody takes it. */
export function endless(response: ServerResponse, piece: string | Buffer): void {
  let isOver = false
  response.once('close', () => (isOver = true))
  // Not at once: a write to what is gone calls back at once, too, before anybody has heard of the end.
  const more = (): unknown => !isOver && response.write(piece, () => setImmediate(more))
  more()
}
