/** For tests of system calls: what node:fs's own error of a failure looks like, and a C library that does what it is told. */
import assert from 'node:assert/strict'
import { callersOf, type LinuxLibc } from '../../src/native/linux-libc.js'
import type { NativeArgument, NativeFunction } from '../../src/native/native.js'

export function thrownBy(call: () => unknown): NodeJS.ErrnoException {
  try {
    call()
  } catch (error) {
    assert.ok(error instanceof Error)
    return error
  }
  throw new assert.AssertionError({ message: 'nothing was thrown' })
}

/** Both fail alike, but for what the call is named. */
export function assertSameFailure(ours: () => unknown, theirs: () => unknown): void {
  const [mine, nodes] = [thrownBy(ours), thrownBy(theirs)]
  const { syscall, ...facts } = Object.fromEntries(Object.entries(mine))
  const { syscall: theirSyscall, ...theirFacts } = Object.fromEntries(Object.entries(nodes))
  assert.deepEqual(facts, theirFacts)
  assert.equal(mine.message, nodes.message.replace(`, ${theirSyscall}`, `, ${syscall}`))
  assert.equal(mine.name, nodes.name)
}

/** Answers each call of a symbol by what `answer` returns: a result, or an errno as a negative number. */
export function fakeLibc(answer: (symbol: string, args: readonly NativeArgument[]) => number): LinuxLibc {
  let errno = 0
  const library = {
    func(signature: string): NativeFunction {
      const symbol = /(\w+)\(/.exec(signature)![1]!
      const call = (...args: readonly NativeArgument[]) => {
        const result = symbol === 'getpagesize' ? 4096 : answer(symbol, args)
        if (result >= 0) return result
        errno = -result
        return -1
      }
      return Object.assign(call, { async: () => assert.fail('not on the thread pool') })
    },
  }
  const numbers = { mknodat: 1, renameat2: 2, openat2: 3, getdents64: 4 }
  return { library, numbers, ...callersOf({ errno: () => errno }) }
}
