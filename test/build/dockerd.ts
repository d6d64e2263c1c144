/**
 * A private, real Docker daemon on a data root of the test's choice. Needs root and Debian's docker.io. It has no
 * network bridge and makes no iptables rules.
 */
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The client that belongs to the daemon, also where a newer one stands before it in PATH. */
export const dockerClient = existsSync('/usr/bin/docker') ? '/usr/bin/docker' : 'docker'
const startTimeoutMs = 60_000
const stopTimeoutMs = 60_000
const outputBytes = 64 * 1024 * 1024

export interface Dockerd extends AsyncDisposable {
  /** Value for DOCKER_HOST. */
  readonly host: string
  /** The data root: `<dir>/root`, or the one that was given. */
  readonly root: string
  /** Runs the docker client against this daemon; answers with its standard output. */
  docker(...args: readonly string[]): Promise<string>
  /** The same with its new builder; what it tells of its progress comes on standard error, and belongs to the answer. */
  buildkit(...args: readonly string[]): Promise<string>
  /** Kills the daemon, and the containerd that it has started, as they are: nothing is cleared up. */
  kill(): Promise<void>
  /** Ends the daemon and waits until it has. The data root stays as it is. Idempotent. */
  stop(): Promise<void>
}

/** Starts a daemon whose files are in `dir`, which should be a short path: sockets have at most 107 bytes. `more`: options of it. */
export async function startDockerd(
  dir: string,
  root: string = join(dir, 'root'),
  more: readonly string[] = [],
): Promise<Dockerd> {
  for (let again = 2; ; again--) {
    try {
      return await start(dir, root, more)
    } catch (error) {
      // It gives its containerd 15 s, which a machine with other work may need
      if (again === 0 || !String(error).includes('timeout waiting for containerd to start')) throw error
    }
  }
}

async function start(dir: string, root: string, more: readonly string[]): Promise<Dockerd> {
  await mkdir(dir, { recursive: true })
  const host = `unix://${join(dir, 'sock')}`
  const log = await open(join(dir, 'log'), 'w')
  const options = ['--data-root', root, '--exec-root', join(dir, 'exec'), '--pidfile', join(dir, 'pid'), '-H', host]
  const alone = ['--iptables=false', '--ip6tables=false', '--bridge=none', '--storage-driver', 'overlay2']
  const daemon = spawn('dockerd', [...options, ...alone, ...more], { stdio: ['ignore', log.fd, log.fd] })
  const ended = new Promise<void>(resolve => daemon.once('exit', () => resolve()).once('error', () => resolve()))
  let stopped: Promise<void> | undefined
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    daemon.kill(signal)
    const late = setTimeout(() => daemon.kill('SIGKILL'), stopTimeoutMs)
    await ended
    clearTimeout(late)
    await log.close()
  }
  const stop = () => (stopped ??= end('SIGTERM'))
  const kill = async () => {
    const containerd = Number(await readFile(join(dir, 'exec/containerd/containerd.pid'), 'utf8'))
    await (stopped ??= end('SIGKILL'))
    process.kill(containerd, 'SIGKILL')
  }
  const client = (args: readonly string[], builder: '0' | '1') =>
    run(dockerClient, args, {
      env: { ...process.env, DOCKER_HOST: host, DOCKER_BUILDKIT: builder },
      maxBuffer: outputBytes,
    })
  const docker = async (...args: readonly string[]) => (await client(args, '0')).stdout
  const buildkit = async (...args: readonly string[]) => {
    const { stdout, stderr } = await client(args, '1')
    return stdout + stderr
  }
  const up = await answers(docker, daemon, Date.now() + startTimeoutMs)
  if (!up) {
    await stop()
    throw new Error(`dockerd did not start:\n${(await readFile(join(dir, 'log'), 'utf8')).slice(-2000)}`)
  }
  return { host, root, docker, buildkit, kill, stop, [Symbol.asyncDispose]: stop }
}

async function answers(
  docker: Dockerd['docker'],
  daemon: { readonly exitCode: number | null },
  deadline: number,
): Promise<boolean> {
  while (Date.now() < deadline && daemon.exitCode === null) {
    try {
      await docker('version')
      return true
    } catch {
      await sleep(200)
    }
  }
  return false
}
