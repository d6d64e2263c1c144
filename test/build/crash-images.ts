/** The images that are loaded, made and removed while processes die, and what a store says of them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { archiveOf, imageIdOf, legacyArchive, type MadeImage } from './image.js'
import { char, dir, fifo, file, hardlink, symlink, tar } from './tar.js'

/** Bytes that no compressor shrinks, the same each time. */
export function noise(bytes: number, seed: number): Buffer {
  const out = Buffer.alloc(bytes)
  let state = seed * 2654435761 + 1
  for (let at = 0; at < bytes; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    out[at] = state >>> 24
  }
  return out
}

const base = tar([
  dir('etc/', { mode: 0o755 }),
  file('etc/motd', 'hello\n', { mode: 0o644, mtime: 1e9 }),
  file('etc/large', noise(300_000, 1), { mode: 0o600, uid: 1, gid: 2 }),
  hardlink('etc/motd.link', 'etc/motd'),
  symlink('etc/now', '../usr/lib/now'),
  dir('usr/'),
  dir('usr/lib/', { mode: 0o2775 }),
  file('usr/lib/now', 'now\n', { mode: 0o4755, xattrs: { 'user.note': 'kept' } }),
  char('usr/lib/null', 1, 3),
  fifo('usr/lib/fifo'),
  ...[...Array(8).keys()].map(n => file(`usr/lib/${n}`, `${n}`.repeat(n * 1000))),
])

const layers = {
  base,
  a: tar([file('etc/.wh.now'), file('a', 'of a\n'), dir('only-a/'), file('only-a/x', 'x')]),
  b: tar([dir('usr/'), dir('usr/lib/'), file('usr/lib/.wh..wh..opq'), file('usr/lib/b', noise(600_000, 2))]),
  c: tar([file('c', 'of c\n'), dir('c.d/'), file('c.d/large', noise(400_000, 3))]),
  d: tar([file('d', 'of d\n'), dir('etc/'), file('etc/motd', 'of d\n')]),
} as const

export type ImageKey = keyof typeof images

export const images = {
  a: { layers: [layers.base, layers.a], config: { config: { Cmd: ['a'] } } },
  b: { layers: [layers.base, layers.b], config: { config: { Cmd: ['b'] } } },
  c: { layers: [layers.c], config: { config: { Cmd: ['c'] } } },
  /** Its layers are those of b, and one more. */
  d: { layers: [layers.base, layers.b, layers.d], config: { config: { Cmd: ['d'] } } },
} as const satisfies Record<string, MadeImage>

export const idOf = (key: ImageKey): string => imageIdOf(images[key])

/** Writes a docker-archive of these images; the path. */
export function writeArchive(dir: string, name: string, tags: Partial<Record<ImageKey, readonly string[]>>): string {
  const path = join(dir, name)
  const made = Object.entries(tags).map(([key, names]) => ({ ...images[key as ImageKey], tags: names }))
  writeFileSync(path, archiveOf(legacyArchive(made)))
  return path
}
