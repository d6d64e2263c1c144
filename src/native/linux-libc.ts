/**
 * The C library of a Linux through koffi, glibc or musl, with the kernel's own numbers for what one of them lacks: glibc has no
 * openat2, glibc before 2.33 exports no mknod, glibc before 2.28 and musl have no renameat2, and getdents64 came late.
 *
 * Invariant: errno is read at once after the call, by the thread that made it.
 */
import { constants } from 'node:os'
import { errnoError } from './errno-error.js'
import { libcNames } from './libc.js'
import { type Koffi, loadLibrary, type NativeArgument, type NativeFunction, type NativeLibrary } from './native.js'

export interface LinuxLibc {
  readonly library: NativeLibrary
  readonly numbers: CallNumbers
  /** The result, or the errno as a negative number. Made again when a signal interrupted it. */
  attempt(call: NativeFunction, ...args: readonly NativeArgument[]): number
  /** The same, made once. */
  once(call: NativeFunction, ...args: readonly NativeArgument[]): number
}

/** Numbers for syscall(2), from the kernel's tables (arch/x86/entry/syscalls/syscall_64.tbl, scripts/syscall.tbl). */
export interface CallNumbers {
  readonly mknodat: number
  readonly renameat2: number
  readonly openat2: number
  readonly getdents64: number
}

/** The table that all newer architectures share. */
const generic: CallNumbers = { mknodat: 33, renameat2: 276, openat2: 437, getdents64: 61 }

/** Machines with 64-bit little-endian words: structures are built by hand. */
const numbersOf: Readonly<Record<string, CallNumbers | undefined>> = {
  x64: { mknodat: 259, renameat2: 316, openat2: 437, getdents64: 217 },
  arm64: generic,
  riscv64: generic,
  loong64: generic,
}

/** Undefined: no such machine, no koffi, or native code is off. */
export async function loadLinuxLibc(): Promise<LinuxLibc | undefined> {
  const numbers = process.platform === 'linux' ? numbersOf[process.arch] : undefined
  const loaded = numbers && (await loadLibrary(libcNames()))
  return loaded && { library: loaded.library, numbers, ...callers(loaded.koffi) }
}

function callers(koffi: Koffi): Pick<LinuxLibc, 'attempt' | 'once'> {
  const interrupted = -constants.errno.EINTR
  const once: LinuxLibc['once'] = (call, ...args) => {
    const result = call(...args) as number
    return result === -1 ? -koffi.errno() : result
  }
  const attempt: LinuxLibc['attempt'] = (call, ...args) => {
    for (;;) {
      const result = once(call, ...args)
      if (result !== interrupted) return result
    }
  }
  return { attempt, once }
}

/** The result of an attempt, unless it says that the call failed. */
export function checked(result: number, syscall: string, path?: string | Buffer, dest?: string | Buffer): number {
  if (result < 0) throw errnoError(-result, syscall, path?.toString(), dest?.toString())
  return result
}
