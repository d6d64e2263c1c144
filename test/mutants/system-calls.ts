import type { Mutant } from './mutant.js'

const plain = 'test/native/system-calls.test.ts'
const system = 'test/native/system-calls.system.test.ts'
const probe = 'test/drivers/overlay2/probe.test.ts'
const probeSystem = 'test/drivers/overlay2/probe.system.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'a call that a signal interrupts fails',
    file: 'src/native/linux-libc.ts',
    find: 'if (result !== interrupted) return result',
    replace: 'return result',
    test: plain,
  },
  {
    name: 'a descriptor is closed twice when a signal interrupts',
    file: 'src/native/descriptor-calls.ts',
    find: 'once(close, fd)',
    replace: 'attempt(close, fd)',
    test: plain,
  },
  {
    name: 'openat2 follows a symlink at the end of the path',
    file: 'src/native/descriptor-calls.ts',
    find: 'flags | O_CLOEXEC | files.O_NOFOLLOW',
    replace: 'flags | O_CLOEXEC',
    test: plain,
  },
  {
    name: 'openat2 gives up when others rename',
    file: 'src/native/descriptor-calls.ts',
    find: '=== 0 ? 1 : resolveAttempts',
    replace: '=== 0 ? 1 : 1',
    test: plain,
  },
  {
    name: 'an xattr that does not fit the buffer is an error',
    file: 'src/native/xattr-calls.ts',
    find: 'if (length !== -constants.errno.ERANGE) return length',
    replace: 'return length',
    test: plain,
  },
  {
    name: 'what an xattr call answers is the buffer of the next',
    file: 'src/native/xattr-calls.ts',
    find: 'return copied',
    replace: 'return this.#bytes.subarray(0, length)',
    test: system,
  },
  {
    name: 'UTIME_OMIT is taken for a time',
    file: 'src/native/path-calls.ts',
    find: ' || nsec > nsecMax',
    replace: '',
    test: plain,
  },
  {
    name: 'seconds are cut to 32 bits',
    file: 'src/native/path-calls.ts',
    find: 'Math.floor(sec / 2 ** 32)',
    replace: 'sec < 0 ? -1 : 0',
    test: system,
  },
  {
    name: 'a device number that does not fit becomes another device',
    file: 'src/native/path-calls.ts',
    find: '!fits(major, majorMax) || ',
    replace: '',
    test: plain,
  },
  {
    name: 'the high bits of a minor number are lost',
    file: 'src/native/path-calls.ts',
    find: '((minor & ~0xff) << 12)',
    replace: '(minor & ~0xfff)',
    test: system,
  },
  {
    name: 'a zero ends the name of an xattr',
    file: 'src/native/c-strings.ts',
    find: "if (name.includes('\\0')) throw zeroInside(name, 'name')",
    replace: '',
    test: plain,
  },
  {
    name: 'mount follows a symlink',
    file: 'src/native/mount-calls.ts',
    find: 'openSync(path, O_PATH | files.O_NOFOLLOW)',
    replace: 'openSync(path, O_PATH)',
    test: plain,
  },
  {
    name: 'umount2 follows a symlink',
    file: 'src/native/mount-calls.ts',
    find: 'flags | UMOUNT_NOFOLLOW',
    replace: 'flags',
    test: system,
  },
  {
    name: 'the kernel cuts off what does not fit a page of mount options',
    file: 'src/native/mount-calls.ts',
    find: 'Buffer.byteLength(data) >= pageBytes',
    replace: 'Buffer.byteLength(data) >= pageBytes * 4',
    test: system,
  },
  {
    name: 'errors do not name the second path',
    file: 'src/native/errno-error.ts',
    find: 'if (dest !== undefined) error.dest = dest',
    replace: '',
    test: plain,
  },
  {
    name: 'the probe stays behind',
    file: 'src/drivers/overlay2/probe.ts',
    find: '    rmSync(own, { recursive: true, force: true })\n',
    replace: '',
    test: probe,
  },
  {
    name: 'root of a user namespace is taken for one who sees trusted xattrs',
    file: 'src/drivers/overlay2/probe.ts',
    find: 'return initial && effective',
    replace: 'return effective',
    test: probe,
  },
  {
    name: 'directories without types are not noticed',
    file: 'src/drivers/overlay2/probe.ts',
    find: 'type === DT_UNKNOWN',
    replace: 'type > 14',
    test: probeSystem,
  },
]
