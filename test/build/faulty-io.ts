/** The system calls of an upper, each of which may be the last one, or fail: at call number `at`, counted from 1. */
import { closeSync } from 'node:fs'
import { nodeUpperIo, type OpenFile, type UpperIo, upperIoError } from '../../src/drivers/packed/upper-io.js'

export type Fault =
  /** The process dies there: no call comes after it. A write may have done its first half. */
  | { readonly kind: 'kill'; readonly at: number }
  | { readonly kind: 'EIO' | 'ENOSPC'; readonly at: number; readonly times?: number }
  | { readonly kind: 'none' }

const changing = ['makeDirectory', 'open', 'write', 'truncate', 'rename', 'unlink', 'sync', 'syncData', 'syncDirectory']
const failing = {
  EIO: [...changing, 'read', 'readLater', 'readdir', 'fileBytes'],
  ENOSPC: ['open', 'write', 'truncate', 'rename'],
}

export interface FaultyIo extends UpperIo {
  /** Calls that could have been it. */
  readonly calls: number
  readonly happened: boolean
  /** Changes what happens from now on; counts from 1 again. */
  arm(fault: Fault): void
  /** Closes what a process that died has open. */
  bury(): void
}

export function faultyIo(): FaultyIo {
  let fault: Fault = { kind: 'none' }
  let [calls, happened, dead] = [0, false, false]
  const open = new Set<number>()

  const hit = (name: string): boolean => {
    if (dead) throw upperIoError(name, 'nowhere', new Error('the process is dead'))
    const counted = fault.kind === 'EIO' || fault.kind === 'ENOSPC' ? failing[fault.kind] : changing
    if (!counted.includes(name)) return false
    calls++
    if (fault.kind === 'none') return false
    const times = fault.kind === 'kill' ? 1 : (fault.times ?? 1)
    if (calls < fault.at || calls >= fault.at + times) return false
    happened = true
    dead = fault.kind === 'kill'
    return true
  }
  const failure = (name: string, path: string) => {
    const code = fault.kind === 'kill' ? 'EDEAD' : fault.kind
    return upperIoError(name, path, Object.assign(new Error(`${code}: as ordered`), { code }))
  }
  const guarded = <A extends readonly unknown[], R>(name: string, call: (...args: A) => R) => {
    return (...args: A): R => {
      if (hit(name)) throw failure(name, String(args[0]))
      return call(...args)
    }
  }
  const later = <R>(name: string, call: (file: OpenFile) => Promise<R>) => {
    return async (file: OpenFile): Promise<R> => {
      if (hit(name)) throw failure(name, file.path)
      return call(file)
    }
  }
  const io = nodeUpperIo
  return {
    get calls() {
      return calls
    },
    get happened() {
      return happened
    },
    arm(next) {
      fault = next
      calls = 0
      happened = false
    },
    bury() {
      dead = true
      for (const fd of open) closeSync(fd)
      open.clear()
    },
    makeDirectory: guarded('makeDirectory', io.makeDirectory),
    readdir: guarded('readdir', io.readdir),
    fileBytes: guarded('fileBytes', io.fileBytes),
    open: guarded('open', (path: string, flags: 'r+' | 'wx+') => {
      const file = io.open(path, flags)
      open.add(file.fd)
      return file
    }),
    close(file) {
      if (open.delete(file.fd)) io.close(file)
    },
    read: guarded('read', io.read),
    readLater: guarded('readLater', io.readLater),
    write(file, bytes, position) {
      if (!hit('write')) return io.write(file, bytes, position)
      if (bytes.length > 1) io.write(file, bytes.subarray(0, bytes.length >> 1), position)
      throw failure('write', file.path)
    },
    truncate: guarded('truncate', io.truncate),
    reflink: guarded('reflink', io.reflink),
    reflinkSync: guarded('reflinkSync', io.reflinkSync),
    rename: guarded('rename', io.rename),
    unlink: guarded('unlink', io.unlink),
    sync: later('sync', io.sync),
    syncData: later('syncData', io.syncData),
    syncDirectory: guarded('syncDirectory', io.syncDirectory),
    syncNow: guarded('syncNow', io.syncNow),
  }
}
