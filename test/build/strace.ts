/** strace(1) on a process that runs: which calls its threads make, and death at one of them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

/** Calls that change what is on a disk (open only with O_CREAT or O_TRUNC), or say that it shall be there. */
export const mutatingCalls =
  'openat,openat2,write,pwrite64,pwritev,writev,truncate,ftruncate,fallocate,copy_file_range,sendfile,fsync,fdatasync,syncfs,mkdir,mkdirat,link,linkat,symlink,symlinkat,rename,renameat,renameat2,unlink,unlinkat,rmdir,chmod,fchmod,fchmodat,chown,lchown,fchown,fchownat,setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,fremovexattr,utimensat,mknod,mknodat,mount,umount2'

export interface TracedCall {
  readonly tid: number
  readonly call: string
  /** The how many-th call of this name of this thread. */
  readonly nth: number
  /** The line that strace wrote when it began. */
  readonly line: string
}

export interface Injection {
  readonly call: string
  /** Counted by strace for each thread. */
  readonly nth: number
  /** What it fails with; default: the process is killed there. */
  readonly errno?: string
}

export interface Tracing {
  /** When the process has ended: the calls in their order. */
  readonly calls: Promise<TracedCall[]>
}

/** Attaches to every thread of the process, and to those that it starts later. */
export async function trace(pid: number, output: string, injection?: Injection): Promise<Tracing> {
  const what = injection?.call ?? mutatingCalls
  const inject = injection && ['-e', `inject=${injection.call}:${effectOf(injection)}:when=${injection.nth}`]
  const options = ['-f', '-y', '-s', '0', '-o', output, '-e', `trace=${what}`, '-e', 'signal=none', ...(inject ?? [])]
  const strace = spawn('strace', [...options, '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(strace, 'close')
  let said = ''
  await new Promise<void>((resolve, reject) => {
    strace.on('error', reject)
    strace.stderr.on('data', (bytes: Buffer) => {
      said += bytes
      if (/attached/.test(said)) resolve()
    })
    ended.then(() => reject(new Error(`strace: ${said}`)), reject)
  })
  return { calls: ended.then(() => parse(readFileSync(output, 'latin1'))) }
}

function effectOf({ errno }: Injection): string {
  return errno === undefined ? 'signal=KILL' : `error=${errno}`
}

function parse(text: string): TracedCall[] {
  const counts = new Map<string, number>()
  const calls: TracedCall[] = []
  for (const line of text.split('\n')) {
    const [, tid, call] = /^(\d+) +([a-z0-9_]+)\(/.exec(line) ?? []
    if (call === undefined) continue
    const key = `${tid} ${call}`
    const nth = (counts.get(key) ?? 0) + 1
    counts.set(key, nth)
    calls.push({ tid: Number(tid), call, nth, line })
  }
  return calls
}

/** Whether it changes something below the directory. */
export function changes({ call, line }: TracedCall, directory: string): boolean {
  if (!line.includes(`${directory}/`) && !line.includes('/proc/self/fd/')) return false
  return !call.startsWith('open') || /O_CREAT|O_TRUNC/.test(line)
}
