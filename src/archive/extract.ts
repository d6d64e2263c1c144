/** A tar, compressed or not, unpacked into a container: out of a file or a stream. */
import { createReadStream } from 'node:fs'
import { basename, resolve } from 'node:path'
import { decompress } from '../compression/compression.js'
import { chunkBytes, type Limits } from '../limits.js'
import type { OperationContext } from '../operation.js'
import { extractionPoint, extractTar } from '../overlay/archive/extract-tar.js'
import type { Union } from '../overlay/union/union.js'
import { InputStream, taking } from './input-stream.js'
import type { ArchiveInput } from './open.js'

export interface ExtractSource {
  readonly input: ArchiveInput
  /** For messages, instead of its own. */
  readonly name: string | undefined
  readonly limits: Limits
}

/** `path`: a directory that is there. Throws INPUT_IO, COMPRESSION_INVALID, what unpacking throws, and the signal's reason. */
export async function extractInto(
  union: Union,
  path: unknown,
  { input, name: called, limits }: ExtractSource,
  op: OperationContext,
): Promise<void> {
  await taking(input, async () => {
    const directory = extractionPoint(union, path)
    const { bytes, ...own } = opened(input)
    const name = called ?? own.name
    const stream = new InputStream(bytes, name)
    const abort = () => stream.stop(op.signal.reason)
    op.signal.addEventListener('abort', abort, { once: true })
    const counted = async function* () {
      for await (const chunk of decompress(stream, { limits, label: name })) {
        yield chunk
        op.report.bytesRead = stream.bytesRead
        op.emit({ type: 'progress', subject: name, done: stream.bytesRead })
      }
    }
    try {
      await extractTar(union, directory, counted(), limits)
    } finally {
      op.signal.removeEventListener('abort', abort)
    }
  })
}

function opened(input: ArchiveInput): { readonly name: string; readonly bytes: AsyncIterable<unknown> } {
  if (typeof input !== 'string') return { name: 'stream', bytes: input }
  if (input === '-') return { name: 'stdin', bytes: process.stdin }
  return { name: basename(resolve(input)), bytes: createReadStream(input, { highWaterMark: chunkBytes }) }
}
