/** The programs that we compare ourselves with: which are there, and of which version. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Dockerd, startDockerd } from '../test/build/dockerd.js'
import type { Place } from './places.js'
import { runProcess } from './process.js'

const run = promisify(execFile)

/** How to ask each for its version, and the Debian package it comes from. */
const programs = {
  docker: { args: ['--version'], debian: 'docker.io' },
  dockerd: { args: ['--version'], debian: 'docker.io' },
  'docker-registry': { args: ['--version'], debian: 'docker-registry' },
  openssl: { args: ['version'], debian: 'openssl' },
  podman: { args: ['--version'], debian: 'podman' },
  skopeo: { args: ['--version'], debian: 'skopeo' },
  tar: { args: ['--version'], debian: 'tar' },
  umoci: { args: ['--version'], debian: 'umoci' },
  taskset: { args: ['--version'], debian: 'util-linux' },
} as const

export type PeerName = keyof typeof programs

export interface PeerState {
  readonly name: PeerName
  /** First line of what it says; undefined if it is not there, or is not what we mean. */
  readonly version: string | undefined
  /** What to do about it. */
  readonly missing: string
}

export function findPeers(names: readonly PeerName[]): Promise<PeerState[]> {
  return Promise.all(names.map(findPeer))
}

async function findPeer(name: PeerName): Promise<PeerState> {
  const { args, debian } = programs[name]
  const missing = `${name} is missing: Debian has it in the package ${debian}`
  const version = await versionOf(name, args)
  if (name === 'tar' && version !== undefined && !version.includes('GNU'))
    return { name, version: undefined, missing: `tar is ${version}, not GNU tar` }
  if (name === 'dockerd' && process.getuid?.() !== 0)
    return { name, version: undefined, missing: 'dockerd needs root: a private one is started' }
  return { name, version, missing }
}

async function versionOf(name: PeerName, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await run(name, args)
    return stdout.split('\n')[0]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** A private daemon on a data root in a place. */
export async function dockerIn(place: Place): Promise<Dockerd> {
  const folder = await place.fresh()
  return startDockerd(folder, join(folder, 'root'))
}

/** The docker client, as a process of its own to be timed. */
export function docker({ host }: Dockerd, ...args: readonly string[]): Promise<string> {
  return runProcess(['docker', ...args], { env: { DOCKER_HOST: host } })
}

/** podman with all of its state in one folder. */
export function podman(folder: string, ...args: readonly string[]): Promise<string> {
  const state = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run'), '--storage-driver', 'overlay']
  return runProcess(['podman', ...state, '--events-backend', 'none', ...args])
}

/** A registry on this machine is asked over http. */
export function skopeoCopy(source: string, target: string): Promise<string> {
  const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false']
  return runProcess(['skopeo', '--insecure-policy', 'copy', '-q', ...insecure, source, target])
}
