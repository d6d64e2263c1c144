/** What root is told: of file systems, of capabilities that are gone, of user namespaces. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { probeOverlay2, probeOverlay2Reading } from '../../../src/drivers/overlay2/probe.js'
import { loadSystemCalls } from '../../../src/native/load-system-calls.js'
import { ownTmpfs } from '../../build/mounted.js'

const root = ownTmpfs()
const calls = (await loadSystemCalls())!
const device = 'device nodes (mknod, CAP_MKNOD: EPERM)'
const trusted = 'trusted.* extended attributes (lsetxattr, CAP_SYS_ADMIN: EPERM)'
const sight = 'the right to see trusted.* extended attributes (CAP_SYS_ADMIN in the initial user namespace)'

function place(name: string): string {
  mkdirSync(join(root, name))
  return join(root, name)
}

test('root on a tmpfs lacks nothing; nothing stays behind', () => {
  const directory = place('plain')
  assert.deepEqual(probeOverlay2(directory, calls), { missing: [] })
  assert.deepEqual(probeOverlay2Reading(calls), { missing: [] })
  assert.deepEqual(readdirSync(directory), [])
})

test('a probe that was killed has left a directory: the next one removes it, and nothing else', () => {
  const directory = place('killed')
  const hour = 3600
  for (const [name, age] of [
    ['phyllo-probe-oldOne', hour],
    ['phyllo-probe-living', 0],
    ['somebody-elses', hour],
  ] as const) {
    mkdirSync(join(directory, name, 'directory'), { recursive: true })
    utimesSync(join(directory, name), Date.now() / 1000 - age, Date.now() / 1000 - age)
  }
  writeFileSync(join(directory, 'phyllo-probe-a-file'), '')
  utimesSync(join(directory, 'phyllo-probe-a-file'), 1, 1)
  assert.deepEqual(probeOverlay2(directory, calls), { missing: [] })
  const left = ['phyllo-probe-a-file', 'phyllo-probe-living', 'somebody-elses']
  assert.deepEqual(readdirSync(directory).sort(), left)
})

test('a probe whose directory is taken away in the middle tries again', () => {
  const directory = place('taken')
  let taken = 0
  const taking = {
    ...calls,
    lsetxattr: (...args: Parameters<typeof calls.lsetxattr>) => {
      const [own] = readdirSync(directory)
      if (taken++ === 0) rmSync(join(directory, own!), { recursive: true })
      return calls.lsetxattr(...args)
    },
  }
  assert.deepEqual(probeOverlay2(directory, taking), { missing: [] })
  assert.equal(taken, 2)
})

/** What a process started with these words says of the directory, once it has become what it is to be. */
function missingUnder(
  words: readonly string[],
  directory: string,
  become = '',
): { writing: readonly string[]; reading: readonly string[] } {
  const module = (path: string) => JSON.stringify(new URL(`../../../src/${path}`, import.meta.url).href)
  const code = `
    const { probeOverlay2, probeOverlay2Reading } = await import(${module('drivers/overlay2/probe.js')})
    const { loadSystemCalls } = await import(${module('native/load-system-calls.js')})
    const calls = await loadSystemCalls()
    ${become}
    const writing = probeOverlay2(${JSON.stringify(directory)}, calls).missing
    console.log(JSON.stringify({ writing, reading: probeOverlay2Reading(calls).missing }))`
  const [program, ...rest] = [...words, process.execPath, '--input-type=module', '-e', code]
  const { stdout, stderr } = spawnSync(program!, rest, { encoding: 'utf8' })
  assert.equal(stderr, '')
  return JSON.parse(stdout) as ReturnType<typeof missingUnder>
}

test('capabilities that are gone', () => {
  const directory = place('capabilities')
  const without = (name: string) =>
    missingUnder(['setpriv', `--bounding-set=-${name}`, `--inh-caps=-${name}`], directory)
  assert.deepEqual(without('mknod'), { writing: [device], reading: [] })
  assert.deepEqual(without('sys_admin'), { writing: [trusted], reading: [sight] })
  assert.deepEqual(without('chown'), { writing: ['owners of files (chown: EPERM)'], reading: [] })
  assert.deepEqual(readdirSync(directory), [])
})

test('root of a user namespace is not root', () => {
  const directory = place('namespace')
  const { writing, reading } = missingUnder(['unshare', '--user', '--map-root-user'], directory)
  assert.deepEqual(writing, ['owners of files (chown: EINVAL)', device, trusted])
  assert.deepEqual(reading, [sight])
})

test('a user who is not root', () => {
  const [closed, open] = [place('closed'), place('open')]
  chmodSync(open, 0o777)
  const nobody = 'process.setgroups([]); process.setgid(65534); process.setuid(65534)'
  const root = 'root (this process runs as user 65534)'
  assert.deepEqual(missingUnder([], closed, nobody), {
    writing: [root, 'a directory to write to (EACCES)'],
    reading: [sight],
  })
  assert.deepEqual(missingUnder([], open, nobody), {
    writing: [root, 'owners of files (chown: EPERM)', device, trusted],
    reading: [sight],
  })
})

test('a file system without types in its directories', () => {
  const [image, directory] = [join(root, 'ext4.img'), place('ext4')]
  writeFileSync(image, '')
  truncateSync(image, 16 << 20)
  execFileSync('mkfs.ext4', ['-q', '-O', '^filetype', image])
  execFileSync('mount', ['-o', 'loop', image, directory])
  assert.deepEqual(probeOverlay2(directory, calls), {
    missing: ['types in directory entries (d_type; XFS has them with ftype=1)'],
  })
  execFileSync('umount', [directory])
})

test('overlayfs below the root', () => {
  for (const name of ['lower', 'upper', 'work']) place(name)
  const directory = place('merged')
  const options = `lowerdir=${root}/lower,upperdir=${root}/upper,workdir=${root}/work`
  execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options, directory])
  const { missing } = probeOverlay2(directory, calls)
  assert.ok(missing.includes('a file system other than overlayfs, which cannot hold whiteouts'))
  assert.ok(missing.includes('whiteouts (mknod of the character device 0:0: EPERM)'))
  execFileSync('umount', [directory])
})

test('a file system that is mounted for reading only', () => {
  const directory = place('read-only')
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'none', directory])
  const { missing, cause } = probeOverlay2(directory, calls)
  assert.deepEqual(missing, ['a directory to write to (EROFS)'])
  assert.equal((cause as NodeJS.ErrnoException).syscall, 'mkdtemp')
})

test('the separators that a path may not hold are those that the kernel takes for its own', () => {
  const target = place('target')
  const tells = (name: string) => {
    const lower = place(name)
    writeFileSync(join(lower, 'file'), '')
    const base = place(`base-of-${readdirSync(root).length}`)
    const data = `lowerdir=${lower}:${base}`
    try {
      calls.mount({ source: 'overlay', target, type: 'overlay', flags: 0, data })
    } catch {
      return false
    }
    const there = readdirSync(target).includes('file')
    calls.umount2(target, 0)
    return there
  }
  for (const name of ['co:lon', 'com,ma', 'back\\slash']) {
    assert.equal(tells(name), false, name)
    assert.equal(probeOverlay2(join(root, name), calls).missing.length, 1, name)
  }
  for (const name of ['pla in', 'semi;colon', 'quo"te', 'equals=', 'new\nline', 'umläut']) {
    assert.equal(tells(name), true, name)
    assert.deepEqual(probeOverlay2(join(root, name), calls), { missing: [] }, name)
  }
})
