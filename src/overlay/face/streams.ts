/**
 * Streams of Node's own classes over a view: they take the functions that they call (open, read, close, write) as an option.
 * The classes that a view shows open files of the view; Node's would open files of the host.
 */
import fs from 'node:fs'
import { Readable, Writable } from 'node:stream'
import { type HandleStreams, ViewFileHandle } from './file-handle.js'
import type { Implementation } from './forms.js'

/** The callback functions that a stream calls. */
export type StreamCalls = Readonly<Record<'open' | 'read' | 'close' | 'write' | 'writev' | 'fsync', Implementation>>

/** A class, or a function that makes instances of itself. */
export type StreamClass<S = object> = (new (...given: unknown[]) => S) & { readonly prototype: object }

/** The arguments that Node's class is called with, and the handle that ends with the stream. */
interface Prepared {
  readonly args: readonly unknown[]
  readonly handle?: ViewFileHandle
}

/**
 * A class as Node's, over what `prepare` makes of the arguments: with or without `new`, as the parent of a class, and called by a
 * constructor that inherits in the old way on the object that is being made (graceful-fs does).
 */
export function streamClass<S extends object>(
  name: string,
  Host: StreamClass<S>,
  prepare: (given: readonly unknown[]) => Prepared,
): StreamClass<S> {
  function Stream(this: unknown, ...given: unknown[]): object {
    const { args, handle } = prepare(given)
    const isMade = new.target === undefined && this instanceof Stream
    const stream = isMade ? (this as S) : Reflect.construct(Host, args, new.target ?? Stream)
    if (isMade) Reflect.apply(Host, stream, args)
    // Closing the stream closes the handle, and closing the handle the stream, as with Node's
    handle?.once('close', () => (stream as fs.ReadStream).close())
    return stream
  }
  Object.defineProperties(Stream, { name: { value: name }, length: { value: Host.length } })
  Stream.prototype = Host.prototype
  return Stream as unknown as StreamClass<S>
}

export interface ViewStreams {
  readonly ReadStream: StreamClass<fs.ReadStream>
  readonly WriteStream: StreamClass<fs.WriteStream>
  readonly ofHandle: HandleStreams
}

/** Over a path or a handle of the view. Those that write fail on a view when they open, as on what is mounted read-only. */
export function viewStreams(calls: StreamCalls): ViewStreams {
  const prepare = ([path, options]: readonly unknown[]) => prepared(calls, path, options)
  const ReadStream = streamClass('ReadStream', nodesOwn<fs.ReadStream>(fs.ReadStream, Readable), prepare)
  const WriteStream = streamClass('WriteStream', nodesOwn<fs.WriteStream>(fs.WriteStream, Writable), prepare)
  const ofHandle: HandleStreams = {
    read: (handle, options) => new ReadStream('', { ...optionsOf(options), fd: handle }),
    write: (handle, options) => new WriteStream('', { ...optionsOf(options), fd: handle }),
  }
  return { ReadStream, WriteStream, ofHandle }
}

/**
 * Node's class, behind those that somebody (graceful-fs) has put over it in node:fs: a stream that finds an `open` of theirs calls
 * that one, which opens files of the host.
 */
function nodesOwn<S>(shown: { readonly prototype: object }, base: { readonly prototype: object }): StreamClass<S> {
  let { prototype } = shown
  for (let above = prototype; above !== null && above !== base.prototype; above = Object.getPrototypeOf(above))
    prototype = above
  return prototype.constructor as StreamClass<S>
}

type Options = Readonly<Record<string, unknown>>

/** Undefined for what Node refuses. */
function optionsOf(options: unknown): Options | undefined {
  if (options === undefined || options === null) return {}
  if (typeof options === 'string') return { encoding: options }
  return typeof options === 'object' ? { ...options } : undefined
}

function prepared(calls: StreamCalls, path: unknown, options: unknown): Prepared {
  const given = optionsOf(options)
  // Called with what is no object, Node's classes throw what node:fs throws
  if (given === undefined) return { args: [path, options] }
  const handle = given.fd
  if (!(handle instanceof ViewFileHandle)) return { args: [path, { ...given, fs: calls }] }
  const close: Implementation = (...args) => {
    const callback = args.at(-1) as (error?: unknown) => void
    handle.close().then(
      () => callback(),
      error => callback(error),
    )
  }
  return { args: ['', { ...given, fd: handle.fd, fs: { ...calls, close } }], handle }
}
