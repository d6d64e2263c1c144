/**
 * The engine's one error class and the closed table of its codes.
 *
 * Three families of failure leave Phyllo: `PhylloError` (this file), errno errors with the shape of node:fs from views
 * and containers, and `TypeError` for misuse. Codes are stable between major versions, messages are not.
 */
import { constants } from 'node:os'

/** code → what it means, and what the caller can do about it. */
export const errorCodes = {
  ARCHIVE_INVALID: 'The archive is not one that can be loaded; the message names the member and the reason.',
  CHANGE_INVALID:
    'Not a Dockerfile instruction that commit and import take, or one with wrong arguments; `change` is the line.',
  COMMAND_UNSUPPORTED: 'The command or option exists in Docker and is not there yet in Phyllo.',
  COMPRESSION_INVALID: 'Compressed bytes are damaged, truncated or followed by something else. Fetch the file again.',
  COMPRESSION_UNSUPPORTED:
    'The bytes are compressed with something this machine cannot read; the message says what to install.',
  CONFIG_INVALID: 'An image config, or a daemon.json, is not valid JSON of the expected shape.',
  CONTAINER_BUSY: 'The container is open for writing elsewhere, in this process or another one.',
  CONTAINER_CHANGED:
    'The container was opened for reading only, and whoever has it open for writing took away what was to be read. Open it again.',
  CONTAINER_NAME_INVALID:
    'Not a name for a container: two characters or more of [a-zA-Z0-9_.-], the first a letter or digit.',
  CONTAINER_NAME_TAKEN: 'Another container has that name; `container` is its id.',
  CONTAINER_NOT_FOUND: 'No such container in this store.',
  DIFF_ID_MISMATCH:
    'The uncompressed layer does not hash to what the image config says. The archive is damaged or lies.',
  DIGEST_MISMATCH: 'Bytes do not hash to the digest they were announced with.',
  DIGEST_SYNTAX: 'Not a digest: sha256 with 64 lower-case hex digits, or sha512 with 128.',
  DISK_FULL:
    'The disk has too little room for it, or came to have too little while it was written; `path`, `needed`, `free` and `reserve` say where and how many bytes. Make room, or keep a smaller reserve.',
  DRIVER_MISMATCH: 'The store was made with another driver than the one asked for.',
  DRIVER_UNSUPPORTED:
    'This machine, user or file system cannot keep a store of that driver; the message says what is missing.',
  ENTRY_UNSUPPORTED: 'A layer holds an entry of a kind that cannot be represented (sparse file, unknown type).',
  IMAGE_IN_USE:
    'The image, or its last name, is in use and stays; the message says by what, and whether `force` removes it all the same.',
  IMAGE_NOT_FOUND: 'No such image in this store.',
  INPUT_IO: 'Reading an input file failed; `path` and `cause` say where and why.',
  LIMIT_EXCEEDED: 'A bound was passed; `limit`, `max` and `seen` say which. Bounds are options of Store.open.',
  MANIFEST_AMBIGUOUS: 'A manifest could be read in two ways (an index and a manifest at once, duplicate keys).',
  MANIFEST_INVALID: 'A manifest, index or manifest.json is not of the expected shape.',
  METADATA_INVALID: 'Owner, mode, device number, time or xattr of an entry is out of range.',
  MOUNT_FAILED: 'The kernel did not mount or unmount; `operation`, `path` and `errno` say what and why.',
  NAME_COLLISION:
    'Two names of the image are one to the file system that it is unpacked to, which folds cases or forms of Unicode; `names` are both.',
  OUTPUT_EXISTS: 'What was to be made is there already, and nothing that could be replaced.',
  OUTPUT_IO: 'Writing an output file or stream failed; `path` and `cause` say where and why.',
  PATH_ESCAPE: 'An entry or a hard link points outside of its layer.',
  PLATFORM_NOT_FOUND: 'The index holds no image for the platform asked for; `available` lists what is there.',
  REFERENCE_INVALID: 'Not an image reference: [registry[:port]/]repository[:tag][@digest].',
  REGISTRY_AUTH:
    'The registry `host`, or its token server, wants credentials that it has not got or does not take: log in.',
  REGISTRY_CREDENTIALS:
    'Credentials or certificates could not be read or written; `path` is the file, or the credential helper.',
  REGISTRY_DENIED: 'The registry knows who asks, and does not let it; or it does not tell that nothing is there.',
  REGISTRY_LIMIT: 'The registry answers no more for a while; `retryAfterMs` says how long, if it does.',
  REGISTRY_NOT_FOUND: 'The registry has no such repository, tag, manifest, blob or upload.',
  REGISTRY_PROTOCOL: 'What the registry answered is not what the protocol allows, or more than is taken.',
  REGISTRY_PROXY:
    'A proxy (`proxy`, `proxyStatus`) wants credentials or does not let one through, or what names it is none; the message says where to set it.',
  REGISTRY_REDIRECT:
    'The registry leads where nothing of it may be asked: another origin, a private address, plain HTTP.',
  REGISTRY_REFUSED: 'The registry refused what was asked of it; `status` and `registryCode` say why.',
  REGISTRY_UNAVAILABLE:
    'The registry was not reached, broke off, took too long, or failed; `cause` or `status` says which. Try again.',
  SIZE_MISMATCH: 'Bytes are more or fewer than announced.',
  STORE_BUSY: 'Somebody else holds the store and did not let go in time.',
  STORE_CLOSED: 'The store, view or container was used after close().',
  STORE_CORRUPT: 'Something in the store is not what its name says; `path` names it.',
  STORE_IO: 'A system call on the store failed; `operation`, `path` and `cause` say which.',
  STORE_READ_ONLY: 'The store, or the container, is open for reading only; the message says why.',
  STORE_VERSION: 'The store or a file of it was written by a newer version of Phyllo.',
  TAR_INVALID: 'The tar archive is malformed; `offset` says where.',
  WHITEOUT_INVALID: 'A whiteout names nothing, its own directory, or something that is not a whiteout.',
  WORKER_DIED: 'A worker thread ended before its job was done. Nothing of the job was published.',
} as const

export type ErrorCode = keyof typeof errorCodes

/** Facts of an error, own enumerable fields of it: strings, numbers, bigints, booleans and lists of strings. */
export type ErrorFacts = Readonly<Record<string, string | number | bigint | boolean | readonly string[] | undefined>>

export class PhylloError extends Error {
  readonly code: ErrorCode
  /** What was being read or written when it failed: a file, an archive member, an image. */
  declare readonly path?: string
  declare readonly member?: string
  declare readonly offset?: number
  readonly [fact: string]: unknown

  constructor(code: ErrorCode, message: string, { cause, ...facts }: ErrorFacts | { cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    Object.assign(this, facts)
  }

  static {
    Object.defineProperty(PhylloError.prototype, 'name', { value: 'PhylloError', configurable: true, writable: true })
  }
}

export function isErrno(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && codes.includes(error.code as string)
}

/** Codes of calls that failed, by whose file it was. */
export type CallCode = 'STORE_IO' | 'INPUT_IO' | 'OUTPUT_IO' | 'MOUNT_FAILED'

/** What is known of a call that failed. */
export interface FailedCall {
  /** Default: the name of the system call, or `write` of an output and `read` of anything else. */
  readonly operation?: string
  /** Absent: it was a stream of the user's. */
  readonly path?: string | undefined
  /** What the message says before the reason. Default: the path, and which operation failed. */
  readonly said?: string
  /** The reason in words. Default: that of the cause. */
  readonly reason?: string
  readonly [fact: string]: string | number | undefined
}

/** `operation` and `errno` of a call that failed, as far as the error says them. */
export function callFacts(cause: unknown): { readonly operation?: string; readonly errno?: string } {
  const [operation, errno] = [syscallOf(cause), errnoName(cause)]
  return { ...(operation !== undefined && { operation }), ...(errno !== undefined && { errno }) }
}

/** The error of a call that failed, with `operation`, `path`, `errno` and `cause`. What is told already passes as it is. */
export function callError(code: CallCode, cause: unknown, call: FailedCall): PhylloError {
  if (cause instanceof PhylloError) return cause
  const facts = callFacts(cause)
  const { operation = facts.operation ?? (code === 'OUTPUT_IO' ? 'write' : 'read'), path, ...rest } = call
  const { said = `${path}: ${operation} failed`, reason = reasonOf(cause), ...more } = rest
  return new PhylloError(code, `${said}: ${reason}`, {
    ...facts,
    operation,
    ...(path !== undefined && { path }),
    ...more,
    cause,
  })
}

/** The result of a call, or its error. */
export function told<T>(code: CallCode, call: FailedCall, make: () => T): T {
  try {
    return make()
  } catch (cause) {
    throw callError(code, cause, call)
  }
}

/** The same of what is waited for. */
export async function toldLater<T>(code: CallCode, call: FailedCall, make: () => Promise<T>): Promise<T> {
  try {
    return await make()
  } catch (cause) {
    throw callError(code, cause, call)
  }
}

/** The name of the system call that failed, as node:fs tells it. */
function syscallOf(cause: unknown): string | undefined {
  return cause instanceof Error && 'syscall' in cause ? String(cause.syscall) : undefined
}

/** libuv has no names for some errnos that a disk gives, a full quota (EDQUOT) and a stale handle (ESTALE) among them. */
function errnoName(cause: unknown): string | undefined {
  if (!(cause instanceof Error && 'code' in cause)) return undefined
  const known = 'errno' in cause ? Object.entries(constants.errno).find(([, number]) => -number === cause.errno) : []
  const code = String(cause.code)
  return code.startsWith('Unknown system error') ? (known?.[0] ?? code) : code
}

function reasonOf(cause: unknown): string {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const name = errnoName(cause)
  return name === undefined || reason.includes(name) ? reason : `${name}: ${reason}`
}

/** Adds facts (the file, the archive member) to an error on its way up, without hiding the first reason. */
export function withFacts(error: unknown, facts: ErrorFacts, prefix?: string): unknown {
  if (!(error instanceof PhylloError)) return error
  for (const [key, value] of Object.entries(facts)) if (!(key in error)) Object.assign(error, { [key]: value })
  if (prefix !== undefined && !error.message.startsWith(prefix)) error.message = `${prefix}: ${error.message}`
  return error
}
