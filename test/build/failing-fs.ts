/**
 * Failing system calls within this process: those of node:fs, in all of its forms, and those that the product makes through koffi.
 *
 * Import this before anything of the product: what takes a function out of node:fs at its import then takes the one that can fail.
 *
 * Invariants:
 * - Only calls on a path, or on a descriptor of a path, below the armed directory are counted and fail.
 * - A call that fails is not made, as with a kernel; but a failing close has closed (Linux, close(2)).
 * - An errno comes from calls only that a kernel lets fail with it.
 */
import fs, { type PathLike } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { FailingCalls } from './failing-calls.js'
import { opensToWrite } from './fault-errnos.js'

export type { Fault } from './failing-calls.js'

const byPath =
  'access chmod chown lchown copyFile cp link lstat lutimes mkdir mkdtemp open opendir readdir readFile readlink realpath rename rm rmdir stat statfs symlink truncate unlink utimes writeFile appendFile'
const byDescriptor = 'close fchmod fchown fdatasync fstat fsync ftruncate futimes read readv write writev'
const ofHandle =
  'appendFile chmod chown datasync sync read readv readFile stat truncate utimes write writev writeFile close'

type Call = (...args: unknown[]) => unknown

export const failingFs = new FailingCalls()

/** Of two paths the second is what changes. */
function failureOf(call: string, args: readonly unknown[]): NodeJS.ErrnoException | undefined {
  const second = /^(link|rename|copyFile|cp|symlink)$/.test(call)
  const options = { writes: opensToWrite(call, args[1]), named: typeof args[0] !== 'number' }
  return failingFs.hit(call, failingFs.pathOf(args[second ? 1 : 0]), options)
}

function noteOpened(call: string, args: readonly unknown[], fd: unknown): void {
  if (call === 'open' && typeof fd === 'number') failingFs.opened(fd, failingFs.pathOf(args[0]) ?? '')
}

/** With what promisify reads of it. */
function replace(owner: Record<string, unknown>, name: string, make: (call: Call) => Call): void {
  const call = owner[name]
  if (typeof call !== 'function') return
  owner[name] = Object.defineProperties(make(call as Call), Object.getOwnPropertyDescriptors(call))
}

function patchForms(): void {
  const forms = fs as unknown as Record<string, unknown>
  for (const call of `${byPath} ${byDescriptor}`.split(' ')) {
    replace(forms, `${call}Sync`, original => (...args) => {
      const failure = failureOf(call, args)
      if (call === 'close') failingFs.closed(args[0] as number)
      if (failure !== undefined && call !== 'close') throw failure
      const result = failingFs.through(() => original(...args))
      noteOpened(call, args, result)
      if (failure !== undefined) throw failure
      return result
    })
    replace(forms, call, original => (...args) => {
      const failure = failureOf(call, args)
      const done = args.pop() as Call
      if (call === 'close') failingFs.closed(args[0] as number)
      if (failure !== undefined && call !== 'close') return void setImmediate(done, failure)
      original(...args, (error: unknown, ...results: unknown[]) => {
        noteOpened(call, args, results[0])
        done(failure ?? error, ...results)
      })
    })
  }
  const promises = fs.promises as unknown as Record<string, unknown>
  for (const call of byPath.split(' '))
    replace(
      promises,
      call,
      original =>
        (...args) =>
          later(call, original, args),
    )
}

async function later(call: string, original: Call, args: unknown[]): Promise<unknown> {
  const path = failingFs.pathOf(args[0]) ?? failingFs.pathOfHandle(args[0] as object)
  const failure = failureOf(call, args)
  if (failure !== undefined) {
    await new Promise(setImmediate)
    throw failure
  }
  const result = await original(...args)
  if (call === 'open') failingFs.openedHandle(result as fs.promises.FileHandle, path ?? '')
  return result
}

async function patchHandles(): Promise<void> {
  const handle = await fs.promises.open(process.execPath)
  const prototype = Object.getPrototypeOf(handle) as Record<string, unknown>
  await handle.close()
  for (const call of ofHandle.split(' '))
    replace(
      prototype,
      call,
      original =>
        async function (this: fs.promises.FileHandle, ...args) {
          const { fd } = this
          const failure = failingFs.hit(call, fd < 0 ? undefined : failingFs.pathOfHandle(this), {
            named: false,
            writes: /write|append/.test(call),
          })
          if (call === 'close') failingFs.closed(fd)
          if (failure !== undefined && call !== 'close') {
            await new Promise(setImmediate)
            throw failure
          }
          const result = await (original as unknown as Call).apply(this, args)
          if (failure !== undefined) throw failure
          return result
        },
    )
}

/** System calls through syscall(2), by their numbers on x64 and on all newer machines. */
const numbered: Readonly<Record<number, string>> = {
  259: 'mknodat',
  316: 'renameat2',
  437: 'openat2',
  217: 'getdents64',
  33: 'mknodat',
  276: 'renameat2',
  61: 'getdents64',
}

type NativeCall = Call & { async(...args: unknown[]): void }
interface Library {
  func(signature: string): NativeCall
}

/** Without koffi there are none. */
async function patchNative(): Promise<void> {
  const loaded = await import('koffi').catch(() => undefined)
  if (loaded === undefined) return
  const koffi = loaded.default as unknown as { load(path: string): Library; errno(value?: number): number }
  const load = koffi.load
  koffi.load = path => {
    const library = load(path)
    // A codec's bytes are no paths.
    if (!path.includes('libc') && !path.includes('libSystem')) return library
    return new Proxy(library, {
      get: (of, key) =>
        key === 'func' ? (signature: string) => native(of.func(signature), signature, koffi) : Reflect.get(of, key),
    })
  }
}

function native(call: NativeCall, signature: string, koffi: { errno(value?: number): number }): NativeCall {
  const name = /(\w+)\(/.exec(signature)?.[1] ?? ''
  const failure = (args: readonly unknown[]) => {
    const [as, given] = name === 'syscall' ? [numbered[Number(args[0])] ?? '', args.slice(1)] : [name, args]
    return failingFs.hit(as, nativePath(given), { writes: as === 'openat2' && writesNative(given[2]) })
  }
  const failing = (...args: unknown[]) => {
    const failed = failure(args)
    if (failed === undefined) return call(...args)
    if (name === 'close') call(...args)
    koffi.errno(-failed.errno!)
    return -1
  }
  const async = (...args: unknown[]) => {
    const failed = failure(args.slice(0, -1))
    if (failed === undefined) return call.async(...args)
    setImmediate(() => {
      koffi.errno(-failed.errno!)
      ;(args.at(-1) as Call)(null, -1)
    })
  }
  return Object.assign(failing, { async })
}

/** struct open_how begins with the flags. */
function writesNative(how: unknown): boolean {
  return Buffer.isBuffer(how) && opensToWrite('open', how.readUInt32LE(0))
}

function nativePath(args: readonly unknown[]): string | undefined {
  for (const arg of args) {
    const path = typeof arg === 'number' && arg < 0 ? undefined : failingFs.pathOf(arg as PathLike)
    if (path?.startsWith('/')) return path
  }
  return undefined
}

patchForms()
await patchHandles()
await patchNative()
syncBuiltinESMExports()
