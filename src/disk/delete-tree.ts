/**
 * Deletes trees that were made by hostile archives: deeper than a path can be long, directories without permissions,
 * names that are no text.
 *
 * Every directory that is met is first renamed to stand beside the tree, so that no path is ever longer than the
 * tree's own plus one name; nothing recurses. The tree must therefore stand in a directory of things to delete (the
 * trash): when the process is killed, what was moved beside is deleted with the rest of it.
 *
 * Calls are synchronous, for some milliseconds at a time: a call that somebody waits for costs six times as much. A large tree is
 * handed to rm(1) once it lies in many pieces (delete-program.ts); what that leaves is deleted here.
 *
 * Invariants:
 * - Nothing follows a symlink.
 * - Somebody else may be deleting the same tree: what is gone is not an error.
 */
import { randomBytes } from 'node:crypto'
import fs, { type Dirent } from 'node:fs'
import { dirname, join } from 'node:path'
import { setImmediate as others } from 'node:timers/promises'
import { isErrno } from '../errors.js'
import { deleteByProgram } from './delete-program.js'

/** How long everybody else in this process waits, milliseconds. */
const sliceMs = 4
/** How long a tree may take before others help, milliseconds, and how many directories there have to be then. */
const aloneMs = 15
const manyDirectories = 32

/** Ends early, between two entries, once `stopped` says so; the rest is for whoever comes next. */
export async function deleteTree(path: string, stopped: () => boolean = () => false): Promise<void> {
  if (unlessGone(() => fs.lstatSync(path))?.isDirectory() !== true) return unlinkFile(path)
  const beside = dirname(path)
  const directories = [path]
  const begun = performance.now()
  let handedOver = false
  let until = begun + sliceMs
  for (const [at, directory] of directories.entries()) {
    if (directories.length - at >= manyDirectories && !handedOver && performance.now() > begun + aloneMs) {
      handedOver = true
      await deleteByProgram(directories.slice(at), stopped)
    }
    for (const child of readable(directory)) {
      if (performance.now() > until) {
        await others()
        until = performance.now() + sliceMs
      }
      if (stopped()) return
      const from = childPath(directory, child.name)
      if (child.isDirectory()) {
        const moved = join(beside, randomBytes(16).toString('hex'))
        if (moveDirectory(from, moved)) directories.push(moved)
      } else unlessGone(() => fs.unlinkSync(from))
    }
    unlessGone(() => fs.rmdirSync(directory))
  }
}

/** By another thread: it may be a layer, and the kernel takes 0.1 s for some hundred MB. */
async function unlinkFile(path: string): Promise<void> {
  try {
    await fs.promises.unlink(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

function childPath(directory: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), name])
}

/** What the directory holds, after making it readable and writable for us; nothing if it is gone. */
function readable(directory: string): Dirent<Buffer>[] {
  unlessGone(() => fs.chmodSync(directory, 0o700))
  return unlessGone(() => fs.readdirSync(directory, { withFileTypes: true, encoding: 'buffer' })) ?? []
}

/** The kernel wants write permission on a directory that gets another parent. */
function moveDirectory(from: Buffer, to: string): boolean {
  unlessGone(() => fs.chmodSync(from, 0o700))
  return unlessGone(() => fs.renameSync(from, to) ?? true) === true
}

function unlessGone<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}
