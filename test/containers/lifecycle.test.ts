/** A container from its making to its removal, in one process and in several. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Store } from '../../src/index.js'
import { appArchive } from '../build/app-archive.js'
import { archiveFile, leftovers, published, scratchDir, scratchStore } from '../build/store.js'

async function storeWithApp(t: TestContext): Promise<Store> {
  const store = await scratchStore(t)
  await store.load(archiveFile(t, appArchive()))
  return store
}

test('a container outlives its process: what was written, deleted and renamed is there again', async t => {
  const store = await storeWithApp(t)
  const box = await store.create('app:v1', { name: 'box' })
  assert.match(box.id, /^[0-9a-f]{64}$/)
  assert.equal(box.imageId, (await store.image('app:v1'))?.id)
  await box.promises.writeFile('/etc/new', 'new')
  await box.promises.unlink('/etc/motd')
  await box.promises.rename('/etc', '/renamed')
  const listed = [...box.changes({ style: 'minimal' })].map(({ kind, path }) => `${kind} ${path}`)
  await store.close()
  const other = await Store.open(store.root, { durability: 'none', workers: 1 })
  t.after(() => other.close())
  const again = await other.container('box')
  assert.equal(again.readFileSync('/renamed/new', 'utf8'), 'new')
  assert.equal(again.existsSync('/renamed/motd'), false)
  assert.equal(again.existsSync('/etc'), false)
  assert.deepEqual(
    [...again.changes({ style: 'minimal' })].map(({ kind, path }) => `${kind} ${path}`),
    listed,
  )
})

test('a container has its journal before anybody can see it, and one whose journal is lost is not taken for a new one', async t => {
  const store = await storeWithApp(t)
  const box = await store.create('app:v1', { name: 'box' })
  await box.close()
  const uppers = join(store.root, 'packed', 'containers')
  const journal = join(uppers, readdirSync(uppers)[0]!, 'journal')
  rmSync(journal)
  await assert.rejects(store.container('box'), { code: 'STORE_CORRUPT', path: journal })
  await store.removeContainer('box')
  assert.deepEqual(readdirSync(uppers), [])
})

test('the image is not changed by what a container changes, and a commit makes another', async t => {
  const store = await storeWithApp(t)
  const before = await store.image('app:v1')
  const box = await store.create('app:v1')
  box.writeFileSync('/etc/motd', 'changed')
  const image = await box.commit({ tag: 'app:v2', message: 'why', changes: ['CMD ["/bin/x"]'] })
  assert.equal(image.parent, before?.id)
  assert.deepEqual(image.config.config?.cmd, ['/bin/x'])
  assert.equal((await store.view('app:v2')).readFileSync('/etc/motd', 'utf8'), 'changed')
  assert.notEqual((await store.view('app:v1')).readFileSync('/etc/motd', 'utf8'), 'changed')
  const file = join(scratchDir(t), 'out.tar')
  await box.export(file)
  assert.ok(readFileSync(file).includes('changed'))
})

test('everything of it is an own property that needs no this', async t => {
  const store = await storeWithApp(t)
  const box = await store.create('scratch', { name: 'spread' })
  const { writeFileSync, readFileSync, changes, sync, close } = { ...box }
  writeFileSync('/x', 'y')
  assert.equal(readFileSync('/x', 'utf8'), 'y')
  assert.deepEqual(
    [...changes()].map(({ path }) => path),
    ['/x'],
  )
  await sync()
  await close()
})

test('close is idempotent and removes nothing; what is used afterwards says so', async t => {
  const store = await storeWithApp(t)
  const box = await store.create('app:v1', { name: 'box' })
  await Promise.all([box.close(), box.close()])
  assert.throws(() => box.readFileSync('/etc/motd'))
  assert.throws(() => box.writeFileSync('/x', ''), { code: 'STORE_CLOSED' })
  await assert.rejects(box.sync(), { code: 'STORE_CLOSED' })
  await assert.rejects(Promise.resolve(box.commit()), { code: 'STORE_CLOSED' })
  assert.deepEqual(
    (await store.containers()).map(({ name }) => name),
    ['box'],
  )
})

test('remove takes all of it away, whether it is open or not, once or twice', async t => {
  const store = await storeWithApp(t)
  const before = published(store.root).filter(line => !line.includes('packed/containers'))
  const box = await store.create('app:v1', { name: 'box' })
  box.writeFileSync('/x', 'y')
  await Promise.all([box.remove(), box.remove()])
  const closed = await store.create('app:v1', { name: 'box' })
  await closed.close()
  await closed.remove()
  await (await store.create('app:v1', { name: 'box' })).close()
  await store.removeContainer('box')
  assert.deepEqual(await store.containers(), [])
  assert.deepEqual(leftovers(store.root), [])
  assert.deepEqual(readdirSync(join(store.root, 'phyllo/containers')), [])
  assert.deepEqual(readdirSync(join(store.root, 'packed/containers')), [])
  assert.deepEqual(
    published(store.root).filter(line => !line.includes('packed/containers')),
    before,
  )
  await assert.rejects(store.removeContainer('box'), { code: 'CONTAINER_NOT_FOUND', message: 'No such container: box' })
})

test('on the disk: the record, Docker’s mount without an init layer, the upper', async t => {
  const store = await storeWithApp(t)
  const box = await store.create('app:v1', { name: 'box', maxBytes: 1000, directoryRename: 'exdev' })
  const text = readFileSync(join(store.root, 'phyllo/containers', `${box.id}.json`), 'utf8')
  const record = JSON.parse(text) as Record<string, unknown>
  const image = (await store.image('app:v1'))!
  assert.equal(record.imageConfig, image.configBytes.toString())
  assert.deepEqual(record.bounds, { maxBytes: 1000, directoryRename: 'exdev' })
  const mount = join(store.root, 'image/packed/layerdb/mounts', box.id)
  assert.deepEqual(readdirSync(mount).sort(), ['mount-id', 'parent'])
  assert.equal(readFileSync(join(mount, 'parent'), 'utf8'), image.layers.at(-1)!.chainId)
  assert.equal(readFileSync(join(mount, 'mount-id'), 'utf8'), record.mountId)
  assert.notEqual(record.mountId, box.id)
  assert.ok(existsSync(join(store.root, 'packed/containers', String(record.mountId))))
  await box.close()
  const scratch = await store.create('scratch')
  assert.deepEqual(readdirSync(join(store.root, 'image/packed/layerdb/mounts', scratch.id)), ['mount-id'])
})

test('bounds hold, also when it is opened again', async t => {
  const store = await storeWithApp(t)
  await (await store.create('app:v1', { name: 'small', maxBytes: 10, maxEntries: 50 })).close()
  const box = await store.container('small')
  box.writeFileSync('/ten', '0123456789')
  assert.throws(() => box.writeFileSync('/more', 'x'), { code: 'EDQUOT' })
  await assert.rejects(store.create('app:v1', { maxBytes: -1 }), TypeError)
  await assert.rejects(store.create('app:v1', { directoryRename: 'no' as 'copy' }), TypeError)
})

test('names: Docker’s grammar and messages; each once; a random one; by id and by the beginning of an id', async t => {
  const store = await storeWithApp(t)
  const [one, other] = [await store.create('app:v1'), await store.create('app:v1', { name: '/slash' })]
  assert.match(one.name, /^[a-z_]+_[a-z_]+\d?$/)
  assert.equal(other.name, 'slash')
  const taken = store.create('app:v1', { name: 'slash' })
  await assert.rejects(taken, { code: 'CONTAINER_NAME_TAKEN', container: other.id })
  for (const name of ['', 'x', '-x', 'a b', 'a/b', 'ü1', 'a:b'])
    await assert.rejects(store.create('app:v1', { name }), { code: 'CONTAINER_NAME_INVALID' }, name)
  await assert.rejects(store.create('nope:v1'), { code: 'IMAGE_NOT_FOUND' })
  const id = one.id
  await one.close()
  for (const words of [id, id.slice(0, 12), id.slice(0, 6), one.name, `/${one.name}`])
    await (await store.container(words)).close()
  for (const words of ['', 'nope', id.slice(1), `${id}0`])
    await assert.rejects(store.container(words), { code: 'CONTAINER_NOT_FOUND' }, words)
})

test('the beginning of several ids names none of them; a name goes before the beginning of an id', async t => {
  const store = await storeWithApp(t)
  const ids: string[] = []
  for (let i = 0; i < 17; i++) {
    const box = await store.create('scratch')
    ids.push(box.id)
    await box.close()
  }
  const twice = [...'0123456789abcdef'].find(digit => ids.filter(id => id.startsWith(digit)).length > 1)!
  await assert.rejects(store.container(twice), { message: `Multiple IDs found with provided prefix: ${twice}` })
  const prefix = ids[0]!.slice(0, 8)
  await (await store.create('scratch', { name: prefix })).close()
  assert.equal((await store.container(prefix)).name, prefix)
})

test('while it is open nobody else opens or removes it: in this process, through this store or another', async t => {
  const store = await storeWithApp(t)
  const box = await store.create('app:v1', { name: 'box' })
  const other = await Store.open(store.root, { durability: 'none', workers: 1 })
  t.after(() => other.close())
  for (const one of [store, other]) {
    await assert.rejects(one.container('box'), { code: 'CONTAINER_BUSY', container: box.id })
    await assert.rejects(one.removeContainer('box'), { code: 'CONTAINER_BUSY' })
  }
  await box.close()
  await (await other.container('box')).close()
})

for (const [way, env] of [
  ['libc', {}],
  ['flock(1)', { PHYLLO_NATIVE: '0' }],
] as const) {
  test(`while another process has it open it is busy; when that is killed it can be opened (${way})`, async t => {
    const store = await storeWithApp(t)
    await (await store.create('app:v1', { name: 'box' })).close()
    const script = new URL('../build/container-process.js', import.meta.url)
    const child = fork(script, [store.root, 'box'], { env: { ...process.env, ...env }, execArgv: [] })
    const exited = once(child, 'exit')
    t.after(() => child.kill('SIGKILL'))
    await once(child, 'message')
    await assert.rejects(store.container('box'), { code: 'CONTAINER_BUSY' })
    await assert.rejects(store.removeContainer('box'), { code: 'CONTAINER_BUSY' })
    child.send('/from')
    await once(child, 'message')
    child.kill('SIGKILL')
    await exited
    const box = await store.container('box')
    assert.equal(box.readFileSync('/from', 'utf8'), 'from elsewhere')
    await box.remove()
  })
}

test('a store for reading lists containers, and neither opens nor makes nor removes one', async t => {
  const store = await storeWithApp(t)
  await (await store.create('app:v1', { name: 'box' })).close()
  const reader = await Store.open(store.root, { readOnly: true })
  t.after(() => reader.close())
  assert.deepEqual(
    (await reader.containers()).map(({ name, image }) => [name, image]),
    [['box', 'app:v1']],
  )
  await assert.rejects(reader.container('box'), { code: 'STORE_READ_ONLY' })
  await assert.rejects(reader.create('app:v1'), { code: 'STORE_READ_ONLY' })
  await assert.rejects(reader.removeContainer('box'), { code: 'STORE_READ_ONLY' })
})

test('a damaged record is named, keeps its container and leaves the others alone', async t => {
  const store = await storeWithApp(t)
  const [good, bad] = [await store.create('app:v1', { name: 'good' }), await store.create('app:v1', { name: 'bad' })]
  await Promise.all([good.close(), bad.close()])
  const path = join(store.root, 'phyllo/containers', `${bad.id}.json`)
  const text = readFileSync(path, 'utf8')
  const { sum, ...record } = JSON.parse(text) as Record<string, unknown>
  const damages = [
    text.slice(0, -20),
    JSON.stringify({ ...record, name: 'another', sum }),
    '[]',
    JSON.stringify({ ...record, version: 0 }),
    JSON.stringify({ ...record, id: good.id }),
    JSON.stringify({ ...record, imageConfig: `${String(record.imageConfig)} ` }),
    JSON.stringify({ ...record, chainId: undefined }),
    JSON.stringify({ ...record, mountId: '../../x' }),
    JSON.stringify({ ...record, bounds: { maxBytes: 'many' } }),
    JSON.stringify({ ...record, created: 'now' }),
  ]
  for (const damage of damages) {
    writeFileSync(path, damage)
    await assert.rejects(store.container(bad.id), { code: 'STORE_CORRUPT', path })
    assert.deepEqual(
      (await store.containers()).map(({ name }) => name),
      ['good'],
    )
    await (await store.create('app:v1')).remove()
  }
  writeFileSync(path, JSON.stringify({ ...record, version: 2 }))
  await assert.rejects(store.container(bad.id), { code: 'STORE_VERSION', path })
  writeFileSync(path, text)
  await (await store.container('bad')).close()
})

test('a container whose upper is gone says so, and does not begin anew', async t => {
  const store = await storeWithApp(t)
  const box = await store.create('app:v1', { name: 'box' })
  await box.close()
  const { rmSync } = await import('node:fs')
  for (const name of readdirSync(join(store.root, 'packed/containers')))
    rmSync(join(store.root, 'packed/containers', name), { recursive: true })
  await assert.rejects(store.container('box'), { code: 'STORE_CORRUPT' })
  await store.removeContainer('box')
})

test('a temporary store goes with the process, containers and all', async () => {
  const index = JSON.stringify(new URL('../../src/index.js', import.meta.url).href)
  const script = `const { Store } = await import(${index})
    const store = await Store.temporary({ workers: 0 })
    const box = await store.create('scratch')
    box.writeFileSync('/x', 'y')
    console.log(store.root)`
  const { execFileSync } = await import('node:child_process')
  const root = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).trim()
  assert.match(root, /phyllo-/)
  assert.equal(existsSync(join(root, '..')), false)
})
