/** What tests of whole stores need: a scratch store, archives as files, what a store looks like from outside. */
import { createHash } from 'node:crypto'
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Store, type StoreOptions } from '../../src/index.js'
import { archiveOf, type Members } from './image.js'

export function scratchDir(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'phyllo-store-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** A new store, closed and removed when the test ends. Small inputs: one worker and no waiting for the disk by default. */
export async function scratchStore(t: TestContext, options: StoreOptions = {}): Promise<Store> {
  const dir = mkdtempSync(join(tmpdir(), 'phyllo-store-'))
  const store = await Store.open(join(dir, 'store'), { durability: 'none', workers: 1, ...options })
  t.after(async () => {
    await store.close()
    rmSync(dir, { recursive: true, force: true })
  })
  return store
}

export function archiveFile(t: TestContext, members: Members | Buffer, name = 'test.tar'): string {
  const path = join(scratchDir(t), name)
  writeFileSync(path, Buffer.isBuffer(members) ? members : archiveOf(members))
  return path
}

/** Everything that is published in a store, a line a file: type, mode, path, digest. Locks, owners and stages are not. */
export function published(root: string): string[] {
  const lines: string[] = []
  const visit = (path: string, name: string) => {
    const stats = lstatSync(path)
    const mode = stats.mode.toString(8)
    if (stats.isSymbolicLink()) lines.push(`${mode} ${name} -> ${readlinkSync(path)}`)
    else if (stats.isFile())
      lines.push(`${mode} ${name} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`)
    else {
      lines.push(`${mode} ${name}/`)
      for (const child of readdirSync(path).sort()) visit(join(path, child), `${name}/${child}`)
    }
  }
  for (const name of readdirSync(root).sort()) if (name !== 'phyllo') visit(join(root, name), name)
  return lines
}

/** Whatever stands in the store for the moment only: stages, trash, limbo. Empty when nobody works on it. */
export function leftovers(root: string): string[] {
  return ['stages', 'trash', 'limbo'].flatMap(dir =>
    readdirSync(join(root, 'phyllo', dir)).map(name => `${dir}/${name}`),
  )
}
