/**
 * Streams of Node's own classes over a view: they take the functions that they call (open, read, close, write) as an option.
 * The classes that a view shows open files of the view; Node's would open files of the host.
 */
import fs from 'node:fs'
import { ViewFileHandle } from './file-handle.js'
import type { Implementation } from './forms.js'

/** The callback functions that a stream calls. */
export type StreamCalls = Readonly<Record<'open' | 'read' | 'close' | 'write' | 'writev' | 'fsync', Implementation>>

type Options = Record<string, unknown>

/** Node's classes: called with what is no object, they throw what node:fs throws. */
type MakeStream<S> = new (path: unknown, options: unknown) => S
const ReadStream = (): MakeStream<fs.ReadStream> => fs.ReadStream as unknown as MakeStream<fs.ReadStream>
const WriteStream = (): MakeStream<fs.WriteStream> => fs.WriteStream as unknown as MakeStream<fs.WriteStream>

/** Undefined for what Node refuses. */
function optionsOf(options: unknown): Options | undefined {
  if (options === undefined || options === null) return {}
  if (typeof options === 'string') return { encoding: options }
  return typeof options === 'object' ? { ...options } : undefined
}

/** A read stream over the view, or over one of its handles. */
export function readStream(calls: StreamCalls, path: unknown, options: unknown): fs.ReadStream {
  const given = optionsOf(options)
  if (given?.fd instanceof ViewFileHandle) return handleReadStream(calls, given.fd, given)
  return new (ReadStream())(path, given === undefined ? options : { ...given, fs: calls })
}

/** Closing the stream closes the handle, and closing the handle the stream, as with Node's. */
export function handleReadStream(calls: StreamCalls, handle: ViewFileHandle, options: unknown): fs.ReadStream {
  const stream = new (ReadStream())('', ofHandle(calls, handle, options))
  handle.once('close', () => stream.close())
  return stream
}

export function handleWriteStream(calls: StreamCalls, handle: ViewFileHandle, options: unknown): fs.WriteStream {
  const stream = new (WriteStream())('', ofHandle(calls, handle, options))
  handle.once('close', () => stream.close())
  return stream
}

function ofHandle(calls: StreamCalls, handle: ViewFileHandle, options: unknown): Options {
  const close: Implementation = (...args) => {
    const callback = args.at(-1) as (error?: unknown) => void
    handle.close().then(
      () => callback(),
      error => callback(error),
    )
  }
  return { ...optionsOf(options), fd: handle.fd, fs: { ...calls, close } }
}

/** A write stream; of a view its open fails, and the stream with it, as on any file system that is mounted read-only. */
export function writeStream(calls: StreamCalls, path: unknown, options: unknown): fs.WriteStream {
  const given = optionsOf(options)
  if (given?.fd instanceof ViewFileHandle) return handleWriteStream(calls, given.fd, given)
  return new (WriteStream())(path, given === undefined ? options : { ...given, fs: calls })
}

/** A class that is called with or without `new`, makes instances of Node's class, and whose instanceof is Node's. */
export function streamClass(
  name: string,
  make: (path: unknown, options: unknown) => object,
  prototype: object,
): object {
  function Stream(path: unknown, options: unknown): object {
    return make(path, options)
  }
  Object.defineProperty(Stream, 'name', { value: name })
  Stream.prototype = prototype
  return Stream
}
