/**
 * tar-fs, given containers as its `fs` and nothing else, while the host's files are locked: what it packs is what it packs of a
 * plain directory with the same tree, byte for byte, and what it extracts is what it extracts to a plain directory.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import { listFace } from '../build/full-listing.js'
import { locked } from '../build/host-fs.js'
import { scratchDir } from '../build/store.js'
import { dir, file, hardlink, symlink, tar } from '../build/tar.js'
import { storeWithImage } from '../build/users.js'

// After host-fs: it keeps the functions that it finds when it is loaded
const tarFs = await import('tar-fs')

declare module 'tar-fs' {
  /** What its types lack. */
  interface Options {
    readonly fs?: typeof fs
    readonly umask?: number
  }
  interface PackOptions {
    readonly sort?: boolean
  }
}

// As a container has it
process.umask(0o022)

/** Owners are root's to give away, and its alone. */
const isRoot = process.getuid?.() === 0
const owner = isRoot ? { uid: 1000, gid: 100 } : {}
const modified = 1_000_000_000
const begun = Date.now() - 1000
const content = (bytes: number) => Buffer.from(Array.from({ length: bytes }, (_, at) => (at * 7 + bytes) % 251))

/** A folder with modes, times and links of every kind, as a layer of an image has it. */
const layer = tar([
  dir('tree/', { mtime: modified }),
  dir('tree/bin/', { mode: 0o750, mtime: modified + 1 }),
  file('tree/bin/tool', '#!/bin/sh\n', { mode: 0o755, mtime: modified + 2, ...owner }),
  hardlink('tree/bin/twin', 'tree/bin/tool', { mode: 0o755, mtime: modified + 2, ...owner }),
  dir('tree/data/', { mtime: modified + 3, ...owner }),
  file('tree/data/secret', 'secret', { mode: 0o600, mtime: modified + 4, ...owner }),
  ...[0, 511, 512, 65_536, 300_001].map(size => file(`tree/data/${size}`, content(size), { mtime: modified + size })),
  file('tree/data/ünï cödé', 'odd', { mtime: modified + 5 }),
  file(`tree/data/${'n'.repeat(120)}`, 'long', { mtime: modified + 6 }),
  dir('tree/data/deep/'),
  dir('tree/data/deep/empty/', { mode: 0o711, mtime: modified + 7 }),
  symlink('tree/data/link', '../bin/tool'),
  symlink('tree/data/dangling', 'nowhere'),
])

/** What a user does to it then, there as here. Times that nobody sets are those of now. */
function change(face: typeof fs, tree: string): void {
  face.renameSync(`${tree}/data/deep`, `${tree}/deep`)
  face.mkdirSync(`${tree}/made`)
  face.writeFileSync(`${tree}/made/new`, content(70_000))
  face.linkSync(`${tree}/made/new`, `${tree}/made/two`)
  face.appendFileSync(`${tree}/data/512`, 'more')
  face.unlinkSync(`${tree}/data/511`)
  face.chmodSync(`${tree}/data/0`, 0o640)
  face.symlinkSync('new', `${tree}/made/link`)
  const settle = (path: string, at: number) => {
    const names = face.lstatSync(path).isDirectory() ? face.readdirSync(path) : []
    for (const name of names) settle(`${path}/${name}`, at + name.length)
    face.lutimesSync(path, modified + at, modified + at)
  }
  settle(tree, 10)
}

/** Paths that have changed since this file was started: tar-fs leaves the times of links and of some folders. */
function recent(face: typeof fs, top: string, path = '/'): string[] {
  const stats = face.lstatSync(top + path)
  const below = stats.isDirectory() ? face.readdirSync(top + path) : []
  return [
    ...(stats.mtimeMs >= begun ? [path] : []),
    ...below.sort().flatMap(name => recent(face, top, `${path === '/' ? '' : path}/${name}`)),
  ]
}

/** Everything is the same, but for owners where only this user's are possible, and the times that the directory has of now. */
function assertSame(box: typeof fs, top: string, directory: string): void {
  const untimed = new Set(recent(fs, directory))
  for (const path of recent(box, top)) assert.ok(untimed.has(path), `the time of ${path} has not been set`)
  const owned = (line: string) => (isRoot ? line : line.replace(/ \d+:\d+(?= |$)/, ''))
  assert.deepEqual(listFace(box, top, untimed).map(owned), listFace(fs, directory, untimed).map(owned))
}

const extract = (bytes: Buffer, to: string, face: typeof fs) =>
  pipeline(Readable.from([bytes]), tarFs.extract(to, { fs: face, umask: 0 }))

const pack = (tree: string, face: typeof fs) =>
  buffer(
    tarFs.pack(tree, {
      fs: face,
      umask: 0,
      sort: true,
      ...(!isRoot && { map: head => ({ ...head, uid: 0, gid: 0 }) }),
    }),
  )

test('packed out of one container and extracted into another, the trees are equal, and equal those of directories', async t => {
  const host = scratchDir(t)
  await extract(layer, host, fs)
  change(fs, `${host}/tree`)
  const there = await pack(`${host}/tree`, fs)
  await extract(there, `${host}/copy`, fs)

  const store = await storeWithImage(t, [layer])
  const [a, b] = [await store.create('image:v1'), await store.create('scratch')]
  change(a, '/tree')
  const here = await locked(store.root, async () => {
    const packed = await pack('/tree', a)
    await extract(packed, '/copy', b)
    return packed
  })
  assert.ok(here.equals(there))
  assertSame(b, '/copy', `${host}/copy`)
  // It packs every name as a file of its own, and leaves the times of links and of most folders
  const kept = (lines: readonly string[]) => lines.map(line => line.replace(/ same as .*? (?=\S+$)/, ' '))
  const untimed = new Set(recent(b, '/copy'))
  assert.ok(untimed.size < listFace(b, '/copy').length / 2)
  assert.deepEqual(listFace(b, '/copy', untimed), kept(listFace(a, '/tree', untimed)))
})

test('extracted over what is there: files, links and folders of the layers are replaced as on a directory', async t => {
  const over = tar([
    dir('./', { mode: 0o700, mtime: modified }),
    file('bin/new', 'new', { mode: 0o700, mtime: modified + 20 }),
    file('data/link', 'a file now', { mtime: modified + 21 }),
    symlink('data/secret', 'ünï cödé'),
    file('data/300001', 'short', { mtime: modified + 22 }),
    hardlink('data/0', 'data/512', { mtime: modified + 23 }),
    dir('data/deep/', { mode: 0o700, mtime: modified + 24 }),
    file('data/deep/new/file', 'new', { mtime: modified + 25 }),
  ])
  const host = scratchDir(t)
  await extract(layer, host, fs)
  await extract(over, `${host}/tree`, fs)
  const store = await storeWithImage(t, [layer])
  const box = await store.create('image:v1')
  await locked(store.root, () => extract(over, '/tree', box))
  assertSame(box, '/tree', `${host}/tree`)
  assert.equal(box.statSync('/tree/data/0').ino, box.statSync('/tree/data/512').ino)
})

test('a hostile archive changes nothing outside of its folder', async t => {
  const store = await storeWithImage(t, [layer])
  const box = await store.create('image:v1')
  box.mkdirSync('/copy')
  const before = [...box.changes()]
  for (const bytes of [
    tar([symlink('out', '../tree'), file('out/bin/tool', 'hostile')]),
    tar([hardlink('out', '../tree/bin/tool')]),
  ])
    await assert.rejects(locked(store.root, () => extract(bytes, '/copy', box)))
  assert.deepEqual([...box.changes()], before)
})
