/**
 * Where tests that are not about a disk make their files: in memory, where this machine has a file system for that, with
 * room and for programs, too; else where TMPDIR says. Waiting for a disk is most of what tests of files would cost.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { freemem, tmpdir } from 'node:os'
import { join } from 'node:path'

const memory = '/dev/shm'
/** More than all tests that run at once take. */
const leastBytes = 2 * 1024 ** 3

/** A directory that is new. Whoever asks removes it. */
export function makeFastDirectory(name: string): string {
  return inMemory(name) ?? mkdtempSync(join(tmpdir(), name))
}

/**
 * Removes it with whatever tests that were ended have left there: paths longer than a call takes, which rm(1) removes, or
 * mounts, which stay. What is left fails no run.
 */
export function removeFastDirectory(dir: string): void {
  try {
    rmSync(dir, { recursive: true, force: true })
  } catch {
    spawnSync('rm', ['-rf', '--', dir], { stdio: 'ignore' })
  }
}

function inMemory(name: string): string | undefined {
  let dir: string | undefined
  try {
    const { bavail, bsize } = statfsSync(memory)
    if (Math.min(bavail * bsize, freemem()) < leastBytes) return undefined
    dir = mkdtempSync(join(memory, name))
    const program = join(dir, 'program')
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o700 })
    const runs = spawnSync(program).status === 0
    rmSync(runs ? program : dir, { recursive: true })
    return runs ? dir : undefined
  } catch (error) {
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true })
    // No such file system, or not for us.
    if (['ENOENT', 'EACCES', 'EPERM', 'EROFS', 'ENOSPC'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return undefined
    throw error
  }
}
