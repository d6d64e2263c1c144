/** Which system call can fail with which errno. */
import fs from 'node:fs'

export type FaultErrno = 'EIO' | 'ENOSPC' | 'EDQUOT' | 'EMFILE' | 'EROFS' | 'EACCES'
export const faultErrnos: readonly FaultErrno[] = ['EIO', 'ENOSPC', 'EDQUOT', 'EMFILE', 'EROFS', 'EACCES']

/** Not setxattr, of which ENOSPC says that this xattr is too large (setxattr(2)). */
const filling =
  /^(mkdir|mkdtemp|link|linkat|symlink|symlinkat|rename|renameat2?|copyFile|cp|writev?|pwrite|writeFile|appendFile|f?truncate|fsync|fdatasync|sync|datasync|syncfs|mknodat|mkdirat|fallocate|close)$/
const opening = /^(open|openat2|opendir|readdir|readFile|writeFile|appendFile|copyFile|cp|mount)$/
const changing =
  /^(mkdir|mkdtemp|mkdirat|link|linkat|symlink|symlinkat|rename|renameat2?|copyFile|cp|writeFile|appendFile|truncate|unlink|unlinkat|rm|rmdir|l?f?chmod|l?f?chown|fchownat|l?u?f?utimes|utimensat|[lf]?setxattr|[lf]?removexattr|mknodat)$/
const onDescriptor = /^(f[a-z]+|readv?|writev?|sync|datasync|syncfs|close|getdents64|flock)$/

/** What a kernel lets fail with what. `writes`: it is opened for writing, which may make it. */
export function canFail(errno: FaultErrno, call: string, writes: boolean): boolean {
  if (errno === 'EIO') return true
  if (errno === 'EMFILE') return opening.test(call)
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return filling.test(call) || (opening.test(call) && writes)
  if (errno === 'EROFS') return changing.test(call) || (opening.test(call) && writes)
  return !onDescriptor.test(call)
}

/** Whether a call opens for writing; `flags` as open takes them. */
export function opensToWrite(call: string, flags: unknown): boolean {
  if (!call.startsWith('open')) return call === 'writeFile' || call === 'appendFile'
  const { O_CREAT, O_WRONLY, O_RDWR } = fs.constants
  return typeof flags === 'number' ? (flags & (O_CREAT | O_WRONLY | O_RDWR)) !== 0 : /[wa+]/.test(String(flags ?? 'r'))
}
