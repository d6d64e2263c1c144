/**
 * The same layers unpacked by a real dockerd and by us: directory by directory, and size by size.
 *
 * Where we decide otherwise than dockerd (it is one list): times of directories that no entry describes, of whiteouts and of the
 * root, which dockerd leaves at "now"; times before 1970, which it makes 1970; xattrs of overlayfs and of other machines, which it
 * sets; what a whiteout and an entry of one name come to; a mark on the root; the mode of a device 0:0; duplicates that it does not
 * see, because a symlink leads to the other one; symlinks that lead to nothing yet, where it gives up and we make the directory;
 * the time in the header of a hard link to a symlink, which it does not set.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Dockerd, startDockerd } from '../build/dockerd.js'
import { listDirectory } from '../build/full-listing.js'
import { archiveOf, digestOf, legacyArchive, type MadeImage } from '../build/image.js'
import { randomImage } from '../build/random-image.js'
import { Random } from '../build/random-tar.js'
import { char as C, dir as D, file as F, hardlink as H, fifo as P, symlink as S, tar } from '../build/tar.js'
import { diskFixture } from '../build/unpacked-on-disk.js'

/** A tmpfs: dockerd would otherwise stand in the way of everybody's disk. */
const dir = mkdtempSync('/dev/shm/phyllo-unpack-d-')
let dockerd: Dockerd

before(async () => {
  dockerd = await startDockerd(dir)
})
after(async () => {
  await dockerd.stop()
  rmSync(dir, { recursive: true, force: true })
})

async function load(image: MadeImage): Promise<void> {
  const path = join(dir, 'image.tar')
  writeFileSync(path, archiveOf(legacyArchive([image])))
  await dockerd.docker('load', '-i', path)
}

/** Of the layers that dockerd has: size and directory, by diffId. */
function layersOfDockerd(): Map<string, { readonly size: number; readonly diff: string }> {
  const layers = join(dockerd.root, 'image/overlay2/layerdb/sha256')
  return new Map(
    readdirSync(layers).map(chain => {
      const read = (name: string) => readFileSync(join(layers, chain, name), 'utf8')
      return [
        read('diff'),
        { size: Number(read('size')), diff: join(dockerd.root, 'overlay2', read('cache-id'), 'diff') },
      ]
    }),
  )
}

/** What dockerd leaves at "now". */
function untimed(lines: readonly string[], told: ReadonlySet<string>): string[] {
  return lines.map(line => {
    const path = JSON.parse(/^"(?:[^"\\]|\\.)*"/.exec(line)![0]) as string
    return told.has(path) ? line : line.replace(/ mtime -?\d+/, '')
  })
}

/** Paths of entries, by the plainest reading of an archive whose names are plain. */
function pathsOf(layer: Buffer): Set<string> {
  const paths = new Set<string>()
  let path: string | undefined
  for (let at = 0; at + 512 <= layer.length && layer[at] !== 0; ) {
    const size = Number.parseInt(layer.toString('latin1', at + 124, at + 135), 8)
    const body = layer.subarray(at + 512, at + 512 + size)
    const type = String.fromCharCode(layer[at + 156]!)
    if (type === 'x') path = /\d+ path=([^\n]*)\n/.exec(body.toString('latin1'))?.[1]
    else {
      const name = path ?? layer.toString('latin1', at, at + 100).replace(/\0.*$/s, '')
      paths.add(`/${name.replace(/\/$/, '')}`)
      path = undefined
    }
    at += 512 + Math.ceil(size / 512) * 512
  }
  return paths
}

async function compare(t: Parameters<typeof diskFixture>[0], image: MadeImage, note: string): Promise<void> {
  await load(image)
  const theirs = layersOfDockerd()
  const fixture = diskFixture(t, { below: '/dev/shm' })
  for (const [at, layer] of image.layers.entries()) {
    const ours = await fixture.unpack(layer)
    const { size, diff } = theirs.get(digestOf(layer))!
    const told = pathsOf(layer)
    const listed = (path: string) => untimed(listDirectory(path, new Set(['/'])), told)
    assert.deepEqual(listed(join(ours.target, 'diff')), listed(diff), `${note}, layer ${at}`)
    assert.equal(ours.sizeBytes, size, `${note}, layer ${at}`)
  }
}

/** Seeds of this run. */
const first = Number(process.env.PHYLLO_SEED ?? Date.now() % 1e9)

test('random layers are the directories and sizes that dockerd has of them', async t => {
  t.diagnostic(`PHYLLO_SEED=${first}`)
  for (let seed = first; seed < first + 25; seed++)
    await compare(t, randomImage(new Random(seed), `r${seed}:1`), `seed ${seed}`)
})

test('layers made by hand: implied parents, order, odd names, links, ways through symlinks', async t => {
  const owned = { uid: 5, gid: 6, mtime: 7 }
  const layers = [
    [
      F('a/b/c', '1'),
      D('a', { mode: 0o1555, ...owned }),
      F('/abs/x', '2'),
      F('./dot', '3'),
      F('b/../dots', '4'),
      D('b'),
    ],
    [
      D('usr/bin', owned),
      S('bin', 'usr/bin', owned),
      F('bin/sh', 'sh', { mode: 0o6755 }),
      D('bin/d'),
      D('usr/bin/d', owned),
    ],
    [
      D('run'),
      S('var/run', '/run'),
      F('var/run/a/b', '1', owned),
      H('hard', '/var/run/a/b', { mode: 0o600, uid: 9, mtime: 11 }),
    ],
    [D('q'), F('q/new', '1'), F('q/.wh..wh..opq'), F('r/.wh..wh..opq'), F('q/.wh.old', '', owned), F('s/.wh.none')],
    [F('.wh.d'), D('.wh.e', owned), S('.wh.f', 'x'), F('.wh.g', 'body')],
    [S('l', 'nowhere', owned), H('l2', 'l', { mode: 0o4777, uid: 8, mtime: 7 }), P('p', owned), C('c', 1, 3, owned)],
    [
      D('./', { mode: 0o700, uid: 3, mtime: 4 }),
      F('new\nline', '1'),
      F(Buffer.from([0xff]), '2'),
      F('-rf', '3'),
      F('.wh', '4'),
    ],
  ]
  await compare(t, { layers: layers.map(parts => tar(parts)), tags: ['hand:1'] }, 'by hand')
})
