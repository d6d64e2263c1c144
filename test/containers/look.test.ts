/** Containers that are opened for reading: beside whoever has them open, without a trace, and without a change. */
import assert from 'node:assert/strict'
import { appendFileSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Container, Store } from '../../src/index.js'
import { appArchive } from '../build/app-archive.js'
import { archiveFile, published, scratchStore } from '../build/store.js'

/** Well over the 20 ms after which a change is handed over. */
const handedOver = () => sleep(60)

async function storeWithBox(t: TestContext): Promise<{ store: Store; box: Container; reader: Store }> {
  const store = await scratchStore(t)
  await store.load(archiveFile(t, appArchive()))
  const box = await store.create('app:v1', { name: 'box' })
  const reader = await Store.open(store.root, { readOnly: true })
  t.after(() => reader.close())
  return { store, box, reader }
}

const look = (store: Store, name = 'box') => store.container(name, { readOnly: true })
const upperOf = (store: Store) =>
  join(store.root, 'packed/containers', readdirSync(join(store.root, 'packed/containers'))[0]!)

test('what is there, while somebody else has it open: its changes, the image below, an export', async t => {
  const { store, box, reader } = await storeWithBox(t)
  box.writeFileSync('/etc/new', 'new')
  box.writeFileSync('/etc/large', Buffer.alloc(200_000, 'l'))
  box.unlinkSync('/etc/motd')
  box.renameSync('/etc', '/renamed')
  await handedOver()
  for (const one of [store, reader]) {
    const seen = await look(one)
    assert.deepEqual([seen.id, seen.name, seen.imageId], [box.id, 'box', box.imageId])
    assert.deepEqual([...seen.changes()], [...box.changes()])
    assert.equal(seen.readFileSync('/renamed/new', 'utf8'), 'new')
    assert.equal(seen.readFileSync('/renamed/large').length, 200_000)
    assert.equal(seen.existsSync('/renamed/motd'), false)
    await seen.close()
  }
  box.writeFileSync('/after', 'goes on')
})

test('it stays as it was: what the holder does afterwards is for the next look', async t => {
  const { box, reader } = await storeWithBox(t)
  box.writeFileSync('/f', 'one')
  await handedOver()
  const before = await look(reader)
  box.writeFileSync('/f', 'another')
  box.writeFileSync('/g', '')
  await box.sync()
  assert.deepEqual([before.readFileSync('/f', 'utf8'), before.existsSync('/g')], ['one', false])
  const after = await look(reader)
  assert.deepEqual([after.readFileSync('/f', 'utf8'), after.existsSync('/g')], ['another', true])
})

test('nothing is written, and nobody is kept from anything', async t => {
  const { store, box, reader } = await storeWithBox(t)
  box.writeFileSync('/f', 'x')
  await box.close()
  const upper = upperOf(store)
  // What a crash leaves behind an opening for writing would cut off and remove.
  appendFileSync(join(upper, 'journal'), 'torn')
  appendFileSync(join(upper, 'content-99'), 'of no frame')
  const before = published(store.root)
  const seen = await look(reader)
  assert.equal(seen.readFileSync('/f', 'utf8'), 'x')
  await seen.sync()
  seen.fsyncSync(seen.openSync('/f', 'r'))
  const held = await store.container('box')
  assert.equal(held.readFileSync('/f', 'utf8'), 'x')
  await held.close()
  await seen.close()
  const after = published(store.root)
  const whole = (lines: string[]) => lines.filter(line => !/journal|content-99/.test(line))
  assert.deepEqual(whole(after), whole(before))
  assert.ok(before.some(line => line.includes('content-99')) && !after.some(line => line.includes('content-99')))
})

test('every change is EROFS; what is no call of node:fs says so, too', async t => {
  const { store, box } = await storeWithBox(t)
  const seen = await look(store)
  const calls: readonly (() => unknown)[] = [
    () => seen.writeFileSync('/x', ''),
    () => seen.mkdirSync('/x'),
    () => seen.unlinkSync('/etc/motd'),
    () => seen.renameSync('/etc', '/x'),
    () => seen.chmodSync('/etc', 0),
    () => seen.symlinkSync('a', '/x'),
    () => seen.mknodSync('/x', 0o600),
    () => seen.mkfifoSync('/x'),
    () => seen.setxattrSync('/etc', 'user.a', 'b'),
    () => seen.removexattrSync('/etc', 'user.a'),
    () => seen.openSync('/etc/motd', 'r+'),
    () => seen.accessSync('/etc/motd', seen.constants.W_OK),
  ]
  for (const call of calls) assert.throws(call, { code: 'EROFS' }, String(call))
  assert.throws(() => seen.mkfifoSync('/etc'), { code: 'EEXIST' })
  assert.throws(() => seen.setxattrSync('/nope', 'user.a', 'b'), { code: 'ENOENT' })
  await assert.rejects(seen.promises.writeFile('/x', ''), { code: 'EROFS' })
  await assert.rejects(seen.putArchive('/nope', '/').then(), { code: 'EROFS' })
  for (const work of [seen.commit().then(), seen.remove()])
    await assert.rejects(work, { code: 'STORE_READ_ONLY', message: 'container box is open for reading only' })
  assert.equal(box.existsSync('/x'), false)
})

test('by name, id and beginning of an id; what is not there; relative paths', async t => {
  const { box, reader } = await storeWithBox(t)
  for (const words of [box.id, box.id.slice(0, 12), '/box']) assert.equal((await look(reader, words)).id, box.id)
  await assert.rejects(look(reader, 'nope'), { code: 'CONTAINER_NOT_FOUND', message: 'No such container: nope' })
  await assert.rejects(reader.container('box'), { code: 'STORE_READ_ONLY' })
  const seen = await reader.container('box', { readOnly: true, cwd: '/etc' })
  assert.ok(seen.existsSync('motd'))
})

test('a container that nobody has changed yet, and one whose journal is lost', async t => {
  const { store, reader } = await storeWithBox(t)
  await (await store.create('app:v1', { name: 'new' })).close()
  const seen = await look(reader, 'new')
  assert.ok(seen.existsSync('/etc/motd'))
  assert.deepEqual([...seen.changes()], [])
  const [box] = (await store.containers()).filter(({ name }) => name === 'new')
  const mount = readFileSync(join(store.root, 'image/packed/layerdb/mounts', box!.id, 'mount-id'), 'utf8')
  rmSync(join(upperOf(store), '..', mount, 'journal'))
  await assert.rejects(look(reader, 'new'), { code: 'STORE_CORRUPT', message: /journal: missing$/ })
  assert.deepEqual(readdirSync(join(upperOf(store), '..', mount)), [])
})

test('a compaction meanwhile: contents that are open or still there are read, others say what has happened', async t => {
  const { box, reader } = await storeWithBox(t)
  box.writeFileSync('/kept', 'k'.repeat(100_000))
  box.writeFileSync('/gone', 'g'.repeat(100_000))
  box.writeFileSync('/open', 'o'.repeat(100_000))
  box.writeFileSync('/shorter', 's'.repeat(100_000))
  await box.sync()
  const seen = await look(reader)
  assert.equal(seen.readFileSync('/open').length, 100_000)
  for (const name of ['/gone', '/open']) box.unlinkSync(name)
  box.truncateSync('/shorter', 70_000)
  await box.sync()
  assert.equal(seen.readFileSync('/kept').length, 100_000)
  assert.equal(seen.readFileSync('/open').length, 100_000)
  const message = /content-\d+: was changed since the container was opened for reading$/
  assert.throws(() => seen.readFileSync('/gone'), { code: 'CONTAINER_CHANGED', message })
  await assert.rejects(seen.promises.readFile('/gone'), { code: 'CONTAINER_CHANGED' })
  assert.throws(() => seen.readFileSync('/shorter'), { code: 'CONTAINER_CHANGED' })
  assert.equal(seen.statSync('/gone').size, 100_000)
})

test('a number that another file has got since is not mistaken for the old one', async t => {
  const { store, box, reader } = await storeWithBox(t)
  box.writeFileSync('/old', 'o'.repeat(100_000))
  await box.sync()
  const seen = await look(reader)
  box.unlinkSync('/old')
  await box.close()
  const upper = upperOf(store)
  const [content] = readdirSync(upper).filter(name => name.startsWith('content-'))
  if (content !== undefined) rmSync(join(upper, content))
  await handedOver()
  appendFileSync(join(upper, 'content-0'), 'n'.repeat(100_000))
  assert.throws(() => seen.readFileSync('/old'), { code: 'CONTAINER_CHANGED' })
})

test('damage is told: it is no change of somebody else', async t => {
  const { store, box, reader } = await storeWithBox(t)
  box.writeFileSync('/f', 'f'.repeat(100_000))
  await box.sync()
  await box.close()
  const content = join(upperOf(store), 'content-0')
  assert.equal(statSync(content).size, 100_000)
  truncateSync(content, 10)
  await assert.rejects(look(reader), { code: 'STORE_CORRUPT', path: content })
})

test('its layers stay while it is open, whatever happens to container and image', async t => {
  const { store, box } = await storeWithBox(t)
  const seen = await look(store)
  const motd = seen.readFileSync('/etc/motd', 'utf8')
  await box.remove()
  const again = await look(store).catch(error => error.code)
  assert.equal(again, 'CONTAINER_NOT_FOUND')
  assert.equal(seen.readFileSync('/etc/motd', 'utf8'), motd)
  await seen.close()
  assert.throws(() => seen.readFileSync('/etc/motd'), { code: 'STORE_CLOSED' })
})

test('sizes: what is its own, once per inode, and with the image; of one that is open, too', async t => {
  const { store, box, reader } = await storeWithBox(t)
  box.writeFileSync('/small', 'x'.repeat(1000))
  box.linkSync('/small', '/again')
  box.writeFileSync('/large', 'x'.repeat(100_000))
  box.symlinkSync('12345678', '/link')
  box.linkSync('/link', '/link2')
  box.chmodSync('/etc/motd', 0o600)
  await handedOver()
  const image = (await store.image('app:v1'))!
  for (const one of [store, reader]) {
    const [info] = await one.containers({ size: true })
    assert.deepEqual([info?.sizeBytes, info?.virtualBytes], [101_008, 101_008 + image.sizeBytes])
  }
  const [without] = await reader.containers()
  assert.equal('sizeBytes' in without!, false)
})
