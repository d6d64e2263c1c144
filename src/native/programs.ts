/**
 * Programs of the machine that stand in for what node lacks: flock(1), bzip2, xz. They are started by absolute path,
 * without a shell, with an environment of their own, so that nothing of ours or of an archive's reaches them.
 */
import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { isErrno } from '../errors.js'

const defaultPath = '/usr/local/bin:/usr/bin:/bin'

/** The whole environment of a program that we start: messages in English, numbers with points. */
export const cleanEnvironment: Readonly<Record<string, string>> = { LC_ALL: 'C' }

/** The absolute path of an executable file of this name in PATH; relative entries of PATH are passed over. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? defaultPath).split(':')) {
    if (!isAbsolute(folder)) continue
    const path = join(folder, name)
    if (await isExecutableFile(path)) return path
  }
  return undefined
}

async function isExecutableFile(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG')) return false
    throw error
  }
}
