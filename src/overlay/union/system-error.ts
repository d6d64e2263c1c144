/** Node's SystemError, which rm and cp throw for what is no failure of a system call: with `info`, and its fields beside it. */

export interface SystemErrorInfo {
  readonly code: string
  readonly message: string
  readonly path: string
  readonly syscall: string
  /** Positive. */
  readonly errno: number
}

export function systemError(code: string, prefix: string, info: SystemErrorInfo): Error {
  const error = new Error(`${prefix}: ${info.syscall} returned ${info.code} (${info.message}) ${info.path}`)
  const { errno, syscall, path } = info
  Object.defineProperty(error, 'name', { value: 'SystemError', configurable: true, writable: true })
  return Object.assign(error, { code, info, errno, syscall, path })
}
