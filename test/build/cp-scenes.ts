/** Trees for `cp` at both ends, a container of each store with some of them, and how the outcomes are compared. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import type { BothStores, RanBytes } from './both-stores.js'
import { dir, file, hardlink, symlink, tar } from './tar.js'

export const mtime = Date.UTC(2001, 1, 3) / 1000

/** What stands at both ends: a tree with all that the rules are about. */
export const fixture = (top: string) => [
  dir(`${top}/`, { mtime }),
  file(`${top}/f`, 'in f', { mtime, mode: 0o640 }),
  dir(`${top}/d/`, { mtime, mode: 0o750 }),
  file(`${top}/d/g`, 'in g', { mtime }),
  hardlink(`${top}/d/h`, `${top}/d/g`, { mtime }),
  symlink(`${top}/d/l`, 'g', { mtime }),
  dir(`${top}/d/sub/`, { mtime }),
  file(`${top}/d/sub/x`, 'x', { mtime, uid: 12, gid: 34, mode: 0o4755 }),
  symlink(`${top}/lf`, 'f', { mtime }),
  symlink(`${top}/ld`, 'd', { mtime }),
  symlink(`${top}/lc`, 'ld/l', { mtime }),
  symlink(`${top}/dang`, 'nowhere', { mtime }),
  symlink(`${top}/deep`, 'no/where', { mtime }),
  dir(`${top}/clash/`, { mtime }),
  dir(`${top}/clash/g/`, { mtime }),
  dir(`${top}/clash2/`, { mtime }),
  file(`${top}/clash2/sub`, 'no directory', { mtime }),
]

/** A container `blue` in both stores with these trees at its root. */
export async function makeContainers(both: BothStores, tops: readonly string[]): Promise<void> {
  for (const run of [both.docker, both.phyllo]) {
    const command = (words: readonly string[], input?: Buffer) => run.call(both, words, {}, input)
    // Docker makes no container that has nothing to run.
    const nothing = run === both.docker ? ['/nothing'] : []
    assert.equal((await command(['create', '--name', 'blue', 'child:1', ...nothing])).status, 0)
    const { status, stderr } = await command(['cp', '-', 'blue:/'], tar(tops.flatMap(fixture)))
    assert.equal(status, 0, stderr)
  }
}

/** The tree on this machine. */
export function unpacked(where: string, top: string): void {
  mkdirSync(where, { recursive: true })
  execFileSync('tar', ['-xpf', '-', '-C', where], { input: tar(fixture(top)) })
}

/** What is made now has a time of now. */
export const withoutNow = (text: string) => text.replace(/20[2-9]\d-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d+)?)?/g, 'NOW')

/** Docker's init layer is no part of the image, and of none of ours. */
const init =
  /(^| |\/)(\.dockerenv|dev\/?|dev\/(console|pts\/|shm\/)|etc\/?|etc\/(hosts|hostname|resolv\.conf|mtab( ->.*)?)|proc\/|sys\/)$/

/** Owners, modes, sizes, times, names and targets of all that is in a tar. */
export function listed(bytes: Buffer): string[] {
  if (bytes.length === 0) return []
  const env = { ...process.env, TZ: 'UTC' }
  const words = ['--numeric-owner', '--full-time', '-Ptvf', '-']
  const text = execFileSync('tar', words, { input: bytes, encoding: 'utf8', env, maxBuffer: 1 << 26 })
  return withoutNow(text)
    .split('\n')
    .map(line => line.replace(/ +/g, ' '))
    .filter(line => !init.test(line))
}

export function assertAlike(words: readonly string[], theirs: RanBytes, ours: RanBytes): void {
  assert.equal(ours.status, theirs.status, `${words.join(' ')}: docker: ${theirs.stderr}phyllo: ${ours.stderr}`)
  if (ours.status !== 0) assert.match(ours.stderr, /^phyllo: [^\n]+\n$/)
}
