/**
 * Writes config.json as Docker does: keys sorted, tabs, its mode and owner kept or 0600, beside the old one and then in its place,
 * so that nobody ever reads half of it. A symbolic link stays one.
 */
import { randomBytes } from 'node:crypto'
import type { Stats } from 'node:fs'
import { mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isErrno, PhylloError } from '../errors.js'

/** @throws REGISTRY_CREDENTIALS; the old file is as it was then */
export async function replaceConfig(path: string, config: Readonly<Record<string, unknown>>): Promise<void> {
  let staged: string | undefined
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const final = await ifThere(realpath(path), path)
    const old = await ifThere<Stats | undefined>(stat(final), undefined)
    staged = `${final}.${randomBytes(8).toString('hex')}`
    const file = await open(staged, 'wx', 0o600)
    try {
      await file.writeFile(textOf(config))
      // Root writes it for whom it belongs to, who could not read it any more otherwise; a file system may not know of owners.
      if (old !== undefined && process.getuid?.() === 0) await file.chown(old.uid, old.gid).catch(() => undefined)
      await file.chmod(old === undefined ? 0o600 : old.mode & 0o777)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(staged, final)
  } catch (cause) {
    if (staged !== undefined) await rm(staged, { force: true }).catch(() => undefined)
    const message = `${path}: ${(cause as Error).message}`
    throw new PhylloError('REGISTRY_CREDENTIALS', message, { operation: 'write', path, cause })
  }
}

/** Go's encoding/json, which Docker reads and writes it with, escapes these. */
function textOf(config: unknown): string {
  return JSON.stringify(sorted(config), undefined, '\t').replace(
    /[<>&\u2028\u2029]/g,
    char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const copy: Record<string, unknown> = Object.create(null)
  for (const [key, member] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) copy[key] = sorted(member)
  return copy
}

async function ifThere<T>(work: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return otherwise
    throw error
  }
}
