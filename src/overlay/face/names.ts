/**
 * Every name of node:fs, of its promises and of FileHandle, and what a view and a container do with it. A test walks the running Node's keys: a
 * name on which nobody decided fails it.
 *
 * - `same`: as node:fs over a plain directory with the same content.
 * - a rule: as node:fs, but for the rule's reason (texts in `rules`).
 * - `refused`: fails as on a file system that is mounted read-only (facts on the order of checks are in `union/open.ts`). Of a container
 *   nothing is.
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
  'as-root':
    'The container acts as root: nothing is refused for want of permission, and what is made belongs to its owner.',
  'no-link-modes':
    'Where Node has lchmod it is Node’s; elsewhere it changes what is no symlink, and EOPNOTSUPP of one.',
  'own-times': 'Times are kept to the microsecond; what was not changed yet has one time.',
  'shared-content': 'A content that lies in a layer is not copied. A failed copy leaves an existing target as it was.',
  'links-part': 'A hard link of a layer parts from its other names when it is changed, as on overlayfs.',
  'at-once': 'A tree goes at once: all of it or nothing. `.`, `..` and `/` are refused before anything is removed.',
  'into-itself': 'A directory is not copied into itself, by whatever name; names keep their bytes.',
  'one-form': 'The asynchronous forms of `recursive` report as the synchronous one does.',
  'whole-container': 'Everything that was done in the container reaches the disk, not this file alone.',
  bounds: 'Says that the file system is overlayfs; totals and what is free are the bounds of the container.',
  'own-changes': 'Tells the changes that are made through this object, and does not keep the process alive.',
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

/** What a container does otherwise than a view; the rest is the same for both. */
const containerCalls: Readonly<Record<string, Decision>> = {
  access: by('as-root'),
  chmod: by('links-part'),
  chown: by('as-root'),
  copyFile: by('shared-content'),
  cp: by('into-itself'),
  fchmod: by('links-part'),
  fchown: by('as-root'),
  fdatasync: by('whole-container'),
  fsync: by('whole-container'),
  futimes: by('own-times'),
  lchmod: by('no-link-modes'),
  lchown: by('as-root'),
  lutimes: by('own-times'),
  mkdir: by('one-form'),
  mkdtemp: by('as-root'),
  mkdtempDisposable: by('as-root'),
  rm: by('at-once'),
  statfs: by('bounds'),
  truncate: by('links-part'),
  utimes: by('own-times'),
  FileWriteStream: by('bound-class'),
  Utf8Stream: by('bound-class'),
  WriteStream: by('bound-class'),
  createWriteStream: by('no-wait'),
  unwatchFile: by('own-changes'),
  watch: by('own-changes'),
  watchFile: by('own-changes'),
}

const containerHandle: Readonly<Record<string, Decision>> = {
  chmod: by('links-part'),
  chown: by('as-root'),
  datasync: by('whole-container'),
  sync: by('whole-container'),
  utimes: by('own-times'),
}

/** What a container does with a name of `fs`: what a view refuses works, but for a rule. */
export function containerDecisionOf(name: string): Decision | undefined {
  return containerCalls[name] ?? containerCalls[name.replace(/Sync$/, '')] ?? worksHere(decisionOf(name))
}

export function containerHandleDecisionOf(name: string): Decision | undefined {
  return containerHandle[name] ?? worksHere(fileHandleDecisions[name])
}

function worksHere(decision: Decision | undefined): Decision | undefined {
  return decision === refused ? same : decision
}

/** What a container has beside node:fs, and each as `…Sync` and in `promises`, too. */
export const containerExtras = ['mknod', 'mkfifo', 'getxattr', 'setxattr', 'listxattr', 'removexattr'] as const
