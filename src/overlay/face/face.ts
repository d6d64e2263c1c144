/**
 * The node:fs face: an object with every function that the running node:fs has, each an own, enumerable property that needs no
 * `this`, so that `{ ...view }`, destructuring and `Object.assign({}, fs, view)` never fall back to the host's files.
 */
import fs from 'node:fs'
import { pathArgument } from '../union/arguments.js'
import { copyingFirst } from '../union/copy-first.js'
import { errnoError } from '../union/errno.js'
import type { Union } from '../union/union.js'
import { attributeCalls, existsCallback } from './calls-attributes.js'
import { changeAttributeCalls } from './calls-change-attributes.js'
import { changeNameCalls } from './calls-change-names.js'
import { copyCalls } from './calls-copy.js'
import { directoryCalls } from './calls-directories.js'
import { fileCalls, readLater, readvLater, vectorCallback } from './calls-files.js'
import { globCalls, globPromise } from './calls-glob.js'
import { nodeCalls } from './calls-nodes.js'
import { pathCalls } from './calls-paths.js'
import { writeCallLater, writeCalls, writevLater } from './calls-write.js'
import { writeFileCalls } from './calls-write-file.js'
import { ViewFileHandle } from './file-handle.js'
import { type Call, type Calls, callbackForm, type Implementation, promiseForm, promiseOf } from './forms.js'
import { refusedCalls } from './refusals.js'
import { statWatchers } from './stat-watcher.js'
import { type StreamCalls, type StreamClass, streamClass, type ViewStreams, viewStreams } from './streams.js'
import { unwatchFile, watch, watchFile, watchPromise } from './watch.js'

type Face = Record<string, unknown>

export function faceOf(union: Union): Face {
  const calls: Calls = {
    ...attributeCalls(union),
    ...directoryCalls(union),
    ...waitingCalls(union, fileCalls(union)),
    ...globCalls(union),
    ...pathCalls(union),
    ...(union.readOnly ? refusedCalls(union) : waitingCalls(union, changingCalls(union))),
  }
  const callbacks = callbackForms(union, calls)
  const streams = viewStreams(callbacks as unknown as StreamCalls)
  const face: Face = {}
  const watchers = statWatchers(union)
  const watching: Face = { watchFile: watchFile(union, watchers), unwatchFile: unwatchFile(watchers) }
  for (const name of Object.keys(fs)) {
    const value = callbacks[name] ?? syncForm(calls, name) ?? watching[name] ?? own(union, callbacks, streams, name)
    // A name that a newer Node has and nobody here knows: refused, since leaving it out would let the host's shine through
    if (value !== undefined) face[name] = shapedAs(hostValue(name), value)
    else if (typeof hostValue(name) === 'function') face[name] = unknownCall(name)
  }
  face.promises = promises(union, calls, streams)
  return face
}

/** What a container has and node:fs has not, in the three forms. */
export function extraFaceOf(union: Union): { readonly face: Face; readonly promises: Face } {
  const [face, promises]: [Face, Face] = [{}, {}]
  for (const [name, call] of Object.entries(waitingCalls(union, nodeCalls(union)))) {
    face[name] = callbackForm(call)
    face[`${name}Sync`] = call.sync
    promises[name] = promiseForm(call, union.pace)
  }
  return { face, promises }
}

function changingCalls(union: Union): Calls {
  return {
    ...changeNameCalls(union),
    ...changeAttributeCalls(union),
    ...copyCalls(union),
    ...writeCalls(union),
    ...writeFileCalls(union),
  }
}

/** The same, with asynchronous forms that copy much off the main thread before they change anything. */
function waitingCalls(union: Union, calls: Calls): Calls {
  const waiting = ([name, { sync, later, promise, spread }]: [string, Call]) => [
    name,
    {
      ...(sync && { sync }),
      later: copyingFirst(union, (later ?? sync)!),
      ...(promise && { promise: copyingFirst(union, promise) }),
      ...(spread && { spread }),
    },
  ]
  return Object.fromEntries(Object.entries(calls).map(waiting))
}

function callbackForms(union: Union, calls: Calls): Record<string, Implementation> {
  const forms: Record<string, Implementation> = {}
  const keys = new Set(Object.keys(fs))
  for (const [name, call] of Object.entries(calls)) if (keys.has(name)) forms[name] = callbackForm(call)
  forms.exists = existsCallback(union)
  forms.read = vectorCallback(readLater(union), 'buffer')
  forms.readv = vectorCallback(readvLater(union), 'buffers')
  if (!union.readOnly) {
    forms.write = vectorCallback(writeCallLater(union), 'buffer', 'bytesWritten')
    forms.writev = vectorCallback(writevLater(union), 'buffers', 'bytesWritten')
  }
  forms.openAsBlob = calls.openAsBlob!.promise!
  forms.realpath = withNative(forms.realpath!, callbackForm(calls['realpath.native']!))
  forms.close = closeForm(union, callbackForm(calls.close!))
  // Node's Linux has no lchmod, but the property is there
  if (hostValue('lchmod') === undefined) delete forms.lchmod
  return forms
}

function syncForm(calls: Calls, name: string): Implementation | undefined {
  if (!name.endsWith('Sync') || hostValue(name) === undefined) return undefined
  const sync = calls[name.slice(0, -4)]?.sync
  return name === 'realpathSync' ? withNative(sync!, calls['realpath.native']!.sync!) : sync
}

/** What has no three forms. */
function own(union: Union, callbacks: Record<string, Implementation>, streams: ViewStreams, name: string): unknown {
  const { ReadStream, WriteStream } = streams
  switch (name) {
    case 'Stats':
    case 'Dirent':
    case 'Dir':
    case 'constants':
    case '_toUnixTimestamp':
      return hostValue(name)
    case 'F_OK':
    case 'R_OK':
    case 'W_OK':
    case 'X_OK':
      return fs.constants[name]
    case 'createReadStream':
      return (path: unknown, options: unknown) => new ReadStream(path, options)
    case 'createWriteStream':
      return (path: unknown, options: unknown) => new WriteStream(path, options)
    case 'ReadStream':
    case 'FileReadStream':
      return ReadStream
    case 'WriteStream':
    case 'FileWriteStream':
      return WriteStream
    case 'Utf8Stream':
      return utf8StreamClass(union, callbacks, hostValue(name) as StreamClass)
    case 'watch':
      return watch(union)
    default:
      return undefined
  }
}

function promises(union: Union, calls: Calls, streams: ViewStreams): Face {
  const face: Face = {}
  for (const name of Object.keys(fs.promises)) {
    const call = calls[name]
    if (call !== undefined) face[name] = promiseForm(call, union.pace)
    else if (name === 'watch') face[name] = watchPromise(union)
    else if (name === 'constants') face[name] = fs.constants
    else face[name] = async () => refuse(name, 'ENOSYS')
  }
  const open: Implementation = (path, flags, mode) => {
    const opened = promiseOf(calls.open!)(path, flags, mode)
    const handle = (fd: unknown) => new ViewFileHandle(union, fd as number, calls, streams.ofHandle)
    return opened instanceof Promise ? opened.then(handle) : handle(opened)
  }
  face.open = promiseForm({ sync: open }, union.pace)
  if (fs.promises && 'glob' in fs.promises) face.glob = globPromise(union)
  for (const name of ['readFile', 'writeFile', 'appendFile'] as const) {
    const whole: Implementation = (path, ...rest) => {
      if (path instanceof ViewFileHandle) return path[name](rest[0], rest[1])
      // Unlike the other forms these take no descriptors
      if (typeof path === 'number') pathArgument(path)
      return promiseOf(calls[name]!)(path, ...rest)
    }
    face[name] = promiseForm({ sync: whole }, union.pace)
  }
  for (const [name, value] of Object.entries(face)) shapedAs((fs.promises as unknown as Face)[name], value)
  return face
}

/** There are libraries that look at a function's arity to see what it takes. */
function shapedAs(host: unknown, value: unknown): unknown {
  if (typeof value !== 'function' || typeof host !== 'function' || value === host) return value
  const { name, length } = host
  return Object.defineProperties(value, { name: { value: name }, length: { value: length } })
}

/** Of the newest Node: writes with the functions that it is given. */
function utf8StreamClass(union: Union, callbacks: Record<string, Implementation>, Host: StreamClass): object {
  return streamClass('Utf8Stream', Host, ([options]) => {
    if (union.readOnly) refuse('open')
    return { args: [{ ...(options as object), fs: { ...callbacks } }] }
  })
}

function withNative(form: Implementation, native: Implementation): Implementation {
  const realpath: Implementation = (...args) => form(...args)
  return Object.assign(realpath, { native })
}

/** With arguments it is fs.close; without any it closes the view. */
function closeForm(union: Union, closeFd: Implementation): Implementation {
  return (...args) => {
    if (args.length === 0) return union.close()
    // fs.close may be called without a callback
    return closeFd(...(args.length === 1 ? [args[0], rethrow] : args))
  }
}

function rethrow(error: unknown): void {
  if (error) throw error
}

function refuse(syscall: string, code = 'EROFS'): never {
  throw errnoError(code, syscall)
}

function unknownCall(name: string): Implementation {
  return () => refuse(name, 'ENOSYS')
}

function hostValue(name: string): unknown {
  return (fs as unknown as Face)[name]
}
