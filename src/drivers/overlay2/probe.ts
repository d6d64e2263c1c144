/**
 * What this process and this machine lack for driver overlay2, in words. Whatever can be tried is tried, by the very calls that
 * unpacking a layer will make: a list of capabilities would not know of file systems, mount options, containers and policies.
 *
 * Invariant: nothing stays behind, and looking at a root for reading alone writes nothing. What a probe that was killed has left is
 * removed by the next one, or, among stages, with those of the dead: who loses his own to that tries again.
 */
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fromText } from '../../byte-string.js'
import { closeRead } from '../../disk/descriptors.js'
import { isErrno } from '../../errors.js'
import { errnoError, errnoOf } from '../../native/errno-error.js'
import { DT_UNKNOWN, type SystemCalls } from '../../native/system-calls.js'

export interface Overlay2Probe {
  /** One phrase each for what is not there, with what the system said: `whiteouts (mknod: EPERM)`. Empty: nothing is missing. */
  readonly missing: readonly string[]
  /** The first call that failed in the attempt, if one did. */
  readonly cause?: Error
}

/** What is missing so far. */
class Lacks {
  readonly missing: string[] = []
  cause: Error | undefined

  /** `words`: with what the system said. What says nothing of the place is thrown. */
  tried(attempt: () => void, words: (said: string) => string): void {
    try {
      attempt()
    } catch (error) {
      this.missing.push(words(said(error)))
      this.cause ??= error as Error
    }
  }

  add({ missing, cause }: Overlay2Probe): void {
    this.missing.push(...missing)
    this.cause ??= cause
  }

  told(): Overlay2Probe {
    return { missing: this.missing, ...(this.cause !== undefined && { cause: this.cause }) }
  }
}

/** What a probe's directory is called, with six letters behind. */
const prefix = 'phyllo-probe-'
/** No probe takes so long: it makes five names. */
const longestProbeMs = 60_000

const charDevice = 0o020000
const opaqueName = fromText('trusted.overlay.opaque')

/** f_type of statfs(2) (linux/magic.h). */
const overlayMagic = 0x794c7630

/** Separators of overlayfs's mount options; dockerd writes paths into them as they are. */
const separators = /[:,\\]/

const koffiMissing =
  'system calls that Node.js lacks: they need the optional package koffi and a Linux C library, and PHYLLO_NATIVE other than 0'

/**
 * Everything that writing to a root needs. A full disk is an errno error.
 *
 * @param directory An existing directory on the file system that holds the layers; a directory is made in it, and removed.
 */
export function probeOverlay2(directory: string, calls: SystemCalls | undefined): Overlay2Probe {
  if (process.platform !== 'linux') return { missing: [notLinux()] }
  const lacks = new Lacks()
  if (process.geteuid?.() !== 0) lacks.missing.push(`root (this process runs as user ${process.geteuid?.()})`)
  if (calls === undefined) lacks.missing.push(koffiMissing)
  const attempt = () => {
    lacks.missing.push(...placeLacks(realpathSync(directory)))
    clear(directory)
    lacks.add(tried(directory, calls))
  }
  lacks.tried(attempt, said => `a directory to write to (${said})`)
  return lacks.told()
}

/**
 * What reading the layers of a root needs. Without CAP_SYS_ADMIN in the initial user namespace the kernel does not refuse
 * `trusted.*`: it says that there are none, and every opaque directory would show what it hides (facts: docker-store 5.8).
 */
export function probeOverlay2Reading(calls: SystemCalls | undefined): Overlay2Probe {
  if (process.platform !== 'linux') return { missing: [notLinux()] }
  const lacks = new Lacks()
  if (calls === undefined) lacks.missing.push(koffiMissing)
  const attempt = () => {
    const status = readFileSync('/proc/thread-self/status', 'latin1')
    if (!seesTrusted(status, readlinkSync('/proc/self/ns/user')))
      lacks.missing.push('the right to see trusted.* extended attributes (CAP_SYS_ADMIN in the initial user namespace)')
  }
  lacks.tried(attempt, said => `/proc, which says whether trusted.* extended attributes can be seen (${said})`)
  return lacks.told()
}

/** Of a `status` of /proc and what the link to a process's user namespace says. */
export function seesTrusted(status: string, userNamespace: string): boolean {
  const capSysAdmin = 1n << 21n
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1]
  // PROC_USER_INIT_INO of linux/proc_ns.h: the initial one has the same number on every machine.
  const initial = userNamespace === `user:[${0xeffffffd}]`
  return initial && effective !== undefined && (BigInt(`0x${effective}`) & capSysAdmin) !== 0n
}

function notLinux(): string {
  return `Linux (this is ${process.platform})`
}

function placeLacks(path: string): string[] {
  const missing: string[] = []
  const separator = separators.exec(path)?.[0]
  if (separator !== undefined)
    missing.push(`a path without "${separator}", which separates options of overlay mounts (${JSON.stringify(path)})`)
  if (statfsSync(path).type === overlayMagic)
    missing.push('a file system other than overlayfs, which cannot hold whiteouts')
  return missing
}

function tried(directory: string, calls: SystemCalls | undefined, again = 3): Overlay2Probe {
  const own = mkdtempSync(join(directory, prefix))
  try {
    const lacks = fileSystemLacks(own, calls)
    if (again === 0 || existsSync(own)) return lacks
  } catch (error) {
    if (again === 0 || existsSync(own)) throw error
  } finally {
    rmSync(own, { recursive: true, force: true })
  }
  return tried(directory, calls, again - 1)
}

/** Of probes that were killed. */
function clear(directory: string): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name)
    const stats = name.startsWith(prefix) ? lstatSync(path, { throwIfNoEntry: false }) : undefined
    if (stats?.isDirectory() && Date.now() - stats.mtimeMs > longestProbeMs)
      rmSync(path, { recursive: true, force: true })
  }
}

function fileSystemLacks(own: string, calls: SystemCalls | undefined): Overlay2Probe {
  const [file, directory] = [join(own, 'file'), join(own, 'directory')]
  writeFileSync(file, '')
  mkdirSync(directory)
  const lacks = new Lacks()
  const lack = (words: string, attempt: () => void) => lacks.tried(attempt, said => `${words}: ${said})`)
  lack('owners of files (chown', () => chownSync(file, 1, 1))
  if (calls === undefined) return lacks.told()
  lack('whiteouts (mknod of the character device 0:0', () => calls.mknod(join(own, 'whiteout'), charDevice, 0, 0))
  lack('device nodes (mknod, CAP_MKNOD', () => calls.mknod(join(own, 'null'), charDevice, 1, 3))
  lack('trusted.* extended attributes (lsetxattr, CAP_SYS_ADMIN', () => setOpaque(directory, calls))
  if (!keepsTypes(own, calls)) lacks.missing.push('types in directory entries (d_type; XFS has them with ftype=1)')
  return lacks.told()
}

/** The kernel takes a directory for opaque by what it reads back, so that is looked at, too. */
function setOpaque(directory: string, calls: SystemCalls): void {
  calls.lsetxattr(directory, opaqueName, Buffer.from('y'))
  if (calls.lgetxattr(directory, opaqueName)?.toString() !== 'y') throw errnoError(constants.errno.ENODATA, 'lgetxattr')
}

/** By getdents64(2) itself: readdir of node:fs looks at the file where the directory says nothing. */
function keepsTypes(directory: string, calls: SystemCalls): boolean {
  const fd = openSync(directory, 'r')
  try {
    for (let entries = calls.getdents64(fd); entries !== undefined; entries = calls.getdents64(fd))
      if (entries.some(({ type }) => type === DT_UNKNOWN)) return false
    return true
  } finally {
    closeRead(fd)
  }
}

/** These say of a file system or a user nothing but how they are at the moment. */
const passing = ['EIO', 'ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM']

/** What the system said; anything else is a mistake of ours. */
function said(error: unknown): string {
  if (errnoOf(error) === undefined || isErrno(error, ...passing)) throw error
  return String((error as NodeJS.ErrnoException).code)
}
