/**
 * Everything that would change a file, tried on every kind of place, through an fs that is mounted read-only: the kernel's overlay
 * without an upper, or a view. Run as a program it prints the outcomes for the directory given as its argument.
 */
import nodeFs from 'node:fs'
import { fileURLToPath } from 'node:url'

type Fs = typeof nodeFs
type Attempt = (fs: Fs, path: string, other: string) => unknown

const { O_CREAT, O_TRUNC, O_RDWR, O_NOFOLLOW, O_DIRECTORY } = nodeFs.constants

const attempts: Readonly<Record<string, Attempt>> = {
  writeFile: (fs, path) => fs.writeFileSync(path, 'x'),
  appendFile: (fs, path) => fs.appendFileSync(path, 'x'),
  'open r+': (fs, path) => fs.openSync(path, 'r+'),
  'open w': (fs, path) => fs.openSync(path, 'w'),
  'open wx': (fs, path) => fs.openSync(path, 'wx'),
  'open ax+': (fs, path) => fs.openSync(path, 'ax+'),
  'open O_CREAT': (fs, path) => fs.openSync(path, O_CREAT),
  'open O_TRUNC': (fs, path) => fs.openSync(path, O_TRUNC),
  'open O_NOFOLLOW': (fs, path) => fs.openSync(path, O_RDWR | O_NOFOLLOW),
  'open O_CREAT|O_NOFOLLOW': (fs, path) => fs.openSync(path, O_CREAT | O_NOFOLLOW),
  'open O_DIRECTORY': (fs, path) => fs.openSync(path, O_DIRECTORY),
  mkdir: (fs, path) => fs.mkdirSync(path),
  rmdir: (fs, path) => fs.rmdirSync(path),
  unlink: (fs, path) => fs.unlinkSync(path),
  rename: (fs, path, other) => fs.renameSync(path, other),
  'rename to': (fs, path, other) => fs.renameSync(other, path),
  link: (fs, path, other) => fs.linkSync(path, other),
  'link to': (fs, path, other) => fs.linkSync(other, path),
  symlink: (fs, path) => fs.symlinkSync('target', path),
  'symlink empty': (fs, path) => fs.symlinkSync('', path),
  chmod: (fs, path) => fs.chmodSync(path, 0o644),
  chown: (fs, path) => fs.chownSync(path, 0, 0),
  lchown: (fs, path) => fs.lchownSync(path, 0, 0),
  utimes: (fs, path) => fs.utimesSync(path, 0, 0),
  lutimes: (fs, path) => fs.lutimesSync(path, 0, 0),
  truncate: (fs, path) => fs.truncateSync(path, 0),
  'copyFile to': (fs, path, other) => fs.copyFileSync(other, path),
  'copyFile new': (fs, path, other) => fs.copyFileSync(other, path, fs.constants.COPYFILE_EXCL),
  mkdtemp: (fs, path) => fs.mkdtempSync(path),
  'access W': (fs, path) => fs.accessSync(path, fs.constants.W_OK),
  'access X': (fs, path) => fs.accessSync(path, fs.constants.X_OK),
}

const onDescriptor: Readonly<Record<string, (fs: Fs, fd: number) => unknown>> = {
  write: (fs, fd) => fs.writeSync(fd, 'x'),
  writev: (fs, fd) => fs.writevSync(fd, [Buffer.from('x')]),
  ftruncate: (fs, fd) => fs.ftruncateSync(fd),
  fchmod: (fs, fd) => fs.fchmodSync(fd, 0o644),
  fchown: (fs, fd) => fs.fchownSync(fd, 0, 0),
  futimes: (fs, fd) => fs.futimesSync(fd, 0, 0),
  fsync: (fs, fd) => fs.fsyncSync(fd),
  fdatasync: (fs, fd) => fs.fdatasyncSync(fd),
  writeFile: (fs, fd) => fs.writeFileSync(fd, 'x'),
  appendFile: (fs, fd) => fs.appendFileSync(fd, 'x'),
}

export const places = [
  '/file',
  '/low',
  '/new',
  '/dir',
  '/dir/x',
  '/dir/new',
  '/no/new',
  '/file/x',
  '/dangling',
  '/far',
  '/link',
  '/dirlink',
  '/loop',
  '/new/',
  '/file/',
  '/dir/',
  '/link/',
  '/dangling/',
  '/dirlink/',
  '/.',
  '/dir/.',
  '/dir/..',
  '/file/.',
  '/loop/',
  `/${'n'.repeat(256)}`,
] as const

/** `attempt place` → the error's text without the prefix, or `ok`. */
export type Outcomes = Record<string, string>

export function outcomes(fs: Fs, prefix: string): Outcomes {
  const all: Outcomes = {}
  for (const [name, attempt] of Object.entries(attempts)) {
    for (const place of places) {
      all[`${name} ${place}`] = outcome(prefix, () => {
        const fd = attempt(fs, `${prefix}${place}`, `${prefix}/file`)
        if (typeof fd === 'number') fs.closeSync(fd)
      })
    }
  }
  for (const [name, attempt] of Object.entries(onDescriptor)) {
    for (const place of ['/file', '/dir'] as const) {
      const fd = fs.openSync(`${prefix}${place}`, 'r')
      all[`fd ${name} ${place}`] = outcome(prefix, () => attempt(fs, fd))
      fs.closeSync(fd)
    }
  }
  return all
}

/** The codes alone, a line for each attempt, in the order of `places`. */
export function codesOf(all: Outcomes): Record<string, string> {
  return Object.fromEntries(
    Object.keys(attempts).map(name => [name, places.map(place => all[`${name} ${place}`]!.split(':')[0]).join(' ')]),
  )
}

function outcome(prefix: string, run: () => void): string {
  try {
    run()
    return 'ok'
  } catch (error) {
    const { message, errno, syscall } = error as NodeJS.ErrnoException
    return `${message.replaceAll(prefix, '')} | ${errno} ${syscall}`
  }
}

/** What the layers have to hold, base first, for the two sides to be alike. */
export function fill(base: string, top: string): void {
  nodeFs.mkdirSync(`${base}/dir`)
  nodeFs.writeFileSync(`${base}/low`, 'low')
  nodeFs.mkdirSync(`${top}/dir/sub`, { recursive: true })
  nodeFs.writeFileSync(`${top}/file`, 'hi')
  nodeFs.writeFileSync(`${top}/dir/x`, 'x')
  for (const [name, target] of links) nodeFs.symlinkSync(target, `${top}/${name}`)
}

export const links = [
  ['link', 'file'],
  ['dangling', 'nowhere'],
  ['far', 'no/where'],
  ['dirlink', 'dir'],
  ['loop', 'loop'],
] as const

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] !== undefined) {
  console.log(JSON.stringify(outcomes(nodeFs, process.argv[2])))
}
