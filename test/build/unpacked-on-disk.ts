/** Layers unpacked by the job on the disk of this machine, within a fixture that shows whether anything beside them changed. */
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { defaultLimits } from '../../src/limits.js'
import type { UnpackLayerInput, UnpackLayerOutput } from '../../src/pool/jobs.js'
import { Pool } from '../../src/pool/pool.js'
import { listDirectory } from './full-listing.js'

export interface DiskFixture {
  readonly top: string
  /** Where layers go. */
  readonly dest: string
  /** All that lies beside it, with modes, owners, times, contents, link counts. */
  outside(): string[]
  unpack(
    archive: Uint8Array,
    input?: Partial<UnpackLayerInput>,
  ): Promise<UnpackLayerOutput & { readonly target: string }>
}

/** The fixture of threats 3: a victim, a sibling with the same prefix, and the process's own directory as it is. */
export function diskFixture(t: TestContext, { workers = 0, below = tmpdir() } = {}): DiskFixture {
  const top = mkdtempSync(join(below, 'phyllo-unpack-'))
  const pool = new Pool({ workers })
  t.after(async () => {
    await pool.close()
    rmSync(top, { recursive: true, force: true })
  })
  for (const [dir, file] of [
    ['victim', 'hello'],
    ['dest-evil', 'secret'],
    ['cwd', 'cwdfile'],
  ] as const) {
    mkdirSync(join(top, dir))
    writeFileSync(join(top, dir, file), 'hi', { mode: 0o640 })
    for (const path of [join(top, dir, file), join(top, dir)]) utimesSync(path, 1000, 1000)
  }
  const dest = join(top, 'dest')
  mkdirSync(dest, { mode: 0o700 })
  utimesSync(top, 1000, 1000)
  let count = 0
  return {
    top,
    dest,
    outside: () => [
      ...['victim', 'dest-evil', 'cwd'].flatMap(dir => listDirectory(join(top, dir), new Set())),
      ...readdirSync(top).sort(),
      ...['.', 'victim/hello', 'dest-evil/secret', 'cwd/cwdfile'].map(path => {
        const { mode, uid, gid, nlink, mtimeMs } = lstatSync(join(top, path))
        return `${path} ${[mode, uid, gid, nlink, mtimeMs]}`
      }),
    ],
    async unpack(archive, input = {}) {
      const path = join(top, 'dest', `${++count}.tar`)
      const target = join(dest, `${count}`)
      writeFileSync(path, archive)
      const source = { path, offset: 0, sizeBytes: archive.length }
      const output = await pool.run('unpack-layer', {
        source,
        label: 'test.tar',
        target,
        limits: defaultLimits,
        ...input,
      })
      return { ...output, target }
    },
  }
}

/** One line a name, as `MemoryFiles` gives them; opaque marks by `isOpaque`. */
export function linesOnDisk(diff: string, isOpaque: (path: Buffer) => boolean): string[] {
  const lines: string[] = []
  const walk = (dir: string, prefix: string): void => {
    const bytes = Buffer.from(`${diff}/${dir}`, 'latin1')
    for (const name of readdirSync(bytes, { encoding: 'buffer' })
      .map(each => each.toString('latin1'))
      .sort()) {
      const path = Buffer.from(`${diff}/${prefix}${name}`, 'latin1')
      lines.push(`${prefix}${name} ${described(path, isOpaque)}`)
      if (lstatSync(path).isDirectory()) walk(`${prefix}${name}`, `${prefix}${name}/`)
    }
  }
  walk('', '')
  return lines
}

function described(path: Buffer, isOpaque: (path: Buffer) => boolean): string {
  const stats = lstatSync(path)
  const major = (stats.rdev >> 8) & 0xfff
  const minor = (stats.rdev & 0xff) | ((stats.rdev >> 12) & 0xfff00)
  if (stats.isCharacterDevice() && stats.rdev === 0) return 'whiteout'
  const links = !stats.isDirectory() && stats.nlink > 1 ? `×${stats.nlink}` : ''
  const shown = (parts: readonly string[]) => [...parts, links].filter(part => part !== '').join(' ')
  if (stats.isDirectory()) return shown(['d', isOpaque(path) ? 'opaque' : ''])
  if (stats.isSymbolicLink()) return shown(['l', `→${readlinkSync(path)}`])
  if (stats.isFIFO()) return shown(['p'])
  if (stats.isFile()) return shown(['f', readFileSync(path, 'utf8')])
  return shown([stats.isCharacterDevice() ? 'c' : 'b', `${major}:${minor}`])
}
