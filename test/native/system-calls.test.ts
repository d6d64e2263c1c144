/** What any user may do, on any file system; the rest is in system-calls.system.test.ts. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { type ByteString, byteString, fromText } from '../../src/byte-string.js'
import { errnoError } from '../../src/native/errno-error.js'
import { bindSystemCalls, loadSystemCalls } from '../../src/native/load-system-calls.js'
import { nativeEnabled } from '../../src/native/native.js'
import {
  O_PATH,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
  type SystemCalls,
} from '../../src/native/system-calls.js'
import { assertSameFailure, fakeLibc, thrownBy } from '../build/linux-calls.js'
import { onArchitecture, onPlatform } from '../build/on-platform.js'

const folder = fs.mkdtempSync(join(tmpdir(), 'phyllo-calls-'))
after(() => fs.rmSync(folder, { recursive: true }))
const loaded = await loadSystemCalls()
const time = { sec: 1, nsec: 0 }
const none = fromText('user.none')

let made = 0
/** A new directory. */
function room(): string {
  const path = join(folder, `room-${made++}`)
  fs.mkdirSync(path)
  return path
}

/** Where there are system calls. */
function withCalls(name: string, body: (calls: SystemCalls, directory: string) => void): void {
  test(name, () => {
    if (loaded === undefined) assert.equal(nativeEnabled() && process.platform === 'linux', false)
    else body(loaded, room())
  })
}

test('no koffi, no Linux, no known machine, no such symbol: undefined, not an error', async () => {
  assert.equal(await onPlatform('darwin', loadSystemCalls), undefined)
  assert.equal(await onArchitecture('s390x', loadSystemCalls), undefined)
  const before = process.env.PHYLLO_NATIVE
  try {
    process.env.PHYLLO_NATIVE = '0'
    assert.equal(await loadSystemCalls(), undefined)
  } finally {
    if (before === undefined) delete process.env.PHYLLO_NATIVE
    else process.env.PHYLLO_NATIVE = before
  }
  const libc = fakeLibc(() => 0)
  assert.ok(bindSystemCalls(libc))
  for (const gone of ['syscall', 'llistxattr', 'getpagesize', 'syncfs']) {
    const library: typeof libc.library = {
      func(signature) {
        if (signature.includes(` ${gone}(`)) throw new Error(`Cannot find function '${gone}' in shared library`)
        return libc.library.func(signature)
      },
    }
    assert.equal(bindSystemCalls({ ...libc, library }), undefined, gone)
  }
})

withCalls('errors are those of node:fs', (calls, directory) => {
  const [file, loop] = [join(directory, 'file'), join(directory, 'loop')]
  fs.writeFileSync(file, '')
  fs.symlinkSync('loop', loop)
  const paths = [
    join(directory, 'none'),
    join(file, 'below'),
    join(loop, 'below'),
    join(directory, 'n'.repeat(256)),
    '',
  ]
  const bytes = [Buffer.from(join(directory, 'bytes-\xff'), 'latin1'), Buffer.from(join(directory, 'na\u00efve'))]
  for (const path of [...paths, ...bytes]) {
    const theirs = () => fs.lutimesSync(path, 1, 1)
    assertSameFailure(() => calls.utimensat(path, time, time), theirs)
    assertSameFailure(() => calls.lgetxattr(path, none), theirs)
    assertSameFailure(() => calls.llistxattr(path), theirs)
    assertSameFailure(() => calls.lremovexattr(path, none), theirs)
    assertSameFailure(() => calls.lsetxattr(path, none, Buffer.alloc(1)), theirs)
    assertSameFailure(
      () => calls.renameat2(path, file, 0),
      () => fs.renameSync(path, file),
    )
  }
  assertSameFailure(
    () => calls.mknod(file, fs.constants.S_IFIFO, 0, 0),
    () => fs.mkdirSync(file),
  )
  assertSameFailure(
    () => calls.syncfs(1_000_000),
    () => fs.fsyncSync(1_000_000),
  )
  assertSameFailure(
    () => calls.close(1_000_000),
    () => fs.closeSync(1_000_000),
  )
})

test('an errno that libuv has no name for is called as node:fs calls it', () => {
  const { message, code, errno } = errnoError(9999, 'open', '/x')
  const unknown = 'Unknown system error -9999'
  assert.deepEqual(
    { message, code, errno },
    { message: `${unknown}: ${unknown}, open '/x'`, code: unknown, errno: -9999 },
  )
})

withCalls('a zero in a path or a name is a TypeError, as from node:fs', (calls, directory) => {
  const { code, name } = thrownBy(() => fs.lstatSync('a\0b'))
  const options = { source: 's', target: directory, type: 'tmpfs', flags: 0, data: '' }
  const zero = 'user.a\0b' as ByteString
  const wrong: readonly (() => unknown)[] = [
    ...(['a\0b', Buffer.from('a\0b')] as const).flatMap(path => [
      () => calls.mknod(path, fs.constants.S_IFIFO, 0, 0),
      () => calls.utimensat(path, time, time),
      () => calls.lsetxattr(path, none, Buffer.alloc(1)),
      () => calls.lgetxattr(path, none),
      () => calls.llistxattr(path),
      () => calls.lremovexattr(path, none),
      () => calls.renameat2(path, 'x', 0),
      () => calls.renameat2(directory, path, 0),
      () => calls.openat2(0, path, { flags: 0, resolve: 0 }),
    ]),
    () => calls.lsetxattr(directory, zero, Buffer.alloc(1)),
    () => calls.lgetxattr(directory, zero),
    () => calls.lremovexattr(directory, zero),
    () => calls.umount2('a\0b', 0),
    ...(['source', 'target', 'type', 'data'] as const).map(part => () => calls.mount({ ...options, [part]: 'a\0b' })),
  ]
  for (const call of wrong) {
    const error = thrownBy(call)
    assert.ok(error instanceof TypeError)
    assert.deepEqual({ code: error.code, name: error.name }, { code, name }, call.toString())
  }
})

withCalls('utimensat: to the nanosecond, of a symlink itself', (calls, directory) => {
  const [file, link] = [join(directory, 'file'), join(directory, 'link')]
  fs.writeFileSync(file, '')
  fs.symlinkSync('file', link)
  const before = fs.lstatSync(file, { bigint: true }).mtimeNs
  for (const [sec, nsec] of [
    [1_700_000_000, 123_456_789],
    [0, 1],
    [-1, 999_999_999],
    [2 ** 31 - 2, 0],
  ] as const) {
    calls.utimensat(link, { sec, nsec }, { sec: sec + 1, nsec })
    const { atimeNs, mtimeNs } = fs.lstatSync(link, { bigint: true })
    const ns = BigInt(sec) * 1_000_000_000n + BigInt(nsec)
    assert.deepEqual([atimeNs, mtimeNs], [ns, ns + 1_000_000_000n])
  }
  assert.equal(fs.lstatSync(file, { bigint: true }).mtimeNs, before)
})

withCalls(
  'utimensat: what is no time is EINVAL; the kernel would take UTIME_NOW and UTIME_OMIT for orders',
  (calls, directory) => {
    const before = fs.lstatSync(directory, { bigint: true })
    const [now, omit] = [(1 << 30) - 1, (1 << 30) - 2]
    for (const wrong of [
      { sec: 1, nsec: now },
      { sec: 1, nsec: omit },
      { sec: 1, nsec: 1_000_000_000 },
      { sec: 1, nsec: -1 },
      { sec: 1, nsec: 0.5 },
      { sec: 1.5, nsec: 0 },
      { sec: Number.NaN, nsec: 0 },
      { sec: 1e300, nsec: 0 },
    ])
      for (const [atime, mtime] of [
        [wrong, time],
        [time, wrong],
      ] as const)
        assert.throws(() => calls.utimensat(directory, atime, mtime), {
          code: 'EINVAL',
          syscall: 'utimensat',
          path: directory,
        })
    const { atimeNs, mtimeNs } = fs.lstatSync(directory, { bigint: true })
    assert.deepEqual([atimeNs, mtimeNs], [before.atimeNs, before.mtimeNs])
  },
)

withCalls('renameat2: not over what is there, and two names exchanged', (calls, directory) => {
  const [one, two] = [join(directory, 'one'), Buffer.from(join(directory, 'two-\xff'), 'latin1')]
  fs.writeFileSync(one, 'one')
  fs.writeFileSync(two, 'two')
  assertSameFailure(
    () => calls.renameat2(one, two, RENAME_NOREPLACE),
    () => fs.linkSync(one, two),
  )
  calls.renameat2(one, two, RENAME_EXCHANGE)
  assert.deepEqual([fs.readFileSync(one, 'utf8'), fs.readFileSync(two, 'utf8')], ['two', 'one'])
  calls.renameat2(two, join(directory, 'three'), RENAME_NOREPLACE)
  assert.deepEqual(fs.readdirSync(directory).sort(), ['one', 'three'])
  assert.throws(() => calls.renameat2(one, two, 0x8000), { code: 'EINVAL', syscall: 'renameat2', path: one })
})

withCalls('mknod: what needs no rights, by its bytes; numbers beyond the kernel are EINVAL', (calls, directory) => {
  const name = Buffer.from('pipe-\xff\xfe', 'latin1')
  const path = Buffer.concat([Buffer.from(`${directory}/`), name])
  calls.mknod(path, fs.constants.S_IFIFO | 0o600, 0, 0)
  assert.equal(fs.lstatSync(path).isFIFO(), true)
  assert.deepEqual(fs.readdirSync(directory, { encoding: 'buffer' }), [name])
  for (const [major, minor] of [
    [0x1000, 0],
    [0, 0x100000],
    [-1, 0],
    [0, 0.5],
    [Number.NaN, 0],
  ] as const)
    assert.throws(() => calls.mknod(join(directory, 'd'), 0o020000, major, minor), { code: 'EINVAL', syscall: 'mknod' })
})

withCalls(
  'xattrs: what is set is there, of any length; or the file system says that it has none',
  (calls, directory) => {
    const name = byteString(Buffer.from('user.phyllo-\xff', 'latin1'))
    if (!holdsUserXattrs(calls, directory)) return
    for (const length of [0, 1, 1023, 1024, 1025, 2500]) {
      const value = Buffer.from(Array.from({ length }, (_, i) => (i * 7) % 256))
      calls.lsetxattr(directory, name, value)
      assert.deepEqual(calls.lgetxattr(directory, name), value)
    }
    assert.ok(calls.llistxattr(directory).includes(name))
    calls.lremovexattr(directory, name)
    assert.equal(calls.lgetxattr(directory, name), undefined)
    assert.equal(calls.llistxattr(directory).includes(name), false)
    assert.throws(() => calls.lremovexattr(directory, name), {
      code: 'ENODATA',
      syscall: 'lremovexattr',
      path: directory,
    })
  },
)

function holdsUserXattrs(calls: SystemCalls, directory: string): boolean {
  try {
    calls.lsetxattr(directory, none, Buffer.from('x'))
    calls.lremovexattr(directory, none)
    return true
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOTSUP')
    return false
  }
}

test('xattrs: the buffer grows with the value, also when it grows between two looks', () => {
  const sizes = [1025, 3000, 9000, 30_000, 65_536]
  const growing = () => {
    let size = sizes[0]!
    return bindSystemCalls(
      fakeLibc((_symbol, args) => {
        const [buffer, room] = args.slice(-2) as [Buffer | null, number]
        assert.equal(buffer === null ? 0 : buffer.length, room)
        if (room > 0 && room < size) return -constants.errno.ERANGE
        const length = size
        if (buffer === null)
          size = sizes[sizes.indexOf(size) + 1] ?? size // somebody writes a longer one now
        else buffer.fill('a', 0, length).fill(0, length - 1, length)
        return length
      }),
    )!
  }
  assert.equal(growing().lgetxattr('/f', none)!.length, 65_536)
  assert.deepEqual(
    growing()
      .llistxattr('/f')
      .map(name => name.length),
    [65_535],
  )
})

test('a call that a signal interrupts is made again; close(2) is not, its number may be another file by then', () => {
  const asked: string[] = []
  const calls = bindSystemCalls(
    fakeLibc(symbol => {
      asked.push(symbol)
      return asked.length < 4 ? -constants.errno.EINTR : 0
    }),
  )!
  const countOf = (call: () => void) => {
    asked.length = 0
    call()
    return asked.length
  }
  assert.equal(
    countOf(() => calls.utimensat('/f', time, time)),
    4,
  )
  assert.equal(
    countOf(() => calls.lremovexattr('/f', none)),
    4,
  )
  assert.equal(
    countOf(() => calls.close(5)),
    1,
  )
})

test('openat2: EAGAIN of a race with renames is tried again, not for ever', () => {
  let fails = 0
  const calls = bindSystemCalls(
    fakeLibc(symbol => (symbol === 'syscall' && fails-- > 0 ? -constants.errno.EAGAIN : 7)),
  )!
  const how = { flags: 0, resolve: RESOLVE_IN_ROOT }
  fails = 20
  assert.equal(calls.openat2(3, 'f', how), 7)
  fails = 1e6
  assert.throws(() => calls.openat2(3, 'f', how), { code: 'EAGAIN', syscall: 'openat2', path: 'f' })
  assert.ok(fails > 1e6 - 1000)
  fails = 1
  assert.throws(() => calls.openat2(3, 'f', { flags: 0, resolve: 0 }), { code: 'EAGAIN' })
})

withCalls('openat2: no way out of the directory', (calls, directory) => {
  const [inside, outside] = [join(directory, 'inside'), join(directory, 'outside')]
  for (const path of [inside, join(inside, 'etc'), outside]) fs.mkdirSync(path)
  fs.writeFileSync(join(inside, 'etc/file'), 'inside')
  fs.writeFileSync(join(outside, 'file'), 'outside')
  fs.symlinkSync(outside, join(inside, 'absolute'))
  fs.symlinkSync('../outside', join(inside, 'climbing'))
  fs.symlinkSync('/etc', join(inside, 'rooted'))
  fs.symlinkSync('etc/file', join(inside, 'last'))
  const root = fs.openSync(inside, 'r')
  const read = (path: string, resolve: number) => {
    const fd = calls.openat2(root, path, { flags: fs.constants.O_RDONLY, resolve })
    try {
      return fs.readFileSync(fd, 'utf8')
    } finally {
      calls.close(fd)
    }
  }
  const refused = (path: string, resolve: number, code: string) =>
    assert.throws(() => read(path, resolve), { code, syscall: 'openat2', path })
  try {
    if (lacksOpenat2(calls, root)) return
    assert.equal(read('etc/file', RESOLVE_BENEATH), 'inside')
    for (const path of ['absolute/file', 'climbing/file', '../outside/file', join(outside, 'file')]) {
      assert.equal(read(path, 0), 'outside')
      refused(path, RESOLVE_BENEATH, 'EXDEV')
      refused(path, RESOLVE_IN_ROOT, 'ENOENT')
    }
    assert.equal(read('rooted/file', RESOLVE_IN_ROOT), 'inside')
    assert.equal(read('/../../etc/file', RESOLVE_IN_ROOT), 'inside')
    refused('rooted/file', RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS, 'ELOOP')
    for (const resolve of [0, RESOLVE_BENEATH, RESOLVE_IN_ROOT]) refused('last', resolve, 'ELOOP')
  } finally {
    fs.closeSync(root)
  }
})

withCalls('openat2: makes files with the mode asked for; the descriptor is not inherited', (calls, directory) => {
  const root = fs.openSync(directory, 'r')
  try {
    if (lacksOpenat2(calls, root)) return
    const { O_CREAT, O_EXCL, O_WRONLY } = fs.constants
    const how = { flags: O_CREAT | O_EXCL | O_WRONLY, mode: 0o600, resolve: RESOLVE_BENEATH }
    const fd = calls.openat2(root, Buffer.from('new-\xff', 'latin1'), how)
    fs.writeSync(fd, 'bytes')
    const flags = /^flags:\s*([0-7]+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))![1]!
    assert.equal(Number.parseInt(flags, 8) & 0o2000000, 0o2000000)
    calls.close(fd)
    assert.throws(() => calls.close(fd), { code: 'EBADF', syscall: 'close' })
    assert.equal(fs.lstatSync(Buffer.from(join(directory, 'new-\xff'), 'latin1')).mode, 0o100600)
    assert.throws(() => calls.openat2(root, Buffer.from('new-\xff', 'latin1'), how), { code: 'EEXIST' })
    assert.throws(() => calls.openat2(root, '.', { flags: 0, mode: 0o600, resolve: 0 }), { code: 'EINVAL' })
    fs.symlinkSync('nowhere', join(directory, 'link'))
    const link = calls.openat2(root, 'link', { flags: O_PATH, resolve: 0 })
    assert.equal(fs.fstatSync(link).isSymbolicLink(), true)
    calls.close(link)
  } finally {
    fs.closeSync(root)
  }
})

/** A kernel before 5.6, or a container that does not allow it: then it says so. */
function lacksOpenat2(calls: SystemCalls, root: number): boolean {
  try {
    calls.close(calls.openat2(root, '.', { flags: 0, resolve: 0 }))
    return false
  } catch (error) {
    assert.ok(['ENOSYS', 'EPERM'].includes((error as NodeJS.ErrnoException).code!))
    return true
  }
}

withCalls('getdents64: every entry once, by its bytes, with its type', (calls, directory) => {
  const kinds = { isFile: 8, isDirectory: 4, isSymbolicLink: 10, isFIFO: 1 } as const
  const entriesOf = () => {
    const fd = fs.openSync(directory, 'r')
    try {
      return [...allEntries(calls, fd)].sort((a, b) => (a.name < b.name ? -1 : 1))
    } finally {
      fs.closeSync(fd)
    }
  }
  assert.deepEqual(entriesOf(), [])
  fs.mkdirSync(join(directory, 'directory'))
  fs.symlinkSync('directory', join(directory, 'link'))
  fs.writeFileSync(Buffer.from(join(directory, 'file-\xff'), 'latin1'), '')
  calls.mknod(join(directory, 'pipe'), fs.constants.S_IFIFO | 0o600, 0, 0)
  for (let i = 0; i < 2000; i++) fs.writeFileSync(join(directory, `${i}-${'long'.repeat(10)}`), '')
  const seen = fs.readdirSync(directory, { withFileTypes: true, encoding: 'buffer' }).map(entry => {
    const kind = (Object.keys(kinds) as (keyof typeof kinds)[]).find(is => entry[is]())!
    return { name: byteString(entry.name), type: kinds[kind] }
  })
  assert.deepEqual(
    entriesOf(),
    seen.sort((a, b) => (a.name < b.name ? -1 : 1)),
  )
})

function* allEntries(calls: SystemCalls, fd: number) {
  for (let some = calls.getdents64(fd); some !== undefined; some = calls.getdents64(fd)) yield* some
}

withCalls('getdents64 of what is no directory; syncfs', (calls, directory) => {
  const file = fs.openSync(join(directory, 'file'), 'w')
  assert.throws(() => calls.getdents64(file), { code: 'ENOTDIR', syscall: 'getdents64' })
  calls.syncfs(file)
  fs.closeSync(file)
})

withCalls('mount is refused to who may not, and does not follow', (calls, directory) => {
  const link = join(directory, 'link')
  fs.symlinkSync('.', link)
  const options = { source: 'none', type: 'tmpfs', flags: 0, data: '' }
  assert.throws(() => calls.mount({ ...options, target: link }), { code: 'ELOOP', path: 'none', dest: link })
  const absent = join(directory, 'absent')
  assert.throws(() => calls.mount({ ...options, target: absent }), {
    code: 'ENOENT',
    syscall: 'mount',
    message: `ENOENT: no such file or directory, mount 'none' -> '${absent}'`,
  })
  const refusal = process.geteuid?.() === 0 ? 'EINVAL' : 'EPERM'
  assert.throws(() => calls.umount2(directory, 0), { code: refusal, syscall: 'umount2', path: directory })
})

test('it works in a worker thread, which warns of nothing', async () => {
  const module = new URL('../../src/native/load-system-calls.js', import.meta.url).href
  const code = `
    import { parentPort } from 'node:worker_threads'
    import { openSync, closeSync } from 'node:fs'
    const warnings = []
    process.on('warning', warning => warnings.push(warning.message))
    const calls = await (await import(${JSON.stringify(module)})).loadSystemCalls()
    const directory = openSync('.', 'r')
    const codes = []
    try { calls?.lgetxattr('/none', 'user.none') } catch (error) { codes.push(error.code) }
    try { if (calls) calls.close(calls.openat2(directory, '.', { flags: 0, resolve: 0 })) } catch (error) { codes.push(error.code) }
    closeSync(directory)
    setImmediate(() => parentPort.postMessage({ codes, warnings }))`
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`))
  const { codes, warnings } = (await new Promise((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  )) as Record<'codes' | 'warnings', readonly string[]>
  assert.deepEqual(warnings, [])
  assert.equal(codes[0], loaded === undefined ? undefined : 'ENOENT')
  assert.ok(codes[1] === undefined || ['ENOSYS', 'EPERM'].includes(codes[1]))
})
