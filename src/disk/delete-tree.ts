/**
 * Deletes trees that were made by hostile archives: deeper than a path can be long, directories without permissions,
 * names that are no text.
 *
 * Every directory that is met is first renamed to stand beside the tree, so that no path is ever longer than the
 * tree's own plus one name; nothing recurses. The tree must therefore stand in a directory of things to delete (the
 * trash): when the process is killed, what was moved beside is deleted with the rest of it.
 *
 * Invariants:
 * - Nothing follows a symlink.
 * - Somebody else may be deleting the same tree: what is gone is not an error.
 */
import { randomBytes } from 'node:crypto'
import type { Dirent } from 'node:fs'
import * as fs from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isErrno } from '../errors.js'

/** Ends early, between two entries, once `stopped` says so; the rest is for whoever comes next. */
export async function deleteTree(path: string, stopped: () => boolean = () => false): Promise<void> {
  const beside = dirname(path)
  const directories: string[] = []
  if (await removeLeaf(path)) return
  directories.push(path)
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    for (const child of await readable(directory)) {
      if (stopped()) return
      const at = childPath(directory, child.name)
      if (!child.isDirectory() && (await removeLeaf(at))) continue
      const moved = join(beside, randomBytes(16).toString('hex'))
      if (await moveDirectory(at, moved)) directories.push(moved)
    }
    await unlessGone(fs.rmdir(directory))
  }
}

function childPath(directory: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), name])
}

/** What the directory holds, after making it readable and writable for us; nothing if it is gone. */
async function readable(directory: string): Promise<Dirent<Buffer>[]> {
  await unlessGone(fs.chmod(directory, 0o700))
  return (await unlessGone(fs.readdir(directory, { withFileTypes: true, encoding: 'buffer' }))) ?? []
}

/** Whether there is nothing left to do at this path. False: it is a directory. */
async function removeLeaf(path: string | Buffer): Promise<boolean> {
  const stats = await unlessGone(fs.lstat(path))
  if (stats?.isDirectory()) return false
  await unlessGone(fs.unlink(path))
  return true
}

/** The kernel wants write permission on a directory that gets another parent. */
async function moveDirectory(from: Buffer, to: string): Promise<boolean> {
  await unlessGone(fs.chmod(from, 0o700))
  return (await unlessGone(fs.rename(from, to).then(() => true))) === true
}

async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}
