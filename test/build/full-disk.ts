/** Somebody else who fills a file system to the last byte and the last inode. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

const pieces = [2 ** 20, 4096, 1]

/** Takes all there is, inodes first: names need blocks. Can be called again when something has become free. */
export function fill(mountPoint: string): void {
  const directory = join(mountPoint, 'of-others')
  mkdirSync(directory, { recursive: true })
  const fd = openSync(join(directory, 'bytes'), 'a')
  try {
    for (let at = readdirSync(directory).length; unlessFull(() => writeFileSync(join(directory, `${at}`), '')); at++);
    // The kernel may find some more when it has written what it owes.
    for (let round = 0; round < 3; round++) {
      for (const bytes of pieces) while (unlessFull(() => writeSync(fd, Buffer.alloc(bytes, 1))));
      unlessFull(() => fsyncSync(fd))
    }
  } finally {
    closeSync(fd)
  }
}

/** Gives all of it back. */
export function makeRoom(mountPoint: string): void {
  rmSync(join(mountPoint, 'of-others'), { recursive: true, force: true })
}

/** Gives so many inodes and bytes back. */
export function leave(mountPoint: string, inodes: number, bytes: number): void {
  const directory = join(mountPoint, 'of-others')
  const names = readdirSync(directory).filter(name => name !== 'bytes')
  for (const name of names.slice(0, inodes)) rmSync(join(directory, name))
  const path = join(directory, 'bytes')
  truncateSync(path, statSync(path).size - bytes)
}

export function freeBytes(mountPoint: string): number {
  const { bfree, bsize } = statfsSync(mountPoint)
  return bfree * bsize
}

/** Whether nobody can make a file with a byte in it. */
export function isFull(mountPoint: string): boolean {
  const path = join(mountPoint, 'of-nobody')
  try {
    return !unlessFull(() => writeFileSync(path, 'x'))
  } finally {
    if (existsSync(path)) rmSync(path)
  }
}

function unlessFull(call: () => unknown): boolean {
  try {
    call()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    return false
  }
}
