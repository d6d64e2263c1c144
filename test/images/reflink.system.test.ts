/** A file system that can share the bytes of files: who is asked to, or copies up, shares them there. By filefrag(8), not by our word. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Store } from '../../src/index.js'
import { archiveOf, layerTar, legacyArchive } from '../build/image.js'
import { ownBtrfs } from '../build/mounted.js'

const place = ownBtrfs()
const large = 'large '.repeat(1_000_000)
const layers = [layerTar({ large, small: 'small' }), layerTar({ other: large.toUpperCase() })]

async function open(name: string): Promise<Store> {
  const root = join(place, name)
  mkdirSync(root)
  writeFileSync(join(root, 'image.tar'), archiveOf(legacyArchive([{ tags: ['app:v1'], layers }])))
  const store = await Store.open(join(root, 'store'), { driver: 'overlay2', workers: 1 })
  await store.load(join(root, 'image.tar'))
  return store
}

/** Whether every extent of the file is some other file's, too. */
function isShared(path: string): boolean {
  execFileSync('sync', ['-f', path])
  const lines = execFileSync('filefrag', ['-v', path], { encoding: 'utf8' }).split('\n')
  const extents = lines.filter(line => /^ *\d+: /.test(line))
  assert.ok(extents.length > 0, path)
  return extents.every(line => line.includes('shared'))
}

test('unpack with reflinks shares every large content, and without them none', async () => {
  await using store = await open('unpack')
  const [shared, copied] = [join(place, 'shared'), join(place, 'copied')]
  const report = await store.unpack('app:v1', shared, { links: 'reflink' })
  assert.equal(report.shared, 3)
  const plain = await store.unpack('app:v1', copied)
  assert.equal(plain.shared, 0)
  for (const name of ['large', 'other']) {
    assert.deepEqual([isShared(join(shared, name)), isShared(join(copied, name))], [true, false], name)
    assert.equal(readFileSync(join(shared, name), 'utf8'), readFileSync(join(copied, name), 'utf8'))
  }
  // What is shared is copied when it is written to
  writeFileSync(join(shared, 'large'), 'other')
  const view = await store.view('app:v1')
  assert.equal(view.readFileSync('/large', 'utf8'), large)
  await view.close()
})

test('an asynchronous call copies a large file of a layer up by sharing its bytes', async () => {
  await using store = await open('upper')
  await using box = await store.create('app:v1', { name: 'box' })
  await box.promises.chmod('/large', 0o600)
  await box.promises.appendFile('/other', 'end')
  const home = join(place, 'upper/store/overlay2')
  const uppers = readdirSync(home).map(id => join(home, id, 'diff'))
  const changed = uppers.map(diff => join(diff, 'large')).filter(path => isRegular(path, 0o600))
  assert.equal(changed.length, 1)
  assert.ok(isShared(changed[0]!))
  assert.equal(box.readFileSync('/other', 'utf8'), `${large.toUpperCase()}end`)
})

function isRegular(path: string, mode: number): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats?.isFile() === true && (stats.mode & 0o777) === mode
}
