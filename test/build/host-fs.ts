/**
 * node:fs behind a gate. Importing this file puts the gate before every function of node:fs, in all three forms; while `locked` runs,
 * those that are given a path of this machine fail, and are remembered. Libraries keep the functions that they find
 * when they are loaded: import them after this file, with `await import()`.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

type Call = (...args: unknown[]) => unknown
type Functions = Record<string, unknown>

let open: string | undefined
const asked: string[] = []

/**
 * Runs `work`, which may use the host's files within the folder `inside` alone. Fails if anything else was asked for,
 * though it was caught.
 */
export async function locked<T>(inside: string, work: () => T | Promise<T>): Promise<T> {
  open = resolve(inside)
  asked.length = 0
  try {
    return await work()
  } finally {
    open = undefined
    assert.deepEqual(asked, [], 'asked of the host')
  }
}

/** The failure of a call that is not allowed. */
function refusal(name: string, path: unknown): Error | undefined {
  const text = open === undefined ? undefined : textOf(path)
  if (text === undefined || `${resolve(text)}${sep}`.startsWith(`${open}${sep}`)) return undefined
  asked.push(`${name} ${text}`)
  return new Error(`the host's ${name} is locked: ${text}`)
}

/** Undefined for what is no path: a descriptor, or nothing, with which a view has Node complain of the other arguments. */
function textOf(path: unknown): string | undefined {
  if (path instanceof URL) return fileURLToPath(path)
  if (path === '') return undefined
  return typeof path === 'string' || path instanceof Uint8Array ? Buffer.from(path as string).toString() : undefined
}

/** Refuses in the form of the call: to a callback, as a promise, or by throwing. */
function gated(name: string, call: Call & { native?: Call }): Call {
  if (call.native !== undefined) call.native = gated(`${name}.native`, call.native)
  return new Proxy(call, {
    apply(target, self, args: unknown[]) {
      const error = refusal(name, args[0])
      if (error === undefined) return Reflect.apply(target, self, args)
      const callback = args.at(-1)
      if (typeof callback === 'function') return setImmediate(callback as Call, error)
      if (name.startsWith('promises.')) return Promise.reject(error)
      throw error
    },
  })
}

function gate(functions: Functions, prefix: string): void {
  for (const [name, value] of Object.entries(functions))
    if (typeof value === 'function' && /^[a-z]/.test(name)) functions[name] = gated(prefix + name, value as Call)
}

gate(fs as unknown as Functions, '')
gate(fs.promises as unknown as Functions, 'promises.')
syncBuiltinESMExports()
