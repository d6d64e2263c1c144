/** What is on the disk, against du(1), of shapes that are easily counted wrong. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { deleteTree } from '../../src/disk/delete-tree.js'
import { freedBytes, RoomMeter } from '../../src/disk/usage.js'
import { Store } from '../../src/index.js'
import { appArchive } from '../build/app-archive.js'
import { runPhyllo } from '../build/cli.js'
import { newRoot } from '../build/stores.js'

const du = (path: string) => Number(execFileSync('du', ['-s', '--block-size=1', path]).toString().split('\t')[0])

test('the bytes on the disk are those of du: hard links, holes, long symlinks, names that are no text, deep trees', async t => {
  const root = newRoot(t)
  writeFileSync(`${root}.tar`, appArchive())
  await using store = await Store.open(root, { durability: 'none', workers: 0 })
  await store.load(`${root}.tar`)
  const odd = join(root, 'phyllo/odd')
  mkdirSync(odd)
  writeFileSync(join(odd, 'a'), Buffer.alloc(70_000, 1))
  linkSync(join(odd, 'a'), join(odd, 'b'))
  const fd = openSync(join(odd, 'holes'), 'w')
  ftruncateSync(fd, 1e9)
  closeSync(fd)
  symlinkSync('x'.repeat(200), join(odd, 'long'))
  symlinkSync('/', join(odd, 'elsewhere'))
  writeFileSync(Buffer.from(`${odd}/\xff\xfe`, 'latin1'), 'x')
  // Built from the bottom up, so that no path is ever long.
  const [tree, next] = [join(odd, 'tree'), join(odd, 'next')]
  mkdirSync(tree)
  for (let depth = 1; depth < 60; depth++) {
    writeFileSync(join(tree, 'file'), 'x')
    mkdirSync(next)
    renameSync(tree, join(next, 'd'.repeat(200)))
    renameSync(next, tree)
  }
  assert.equal((await store.diskUsage()).diskBytes, du(root))
  const { stdout } = await runPhyllo(['system', 'df'], { root })
  assert.ok(stdout.endsWith(` (${du(root)} bytes)\n`), stdout)
  await deleteTree(odd)
})

test('an inode is freed with the last of its names', async t => {
  const folder = newRoot(t)
  mkdirSync(folder)
  const at = (name: string) => join(folder, name)
  writeFileSync(at('a'), Buffer.alloc(10_000, 1))
  linkSync(at('a'), at('b'))
  linkSync(at('a'), at('c'))
  const meter = new RoomMeter()
  const [a, b, c] = [await meter.of([at('a')]), await meter.of([at('b')]), await meter.of([at('c')])]
  const bytes = du(at('a'))
  assert.deepEqual(freedBytes([a!, b!]), [0, 0])
  assert.deepEqual(freedBytes([a!, b!, c!]), [0, 0, bytes])
})
