/** The merged tree of a container as one tar, in a file or a stream. */
import type { Writable } from 'node:stream'
import type { OperationContext } from '../operation.js'
import { exportTar } from '../overlay/difference/export-tar.js'
import type { Union } from '../overlay/union/union.js'
import { openOutput } from './output.js'

export interface ExportTarget {
  /** A path, or a stream, which is ended after the last byte unless it is the process's own output. */
  readonly output: string | Writable
  /** Sync a file before it gets its name. */
  readonly durable: boolean
  /** What warnings call the container. */
  readonly label: string
}

/** Throws OUTPUT_IO, what reading throws, and the signal's reason; then there is no file. */
export async function exportTo(
  union: Union,
  { output, durable, label }: ExportTarget,
  op: OperationContext,
): Promise<void> {
  const target = await openOutput(output, durable)
  const warn = (path: string, reason: string) =>
    op.emit({ type: 'warning', subject: label, message: `${path}: ${reason}` })
  let abort: () => void = () => undefined
  const aborted = new Promise<never>((_, reject) => (abort = () => reject(op.signal.reason)))
  aborted.catch(() => undefined)
  op.signal.addEventListener('abort', abort, { once: true })
  let position = 0
  try {
    for await (const piece of exportTar(union, { warn })) {
      op.signal.throwIfAborted()
      // A stream may take a piece whenever its reader likes; an abort does not wait for that.
      const sent = target.write(piece, position)
      await (target.copies ? sent : Promise.race([sent, aborted]))
      position += piece.length
      op.report.bytesWritten += piece.length
      op.emit({ type: 'progress', subject: label, done: position })
    }
    op.signal.throwIfAborted()
    await target.commit()
  } catch (error) {
    await target.discard(error)
    throw error
  } finally {
    op.signal.removeEventListener('abort', abort)
  }
}
