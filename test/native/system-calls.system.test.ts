/** As root: what the system calls did, as stat(1), getfattr(1), Python, mount(8) and the kernel's overlay see it. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ByteString, byteString, fromText, toBytes } from '../../src/byte-string.js'
import { loadSystemCalls } from '../../src/native/load-system-calls.js'
import {
  MNT_DETACH,
  MS_BIND,
  MS_MOVE,
  MS_NODEV,
  MS_NOSUID,
  MS_RDONLY,
  MS_REMOUNT,
  RENAME_WHITEOUT,
  RESOLVE_NO_XDEV,
} from '../../src/native/system-calls.js'
import { mountPoints, mountsNow, ownTmpfs } from '../build/mounted.js'

const seed = Number(process.env.PHYLLO_TEST_SEED ?? 20_260_722)
const root = ownTmpfs()
const calls = (await loadSystemCalls())!
const { S_IFBLK, S_IFCHR, S_IFIFO, S_IFREG, S_IFSOCK } = fs.constants
const opaque = fromText('trusted.overlay.opaque')
const whiteout = { mode: S_IFCHR, rdev: 0 }

let made = 0
function room(...directories: string[]): string {
  const path = join(root, `room-${made++}`)
  for (const name of ['', ...directories]) fs.mkdirSync(join(path, name))
  return path
}

test(`mknod: type, mode and numbers as stat(1) and node:fs see them (seed ${seed})`, () => {
  const directory = room()
  const node = fc.record({
    type: fc.constantFrom(S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFREG),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    major: fc.oneof(fc.integer({ min: 0, max: 0xfff }), fc.constantFrom(0, 0xff, 0x100, 0xfff)),
    minor: fc.oneof(fc.integer({ min: 0, max: 0xfffff }), fc.constantFrom(0, 0xff, 0x100, 0xfffff)),
  })
  const nodes = fc.sample(node, { numRuns: 300, seed })
  const umask = process.umask(0)
  try {
    nodes.forEach(
      ({ type, mode, major, minor }, i) => void calls.mknod(join(directory, `${i}`), type | mode, major, minor),
    )
  } finally {
    process.umask(umask)
  }
  const paths = nodes.map((_, i) => join(directory, `${i}`))
  const seen = execFileSync('stat', ['-c', '%f %Hr %Lr', ...paths], { encoding: 'utf8' })
    .trimEnd()
    .split('\n')
  nodes.forEach(({ type, mode, major, minor }, i) => {
    const device = type === S_IFCHR || type === S_IFBLK ? `${major} ${minor}` : '0 0'
    assert.equal(seen[i], `${(type | mode).toString(16)} ${device}`, JSON.stringify(nodes[i]))
  })
})

test('mknod: /dev/null works, and is the same device', () => {
  const path = join(room(), 'null')
  calls.mknod(path, S_IFCHR | 0o666, 1, 3)
  assert.equal(fs.statSync(path).rdev, fs.statSync('/dev/null').rdev)
  assert.equal(fs.readFileSync(path).length, 0)
})

test('utimensat: seconds beyond 32 bits, before and after 1970', () => {
  const directory = room()
  for (const sec of [2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 3, -1, -(2 ** 31) - 1, -(2 ** 32), -(2 ** 40) - 3]) {
    calls.utimensat(directory, { sec, nsec: 999_999_999 }, { sec: sec + 1, nsec: 0 })
    const { atimeNs, mtimeNs } = fs.lstatSync(directory, { bigint: true })
    const ns = BigInt(sec) * 1_000_000_000n
    assert.deepEqual([atimeNs, mtimeNs], [ns + 999_999_999n, ns + 1_000_000_000n], `${sec}`)
  }
})

/** Names and values in hexadecimal digits, as Python's os module gives them. */
function xattrsByPython(path: Buffer): Record<string, string> {
  const program = `
import json, os, sys
path = bytes.fromhex(sys.argv[1])
names = os.listxattr(path, follow_symlinks=False)
print(json.dumps({os.fsencode(name).hex(): os.getxattr(path, name, follow_symlinks=False).hex() for name in names}))`
  const text = execFileSync('python3', ['-c', program, path.toString('hex')], { encoding: 'utf8', maxBuffer: 1 << 24 })
  return JSON.parse(text) as Record<string, string>
}

test(`trusted xattrs: names of any bytes, values of any length, as Python reads them (seed ${seed})`, () => {
  const directory = room()
  const name = fc
    .uint8Array({ min: 1, max: 255, minLength: 1, maxLength: 200 })
    .map(bytes => `trusted.${byteString(bytes)}`)
  const value = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.integer({ min: 1000, max: 8000 }).map(length => Buffer.alloc(length, length)),
  )
  const files = fc.sample(fc.dictionary(name, value, { minKeys: 1, maxKeys: 12 }), { numRuns: 12, seed })
  files.forEach((xattrs, i) => {
    const path = Buffer.concat([Buffer.from(`${directory}/${i}-`), Buffer.from([0xff, 0xfe])])
    if (i % 3 === 0) fs.symlinkSync('nowhere', path)
    else if (i % 3 === 1) fs.mkdirSync(path)
    else calls.mknod(path, S_IFCHR, 0, 0)
    for (const [key, bytes] of Object.entries(xattrs)) calls.lsetxattr(path, key as ByteString, bytes)
    const expected = Object.entries(xattrs).map(([key, bytes]) => [
      toBytes(key as ByteString).toString('hex'),
      Buffer.from(bytes).toString('hex'),
    ])
    const seen = xattrsByPython(path)
    assert.deepEqual(seen, Object.fromEntries(expected))
    const listed = calls.llistxattr(path)
    assert.deepEqual(listed.map(key => toBytes(key).toString('hex')).sort(), Object.keys(seen).sort())
    for (const key of listed) {
      assert.equal(calls.lgetxattr(path, key)!.toString('hex'), seen[toBytes(key).toString('hex')])
      calls.lremovexattr(path, key)
    }
    assert.deepEqual(xattrsByPython(path), {})
  })
})

test('xattrs: up to 64 KiB, one byte more is E2BIG; a list of thousands of bytes', () => {
  const file = join(room(), 'file')
  fs.writeFileSync(file, '')
  const value = Buffer.alloc(65_536, 'v')
  const name = fromText('trusted.large')
  calls.lsetxattr(file, name, value)
  assert.deepEqual(calls.lgetxattr(file, name), value)
  assert.throws(() => calls.lsetxattr(file, name, Buffer.alloc(65_537)), {
    code: 'E2BIG',
    syscall: 'lsetxattr',
    path: file,
  })
  const names = Array.from({ length: 200 }, (_, i) => fromText(`trusted.${'n'.repeat(200)}${i}`))
  for (const one of names) calls.lsetxattr(file, one, Buffer.alloc(0))
  assert.deepEqual(calls.llistxattr(file).sort(), [...names, name].sort())
  assert.equal(calls.lgetxattr(file, name)!.length, 65_536)
})

test('a value that is answered is not written over by the next', () => {
  const file = join(room(), 'file')
  fs.writeFileSync(file, '')
  calls.lsetxattr(file, fromText('trusted.a'), Buffer.from('aaaa'))
  calls.lsetxattr(file, fromText('trusted.b'), Buffer.from('bbbb'))
  const first = calls.lgetxattr(file, fromText('trusted.a'))!
  calls.lgetxattr(file, fromText('trusted.b'))
  assert.equal(first.toString(), 'aaaa')
  assert.equal(first.byteLength, first.buffer.byteLength)
})

test('opaque marks and capabilities, as getfattr and getcap-like readers see them', () => {
  const directory = room()
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex') // cap_net_raw+ep
  calls.lsetxattr(directory, opaque, Buffer.from('y'))
  calls.lsetxattr(directory, fromText('security.capability'), capability)
  const text = execFileSync('getfattr', ['-h', '-d', '-m', '-', '-e', 'hex', '--absolute-names', directory], {
    encoding: 'utf8',
  })
  assert.match(text, /^trusted\.overlay\.opaque=0x79$/m)
  assert.match(text, new RegExp(`^security\\.capability=0x${capability.toString('hex')}$`, 'm'))
})

test('no call follows a symlink at the end of its path', () => {
  const directory = room('target', 'below')
  const [target, link, below] = [join(directory, 'target'), join(directory, 'link'), join(directory, 'below')]
  fs.symlinkSync('target', link)
  calls.mount({ source: 'none', target, type: 'tmpfs', flags: 0, data: '' })
  const looks = () => ({ ...fs.lstatSync(target, { bigint: true }), xattrs: xattrsByPython(Buffer.from(target)) })
  const before = looks()
  const name = fromText('trusted.of-the-link')
  calls.lsetxattr(link, name, Buffer.from('1'))
  assert.deepEqual(calls.llistxattr(link), [name])
  assert.equal(calls.lgetxattr(link, name)!.toString(), '1')
  assert.equal(calls.lgetxattr(target, name), undefined)
  calls.lremovexattr(link, name)
  calls.utimensat(link, { sec: 1, nsec: 1 }, { sec: 1, nsec: 1 })
  assert.throws(() => calls.mknod(link, S_IFCHR, 0, 0), { code: 'EEXIST', path: link })
  const tmpfs = { source: 'none', type: 'tmpfs', flags: 0, data: '' }
  assert.throws(() => calls.mount({ ...tmpfs, target: link }), { code: 'ELOOP', syscall: 'mount', dest: link })
  for (const flags of [MS_BIND, MS_MOVE])
    assert.throws(() => calls.mount({ source: link, target: below, type: '', flags, data: '' }), { code: 'ELOOP' })
  assert.throws(() => calls.umount2(link, 0), { code: 'EINVAL', syscall: 'umount2', path: link })
  assert.throws(() => calls.umount2(link, MNT_DETACH), { code: 'EINVAL' })
  calls.renameat2(link, join(directory, 'moved'), 0)
  assert.equal(fs.readlinkSync(join(directory, 'moved')), 'target')
  assert.deepEqual(looks(), before)
  assert.equal(mountPoints().filter(point => point.startsWith(directory)).length, 1)
  calls.umount2(target, 0)
})

test('mount, remount, bind, move and umount2, as the kernel lists them', () => {
  const directory = room('a', 'b', 'sp ace')
  const [a, b, spaced] = ['a', 'b', 'sp ace'].map(name => join(directory, name)) as [string, string, string]
  const listed = () => mountsNow().filter(({ point }) => point.startsWith(directory))
  const none = { source: 'none', type: '', data: '' }
  calls.mount({ source: 'none', target: spaced, type: 'tmpfs', flags: MS_NOSUID | MS_NODEV, data: 'size=64k,mode=700' })
  assert.deepEqual(
    listed().map(({ point, type }) => [point, type]),
    [[spaced, 'tmpfs']],
  )
  assert.ok(['rw', 'nosuid', 'nodev'].every(option => listed()[0]!.options.includes(option)))
  assert.equal(fs.statSync(spaced).mode & 0o777, 0o700)
  fs.writeFileSync(join(spaced, 'file'), 'there')
  calls.mount({ ...none, source: spaced, target: a, flags: MS_BIND })
  calls.mount({ ...none, target: a, flags: MS_REMOUNT | MS_BIND | MS_RDONLY })
  assert.equal(fs.readFileSync(join(a, 'file'), 'utf8'), 'there')
  assert.throws(() => fs.writeFileSync(join(a, 'file'), ''), { code: 'EROFS' })
  const held = fs.openSync(join(a, 'file'), 'r')
  assert.throws(() => calls.umount2(a, 0), { code: 'EBUSY', syscall: 'umount2', path: a })
  calls.umount2(a, MNT_DETACH)
  fs.closeSync(held)
  assert.deepEqual(
    listed().map(({ point }) => point),
    [spaced],
  )
  execFileSync('mount', ['--make-private', root])
  calls.mount({ ...none, source: spaced, target: b, flags: MS_MOVE })
  assert.deepEqual(
    listed().map(({ point }) => point),
    [b],
  )
  calls.umount2(b, 0)
  assert.deepEqual(listed(), [])
  assert.throws(() => calls.umount2(b, 0), { code: 'EINVAL' })
  assert.throws(() => calls.mount({ ...none, target: a, type: 'no-such-type', flags: 0 }), {
    code: 'ENODEV',
    message: `ENODEV: no such device, mount 'none' -> '${a}'`,
  })
})

test('an overlay of what we made: whiteouts hide, opaque directories hide', () => {
  const directory = room('lower', 'upper', 'work', 'merged', 'lower/d', 'upper/d')
  const at = (path: string) => join(directory, path)
  for (const path of ['lower/hidden', 'lower/shown', 'lower/d/hidden']) fs.writeFileSync(at(path), '')
  fs.writeFileSync(at('upper/d/new'), '')
  calls.mknod(at('upper/hidden'), S_IFCHR, 0, 0)
  calls.lsetxattr(at('upper/d'), opaque, Buffer.from('y'))
  const data = `lowerdir=${at('lower')},upperdir=${at('upper')},workdir=${at('work')}`
  calls.mount({ source: 'overlay', target: at('merged'), type: 'overlay', flags: 0, data })
  assert.deepEqual(fs.readdirSync(at('merged')).sort(), ['d', 'shown'])
  assert.deepEqual(fs.readdirSync(at('merged/d')), ['new'])
  fs.unlinkSync(at('merged/shown'))
  const fd = fs.openSync(at(''), 'r')
  assert.throws(() => calls.openat2(fd, 'merged/d', { flags: 0, resolve: RESOLVE_NO_XDEV }), { code: 'EXDEV' })
  fs.closeSync(fd)
  calls.umount2(at('merged'), 0)
  const { mode, rdev } = fs.lstatSync(at('upper/shown'))
  assert.deepEqual({ mode, rdev }, whiteout)
})

test('mount: options beyond a page are E2BIG, where the kernel would leave out the last layers', () => {
  const directory = room('merged', 'l')
  const lowers = Array.from({ length: 200 }, (_, i) => join(directory, 'l', `${i}-${'x'.repeat(20)}`))
  for (const lower of lowers) fs.mkdirSync(lower)
  const target = join(directory, 'merged')
  const pageBytes = Number(execFileSync('getconf', ['PAGESIZE'], { encoding: 'utf8' }))
  const mount = (data: string) => calls.mount({ source: 'overlay', target, type: 'overlay', flags: 0, data })
  const long = `lowerdir=${lowers.join(':')}`
  assert.ok(long.length > pageBytes)
  assert.throws(() => mount(long), { code: 'E2BIG', syscall: 'mount', dest: target })
  const fitting = `lowerdir=${lowers[0]}:${lowers[1]}`
  const filled = fitting.padEnd(pageBytes - 1, ',')
  mount(filled)
  calls.umount2(target, 0)
  assert.throws(() => mount(`${filled},`), { code: 'E2BIG' })
})

test('renameat2 leaves a whiteout', () => {
  const directory = room()
  fs.writeFileSync(join(directory, 'a'), 'content')
  calls.renameat2(join(directory, 'a'), join(directory, 'b'), RENAME_WHITEOUT)
  const { mode, rdev } = fs.lstatSync(join(directory, 'a'))
  assert.deepEqual({ mode, rdev }, whiteout)
  assert.equal(fs.readFileSync(join(directory, 'b'), 'utf8'), 'content')
})

/** What a process prints that makes one call, with strace making that system call fail. */
function underStrace(injection: string, body: string): string {
  const module = new URL('../../src/native/load-system-calls.js', import.meta.url).href
  const code = `
    const calls = await (await import(${JSON.stringify(module)})).loadSystemCalls()
    try { ${body}; console.log('done') } catch (error) { console.log(error.message) }`
  const options = ['-f', '-qq', '-o', '/dev/null', '-e', `inject=${injection}`]
  const { stdout } = spawnSync('strace', [...options, process.execPath, '--input-type=module', '-e', code])
  return stdout.toString().trim()
}

test('a call that a signal interrupts is made again; one that the kernel lacks is ENOSYS', () => {
  const path = join(room(), 'node')
  const mknod = `calls.mknod(${JSON.stringify(path)}, ${S_IFCHR}, 0, 0)`
  assert.equal(underStrace('mknodat:error=EINTR:when=1..3', mknod), 'done')
  assert.deepEqual({ mode: fs.lstatSync(path).mode, rdev: fs.lstatSync(path).rdev }, whiteout)
  assert.equal(
    underStrace('openat2:error=ENOSYS', `calls.openat2(0, 'x', { flags: 0, resolve: 0 })`),
    `ENOSYS: function not implemented, openat2 'x'`,
  )
})
