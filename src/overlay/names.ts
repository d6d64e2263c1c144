/**
 * Every name of node:fs, of its promises and of FileHandle, and what a view does with it. A test walks the running Node's keys: a
 * name on which nobody decided fails it.
 *
 * - `same`: as node:fs over a plain directory with the same content.
 * - a rule: as node:fs, but for the rule's reason (texts in `rules`).
 * - `refused`: fails as on a file system that is mounted read-only (facts on the order of checks are in `open.ts`).
 */

export const rules = {
  'no-permissions': 'The view acts as root: R_OK always holds, X_OK wants one x bit, W_OK is EROFS.',
  'no-wait': 'Fifos, sockets and devices cannot be opened: ENXIO, never a wait.',
  sorted: 'Names come in the order of their bytes, at once, and links are not followed by `recursive`.',
  'synthetic-identity': 'dev and ino are the view’s own, all four times are the modification time.',
  whole: 'The Blob holds the whole content.',
  silent: 'Nothing changes, so nothing fires, and the process is not kept alive.',
  'bound-class': 'Opens files of the view.',
  'two-in-one': 'With arguments closes a descriptor; without, the view.',
  full: 'Says that the file system is overlayfs and full.',
  'no-change': 'Succeeds, since there is nothing to do.',
  'fd-space': 'Descriptors are numbers from 2^30 up.',
} as const

export type Rule = keyof typeof rules
export type Decision = 'same' | 'refused' | { readonly rule: Rule }

const same: Decision = 'same'
const refused: Decision = 'refused'
const by = (rule: Rule): Decision => ({ rule })

/** Names of callback functions; the `…Sync` forms go the same way. */
export const callDecisions: Readonly<Record<string, Decision>> = {
  access: by('no-permissions'),
  appendFile: refused,
  chmod: refused,
  chown: refused,
  close: by('two-in-one'),
  copyFile: refused,
  cp: refused,
  exists: same,
  fchmod: refused,
  fchown: refused,
  fdatasync: by('no-change'),
  fstat: by('synthetic-identity'),
  fsync: by('no-change'),
  ftruncate: refused,
  futimes: refused,
  glob: by('sorted'),
  lchmod: refused,
  lchown: refused,
  link: refused,
  lstat: by('synthetic-identity'),
  lutimes: refused,
  mkdir: refused,
  mkdtemp: refused,
  mkdtempDisposable: refused,
  open: by('fd-space'),
  openAsBlob: by('whole'),
  opendir: by('sorted'),
  read: same,
  readFile: by('no-wait'),
  readdir: by('sorted'),
  readlink: same,
  readv: same,
  realpath: same,
  rename: refused,
  rm: refused,
  rmdir: refused,
  stat: by('synthetic-identity'),
  statfs: by('full'),
  symlink: refused,
  truncate: refused,
  unlink: refused,
  utimes: refused,
  write: refused,
  writeFile: refused,
  writev: refused,
}

/** Names of node:fs that have no three forms. */
export const otherDecisions: Readonly<Record<string, Decision>> = {
  Dir: same,
  Dirent: same,
  F_OK: same,
  FileReadStream: by('bound-class'),
  FileWriteStream: refused,
  R_OK: same,
  ReadStream: by('bound-class'),
  Stats: same,
  Utf8Stream: refused,
  W_OK: same,
  WriteStream: refused,
  X_OK: same,
  _toUnixTimestamp: same,
  constants: same,
  createReadStream: by('no-wait'),
  createWriteStream: refused,
  promises: same,
  unwatchFile: by('silent'),
  watch: by('silent'),
  watchFile: by('silent'),
}

/** Names of FileHandle's prototype. */
export const fileHandleDecisions: Readonly<Record<string, Decision>> = {
  appendFile: refused,
  chmod: refused,
  chown: refused,
  close: same,
  constructor: same,
  createReadStream: same,
  createWriteStream: refused,
  datasync: by('no-change'),
  fd: by('fd-space'),
  getAsyncId: same,
  read: same,
  readFile: same,
  readLines: same,
  readableWebStream: same,
  readv: same,
  stat: by('synthetic-identity'),
  sync: by('no-change'),
  truncate: refused,
  utimes: refused,
  write: refused,
  writeFile: refused,
  writev: refused,
}

/** What was decided on a name of `fs`, or undefined if nobody did. */
export function decisionOf(name: string): Decision | undefined {
  return otherDecisions[name] ?? callDecisions[name] ?? callDecisions[name.replace(/Sync$/, '')]
}
