/** Commits into a store: what is there afterwards, and what is not. */
import assert from 'node:assert/strict'
import { unlinkSync } from 'node:fs'
import { test } from 'node:test'
import type { Store } from '../../src/index.js'
import { CommitStore } from '../build/commit-store.js'
import { archiveOf, legacyArchive } from '../build/image.js'
import { fileOf } from '../build/layerfile.js'
import { memoryUpper } from '../build/memory-upper.js'
import { archiveFile, leftovers, published, scratchStore } from '../build/store.js'
import { dir, file, tar } from '../build/tar.js'
import { rootOf, runAll } from '../build/union-run.js'

const large = 'content '.repeat(100_000)
const made = {
  tags: ['app:v1'],
  layers: [tar([dir('d/'), file('d/a', 'a'), file('d/large', large), file('f', 'f')])],
  config: { config: { Cmd: ['/bin/sh'], Env: ['A=1'] }, history: [{ created: '2020-01-02T03:04:05Z' }] },
}

async function loaded(t: Parameters<typeof scratchStore>[0]): Promise<{ store: Store; id: string }> {
  const store = await scratchStore(t)
  const [image] = await store.load(archiveFile(t, archiveOf(legacyArchive([made]))))
  return { store, id: image!.id }
}

test('a commit is an image: layer, config, history, parent, tag; nothing else is left', async t => {
  const { store, id } = await loaded(t)
  await using commits = await CommitStore.open(store.root)
  const box = await commits.create(id)
  runAll(box.union, [
    ['unlink', '/d/a'],
    ['chmod', '/d/large', 0o600],
    ['open', '/n', 'w+c', 0o644, 'new'],
    ['rename', '/d', '/e'],
  ])
  const { id: next } = await commits.commit(box, {
    tag: 'app:v2',
    author: 'me',
    message: 'why',
    changes: ['CMD ["x"]', 'ENV B=$A'],
  })
  const image = (await store.image('app:v2'))!
  assert.equal(image.id, next)
  assert.equal(image.parent, id)
  assert.equal(image.layers.length, 2)
  assert.deepEqual(image.config.config!.env, ['A=1', 'B=1'])
  assert.deepEqual(image.config.config!.cmd, ['x'])
  const [newest] = image.history()
  assert.deepEqual([newest!.createdBy, newest!.comment, newest!.sizeBytes], ['/bin/sh', 'why', large.length + 3])
  assert.ok(image.lastTagTime)
  const view = await store.view('app:v2')
  t.after(() => view.close())
  assert.deepEqual(view.readdirSync('/'), ['e', 'f', 'n'])
  assert.equal(view.readFileSync('/e/large', 'utf8'), large)
  assert.equal(view.statSync('/e/large').mode, 0o100600)
  assert.deepEqual(leftovers(store.root), [])
})

test('no change gives no layer: the same layers, and one empty step of history', async t => {
  const { store, id } = await loaded(t)
  await using commits = await CommitStore.open(store.root)
  const box = await commits.create(id)
  const before = published(store.root).filter(line => line.includes('.tar.lz4'))
  await commits.commit(box, { tag: 'same' })
  const image = (await store.image('same'))!
  assert.equal(image.layers.length, 1)
  assert.deepEqual(
    image.config.history.map(({ emptyLayer }) => emptyLayer),
    [false, true],
  )
  assert.deepEqual(
    published(store.root).filter(line => line.includes('.tar.lz4')),
    before,
  )
})

test('the same changes again: the same layer, which is there once', async t => {
  const { store, id } = await loaded(t)
  await using commits = await CommitStore.open(store.root)
  const layers = []
  for (const tag of ['one', 'two']) {
    const box = await commits.create(id)
    runAll(box.union, [
      ['open', '/n', 'w+c', 0o644, 'new'],
      ['utimes', '/n', 5e9, true],
    ])
    layers.push((await commits.commit(box, { tag })).layers.at(-1)!)
  }
  assert.equal(layers[0]!.diffId, layers[1]!.diffId)
  assert.equal(published(store.root).filter(line => line.includes('.tar.lz4')).length, 2)
})

test('from scratch', async t => {
  const store = await scratchStore(t)
  await using commits = await CommitStore.open(store.root)
  const box = await commits.create(undefined)
  runAll(box.union, [['open', '/hello', 'w+c', 0o644, 'hello']])
  await commits.commit(box, { tag: 'scratch:1', changes: ['CMD ["/hello"]'] })
  const image = (await store.image('scratch:1'))!
  assert.equal(image.parent, undefined)
  assert.equal(image.layers.length, 1)
})

test('what is wrong with the options is said before any work is done', async t => {
  const { store, id } = await loaded(t)
  await using commits = await CommitStore.open(store.root)
  const box = await commits.create(id)
  runAll(box.union, [['open', '/n', 'w+c', 0o644, 'new']])
  const before = published(store.root)
  await assert.rejects(commits.commit(box, { changes: ['RUN x'] }).then(), { code: 'CHANGE_INVALID' })
  await assert.rejects(commits.commit(box, { tag: 'UPPER' }).then(), { code: 'REFERENCE_INVALID' })
  assert.deepEqual(published(store.root), before)
  assert.deepEqual(leftovers(store.root), [])
})

test('an abort leaves nothing', async t => {
  const { store, id } = await loaded(t)
  await using commits = await CommitStore.open(store.root)
  const box = await commits.create(id)
  runAll(box.union, [['rename', '/d', '/e']])
  const before = published(store.root)
  const stop = new AbortController()
  const reason = new Error('enough')
  const operation = commits.commit(box, { tag: 'never' }, stop.signal)
  setImmediate(() => stop.abort(reason))
  await assert.rejects(operation.then(), reason)
  assert.deepEqual(published(store.root), before)
  assert.deepEqual(leftovers(store.root), [])
})

test('a file that contents lie in and that is shorter than it was, or gone, ends the commit', async t => {
  const { store, id } = await loaded(t)
  await using commits = await CommitStore.open(store.root)
  const path = fileOf(t, Buffer.from('xxcontent, yy'))
  const place = { file: path, offset: 2, bytes: 9 }
  const upper = memoryUpper(rootOf())
  const { snapshot } = upper
  upper.snapshot = () => Object.assign(snapshot(), { place: () => place })
  const box = await commits.create(id, upper)
  runAll(box.union, [['open', '/n', 'w+c', 0o644, 'x'.repeat(9)]])
  await commits.commit(box, { tag: 'placed' })
  const view = await store.view('placed')
  t.after(() => view.close())
  assert.equal(view.readFileSync('/n', 'utf8'), 'content, ')
  place.offset = 10
  await assert.rejects(commits.commit(box).then(), { code: 'SIZE_MISMATCH', message: /^n: / })
  unlinkSync(path)
  await assert.rejects(commits.commit(box).then(), { code: 'STORE_IO' })
})

test('a commit of so much that the job begins before the plan is whole', async t => {
  for (const workers of [0, 2]) {
    const store = await scratchStore(t, { workers })
    await using box = await store.create('scratch')
    for (let i = 0; i < 6000; i++) box.writeFileSync(`/${i}`, `${i} `.repeat(1000))
    box.writeFileSync('/z.wh', '')
    box.mkdirSync('/zz')
    box.writeFileSync('/zz/.wh.x', '')
    // Nothing is left of what the job had made by then.
    await assert.rejects(async () => box.commit({ tag: 'app' }), { code: 'WHITEOUT_INVALID' })
    assert.deepEqual(leftovers(store.root), [])
    box.unlinkSync('/zz/.wh.x')
    await box.commit({ tag: 'app' })
    await using view = await store.view('app')
    assert.equal(view.readdirSync('/').length, 6002)
    assert.equal(view.readFileSync('/5999', 'utf8'), '5999 '.repeat(1000))
  }
})

test('a job that fails while the plan is written ends the commit', async t => {
  const store = await scratchStore(t, { workers: 1 })
  await using box = await store.create('scratch')
  for (let i = 0; i < 3000; i++) box.writeFileSync(`/${i}`, `${i} `.repeat(1500))
  const reason = new Error('enough')
  const stop = new AbortController()
  const commit = box.commit({ tag: 'app', signal: stop.signal })
  const failure = assert.rejects(async () => commit, reason)
  for await (const event of commit) if (event.type === 'progress') stop.abort(reason)
  await failure
  assert.deepEqual(leftovers(store.root), [])
  assert.equal(await store.image('app'), undefined)
})
