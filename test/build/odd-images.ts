/** Images for a store of driver overlay2: random ones, and such as are made for it. Nothing that dockerd refuses. */
import type { MadeImage } from './image.js'
import { layerTar } from './image.js'
import { randomImage } from './random-image.js'
import type { Random } from './random-tar.js'
import { char, dir, fifo, file, hardlink, symlink, tar } from './tar.js'

const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex')

const base = layerTar({ 'base/a': 'a', 'base/b': 'b', 'base/dir/c': 'c' })

/** As many layers as an image of Docker's may have. */
export const deep: MadeImage = {
  tags: ['deep:125'],
  layers: Array.from({ length: 125 }, (_, n) => layerTar({ [`d/${n}`]: `${n}`, 'd/same': `${n}` })),
}

/** Equal layers under different parents, and one twice in one image. */
export const shared: readonly MadeImage[] = [
  { tags: ['shared:1', 'shared:one'], layers: [base, layerTar({ x: 'x' })] },
  { tags: ['shared:2'], layers: [layerTar({ y: 'y' }), base, layerTar({ x: 'x' })] },
  { tags: ['shared:3'], layers: [base, base] },
  { layers: [base] },
]

export const odd: MadeImage = {
  tags: ['odd:1'],
  layers: [
    tar([
      dir('./', { mode: 0o700 }),
      dir('a/', { mode: 0o2775, gid: 7, mtime: 1_000_000_000 }),
      file('a/f', 'content', { mode: 0o4755, mtime: 1_000_000_001 }),
      hardlink('a/h', 'a/f', { mode: 0o4755, mtime: 1_000_000_002, uid: 3 }),
      symlink('bin', 'usr/bin', { mtime: 1_000_000_003 }),
      dir('usr/', { mtime: 5 }),
      dir('usr/bin/', { mode: 0o555, mtime: 6 }),
      file('bin/through', 'a symlink', { mtime: 7 }),
      file('cap', 'cap', { mode: 0o755, mtime: 8, xattrs: { 'security.capability': capability } }),
      char('null', 1, 3, { mode: 0o666, mtime: 9 }),
      fifo('pipe', { mode: 0o600, mtime: 10 }),
      file('large', Buffer.alloc(3_000_000, 'Tyger, tyger '), { mtime: 11 }),
      file('hidden', '', { mtime: 12 }),
      dir('opaque/', { mtime: 13 }),
      file('opaque/low', 'low', { mtime: 14 }),
      file('<&>\u2028', 'escaped by Go', { mtime: 15 }),
    ]),
    tar([
      file('.wh.hidden', '', { uid: 5, gid: 6 }),
      file('opaque/.wh..wh..opq'),
      file('opaque/high', 'high', { mtime: 16 }),
      file('a/.wh.h'),
      file('.wh.never-there'),
      file('bin/through', 'shadows the symlink', { mtime: 17 }),
    ]),
    tar([]),
  ],
}

/** `count` random images beside the made ones. */
export function oddImages(random: Random, count: number): MadeImage[] {
  const images = Array.from({ length: count }, (_, n) => randomImage(random, `random:${n}`))
  return [odd, deep, ...shared, ...images]
}
