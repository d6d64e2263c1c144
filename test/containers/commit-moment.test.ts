/** A commit is the container at one moment: whatever is done after the call, and however, is not in the image. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Container, Store } from '../../src/index.js'
import { appArchive } from '../build/app-archive.js'
import { archiveFile, leftovers, scratchStore } from '../build/store.js'

/** Larger than what an asynchronous write copies at once. */
const large = Buffer.alloc(1_300_000, 'large old ')
const each = 6
const small = Buffer.alloc(3000, 'small old ')

async function boxOf(t: TestContext): Promise<{ store: Store; box: Container }> {
  const store = await scratchStore(t)
  await store.load(archiveFile(t, appArchive()))
  const box = await store.create('app:v1', { name: 'box' })
  box.mkdirSync('/d')
  for (let i = 0; i < each; i++) {
    box.writeFileSync(`/d/small${i}`, small)
    box.writeFileSync(`/d/large${i}`, large)
  }
  box.renameSync('/etc', '/renamed')
  return { store, box }
}

/** Everything below a directory, by path. */
function treeOf(fs: Pick<Container, 'readdirSync' | 'statSync' | 'readFileSync'>, at = ''): Record<string, string> {
  const all: Record<string, string> = {}
  for (const name of fs.readdirSync(at === '' ? '/' : at)) {
    const path = `${at}/${String(name)}`
    const stats = fs.statSync(path, { throwIfNoEntry: false })
    if (stats?.isDirectory()) Object.assign(all, { [path]: 'directory' }, treeOf(fs, path))
    else all[path] = stats === undefined ? 'nothing' : `${stats.mode} ${fs.readFileSync(path).toString('latin1')}`
  }
  return all
}

type Do = (box: Container, path: string) => unknown

const ways: Readonly<Record<string, Do>> = {
  'written over in place': (box, path) => {
    const fd = box.openSync(path, 'r+')
    box.writeSync(fd, 'new', 10)
    box.closeSync(fd)
  },
  'written over through promises': async (box, path) => {
    const file = await box.promises.open(path, 'r+')
    const { size } = await file.stat()
    await file.write(Buffer.alloc(size - 600, 'new'), 0, size - 600, 500)
    await file.close()
  },
  'appended to': (box, path) => box.promises.appendFile(path, 'new'),
  truncated: (box, path) => box.promises.truncate(path, 1000),
  'cut off and extended': (box, path) => {
    box.truncateSync(path, 100)
    box.truncateSync(path, 60_000)
  },
  'written anew': (box, path) => box.promises.writeFile(path, 'new'),
  removed: (box, path) => box.promises.unlink(path),
  renamed: (box, path) => box.promises.rename(path, `${path}.new`),
  'changed in its mode': (box, path) => box.chmodSync(path, 0o600),
  'replaced by a copy of another': (box, path) => box.promises.copyFile(`/d/small${each - 1}`, path),
}

for (const [what, change] of Object.entries(ways))
  test(`every file is ${what} while the commit runs`, async t => {
    const { store, box } = await boxOf(t)
    const wanted = treeOf(box)
    const committing = box.commit({ tag: 'app:v2' })
    const changing = []
    for (let i = 0; i < each - 1; i++)
      for (const kind of ['small', 'large']) changing.push(change(box, `/d/${kind}${i}`))
    box.writeFileSync('/later', 'later')
    await Promise.all([committing, ...changing])
    const view = await store.view('app:v2')
    t.after(() => view.close())
    assert.deepEqual(treeOf(view), wanted)
    const after = treeOf(box)
    assert.ok('/later' in after && after['/d/large0'] !== wanted['/d/large0'])
    assert.deepEqual(leftovers(store.root), [])
    await box.sync()
    const upper = join(store.root, 'packed', 'containers')
    const files = readdirSync(join(upper, readdirSync(upper)[0]!)).filter(name => name.startsWith('content-'))
    // No more than there are files: those that were copied have gone.
    assert.ok(files.length <= each, `${files.length}`)
  })

test('a commit that is aborted lets go of what it held', async t => {
  const { store, box } = await boxOf(t)
  const stop = new AbortController()
  const committing = box.commit({ signal: stop.signal })
  setImmediate(() => stop.abort(new Error('enough')))
  await assert.rejects(committing.then(), /enough/)
  for (let i = 0; i < each; i++) box.unlinkSync(`/d/large${i}`)
  await box.sync()
  const upper = join(store.root, 'packed', 'containers')
  const files = readdirSync(join(upper, readdirSync(upper)[0]!))
  assert.deepEqual(
    files.filter(name => name.startsWith('content-')),
    [],
  )
})
