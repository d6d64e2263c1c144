/** Failing calls that once did harm, one test each; what is swept is in faults.test.ts. */
import '../build/failing-fs.js'
import assert from 'node:assert/strict'
import { createReadStream, readdirSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'

const { failingFs } = await import('../build/failing-fs.js')
const { openRoot } = await import('../../src/disk/open-root.js')
const { Store } = await import('../../src/index.js')
const { flockProtocol } = await import('../../src/native/flock.js')
const { idOf, noise } = await import('../build/crash-images.js')
const { damageLayers } = await import('../build/damaged-layers.js')
const { assertTold, faultStore } = await import('../build/fault-store.js')
const { scratchDir } = await import('../build/store.js')

test('removing an image: the question who uses it fails together with others, and no rejection is unhandled', async t => {
  const { store, failure } = await faultStore(t, { a: ['keep:1', 'gone:1'] })
  const only = /^readdir .*phyllo\/(owners|containers)$/
  assertTold(await failure({ errno: 'EIO', only }, () => store.remove('gone:1')), 'STORE_IO', 'readdir', 'EIO')
  assert.deepEqual(await store.remove('gone:1'), [{ untagged: 'gone:1' }])
})

test('saving where the path cannot be resolved is OUTPUT_IO', async t => {
  const { dir, store, failure } = await faultStore(t, { a: ['keep:1'] })
  const save = () => store.save(['keep:1'], join(dir, 'out'))
  assertTold(await failure({ errno: 'EACCES', only: /^realpath / }, save), 'OUTPUT_IO', 'realpath', 'EACCES')
  symlinkSync('loop', join(dir, 'loop'))
  await assert.rejects(async () => store.save(['keep:1'], join(dir, 'loop')), { code: 'OUTPUT_IO', errno: 'ELOOP' })
})

test('an owner that cannot be locked leaves no descriptor', async t => {
  const { dir, root } = await faultStore(t, {})
  const real = (await flockProtocol())!
  const held = failingFs.open(dir)
  let locks = 0
  // The first lock is the root's.
  const tryExclusive = async (fd: number) => {
    if (++locks === 2) throw Object.assign(new Error('EIO: i/o error, flock'), { code: 'EIO', syscall: 'flock' })
    return real.tryExclusive(fd)
  }
  const opening = openRoot(root, { flock: async () => ({ ...real, tryExclusive }) })
  const error = await opening.then(
    () => assert.fail('it was opened'),
    told => told,
  )
  assertTold(error, 'STORE_IO', 'flock', 'EIO')
  assert.deepEqual(failingFs.open(dir), held)
})

test('closing on a disk that has gone lets go of every descriptor, and the next opening frees the rest', async t => {
  const { dir, root, store, failure } = await faultStore(t, { a: ['keep:1'] })
  await store.view('keep:1')
  const box = await store.create('keep:1', { name: 'box' })
  box.writeFileSync('/large', noise(100_000, 1))
  const error = await failure({ errno: 'EIO' }, () => store.close())
  assert.equal(error?.code, 'STORE_IO')
  assert.deepEqual(failingFs.open(dir), [])
  await (await Store.open(root, { workers: 0 })).close()
  assert.deepEqual(readdirSync(join(root, 'phyllo/owners')), [])
})

test('one lease that cannot be taken away at closing does not keep the others', async t => {
  const { root, store, failure } = await faultStore(t, { a: ['keep:1'] })
  await Promise.all([1, 2, 3].map(() => store.view('keep:1')))
  const [first] = readdirSync(join(root, 'phyllo/owners')).filter(name => name.includes('.'))
  const only = new RegExp(`^unlink .*${first!.replace('.', '\\.')}$`)
  assertTold(await failure({ errno: 'EIO', only }, () => store.close()), 'STORE_IO', 'unlink', 'EIO')
  assert.deepEqual(readdirSync(join(root, 'phyllo/owners')), [first])
})

test("a layer's record of which one file cannot be opened leaves none of the others open", async t => {
  const { dir, store, failure } = await faultStore(t, { a: ['keep:1'] })
  const held = failingFs.open(dir)
  for (const name of ['size', 'cache-id', 'parent']) {
    const only = new RegExp(`^open .*layerdb/sha256/[0-9a-f]+/${name}$`)
    assertTold(await failure({ errno: 'EIO', only }, () => store.view('keep:1')), 'STORE_IO', 'read', 'EIO')
    assert.deepEqual(failingFs.open(dir), held)
  }
})

test('a commit that cannot be published is one rejection, and works afterwards', async t => {
  const { store, failure } = await faultStore(t, { a: ['keep:1'] })
  const box = await store.create('keep:1', { name: 'box' })
  box.writeFileSync('/new', 'new')
  for (const only of [
    /^mkdir .*stages/,
    /^link .*packed/,
    /^rename .*layerdb/,
    /^link .*imagedb/,
    /^rename .*repositories/,
  ]) {
    const error = await failure({ errno: 'ENOSPC', only }, () => box.commit({ tag: 'made:1' }))
    assert.deepEqual([error?.code, error?.errno], ['STORE_IO', 'ENOSPC'])
  }
  const made = await box.commit({ tag: 'made:1' })
  assert.equal((await store.image('made:1'))?.id, made.id)
})

for (const errno of ['ENOSPC', 'EIO'] as const)
  test(`a repair that meets ${errno} gives up no image for which there is a copy`, async t => {
    const { root, store, archive, failure } = await faultStore(t, { a: ['keep:1'], d: ['keep:2'] })
    damageLayers(root)
    const repair = () => store.repair({ from: archive })
    await failure({ errno, only: /^writev? .*stages/ }, repair)
    assert.deepEqual((await store.images()).map(({ id }) => id).sort(), [idOf('a'), idOf('d')].sort())
    await repair()
    assert.deepEqual((await store.check({ depth: 'full' })).findings, [])
  })

test('what a collection could not put back is put back at closing', async t => {
  const { root, store, failure } = await faultStore(t, { a: ['keep:1'], c: ['gone:1'] })
  await store.tag('keep:1', 'gone:1')
  const only = /^(readdir .*owners|lstat .*limbo)/
  await failure({ errno: 'EIO', only, at: 5 }, () => store.prune())
  assert.ok(readdirSync(join(root, 'phyllo/limbo')).length > 0)
  await store.close()
  assert.deepEqual(readdirSync(join(root, 'phyllo/limbo')), [])
})

test('a container that cannot be written stays open, and closing it again loses nothing', async t => {
  const { store, failure } = await faultStore(t, { a: ['keep:1'] })
  const box = await store.create('keep:1', { name: 'box' })
  const error = await failure({ errno: 'ENOSPC', only: /^write .*containers/ }, async () => {
    box.writeFileSync('/new', 'new')
    await box.close()
  })
  assertTold(error, 'STORE_IO', 'write', 'ENOSPC')
  assert.equal(box.readFileSync('/new', 'utf8'), 'new')
  await box.close()
  const again = await store.container('box')
  assert.equal(again.readFileSync('/new', 'utf8'), 'new')
})

test('a container is removed on a disk that takes nothing more', async t => {
  const { store, failure } = await faultStore(t, { a: ['keep:1'] })
  const box = await store.create('keep:1', { name: 'box' })
  box.writeFileSync('/new', 'new')
  const only = /^(write|open) .*packed\/containers/
  await failure({ errno: 'ENOSPC', only }, async () => {
    await box.sync().catch(() => undefined)
    await box.remove()
  }).then(error => assert.equal(error, undefined))
  assert.deepEqual(await store.containers(), [])
})

test('a lease that could not be taken away keeps nothing: the image goes when it is removed', async t => {
  const { root, store, failure } = await faultStore(t, { a: ['keep:1', 'gone:1'] })
  const view = await store.view('keep:1')
  assert.equal(await failure({ errno: 'EIO', only: /^unlink .*owners/ }, () => view.close()), undefined)
  assert.equal(readdirSync(join(root, 'phyllo/owners')).length, 2)
  await store.remove('keep:1')
  assert.ok((await store.remove('gone:1')).length > 1)
  assert.equal(readdirSync(join(root, 'phyllo/owners')).length, 1)
})

test('what a collection could not put back is there again', async t => {
  const { store, failure } = await faultStore(t, { a: ['keep:1'], c: ['gone:1'] })
  await store.tag('keep:1', 'gone:1')
  const only = /^(readdir .*owners|lstat .*limbo)/
  // It fails when the image has been set aside, and so does the look at where that is.
  assertTold(await failure({ errno: 'EIO', only, at: 5 }, () => store.prune()), 'STORE_IO', 'readdir', 'EIO')
  assert.equal((await store.images()).length, 2)
  await store.prune()
  assert.deepEqual(
    (await store.images()).map(({ id }) => id),
    [idOf('a')],
  )
})

test('a stream that is handed over is closed when nobody has come to read it', async t => {
  const { dir, root, store, archive, failure } = await faultStore(t, { a: ['keep:1'] })
  const box = await store.create('keep:1', { name: 'box' })
  const held = failingFs.open(dir)
  const stream = () => createReadStream(archive)
  const settled = async () => {
    for (let turn = 0; turn < 100 && failingFs.open(dir).length > held.length; turn++) await setTimeout(1)
    assert.deepEqual(failingFs.open(dir), held)
  }
  const fault = { errno: 'EROFS', only: /^chmod .*stages/ } as const
  for (const work of [
    () => store.load(stream()),
    () => store.import(stream()),
    () => store.repair({ from: stream() }),
  ]) {
    assert.equal((await failure(fault, work))?.errno, 'EROFS')
    await settled()
  }
  await assert.rejects(async () => store.load(stream(), { platform: 'no such one' }), TypeError)
  await settled()
  await assert.rejects(async () => box.putArchive(stream(), '/none'), { code: 'ENOENT' })
  await settled()
  await box.close()
  await store.close()
  await using reader = await Store.open(root, { readOnly: true })
  for (const work of [() => reader.load(stream()), () => reader.import(stream())]) {
    await assert.rejects(async () => work(), { code: 'STORE_READ_ONLY' })
    for (let turn = 0; turn < 100 && failingFs.open(dir).some(open => open.endsWith('in.tar')); turn++)
      await setTimeout(1)
    assert.deepEqual(
      failingFs.open(dir).filter(open => open.endsWith('in.tar')),
      [],
    )
  }
})

test('a layer that the disk cannot give any more: healed by an archive, and left alone without one', async t => {
  const { archive, root, store, failure } = await faultStore(t, { a: ['keep:1'] })
  const [name] = readdirSync(join(root, 'packed')).filter(name => name.endsWith('.lz4'))
  // By another way, so that looking at it is no call that fails.
  const alias = scratchDir(t)
  symlinkSync(root, join(alias, 'store'))
  const inode = () => statSync(join(alias, 'store/packed', name!)).ino
  const bad = inode()
  const only = { test: (call: string) => call.startsWith('read ') && call.endsWith(name!) && inode() === bad } as RegExp
  const repair = async (from?: string) => {
    let told: Awaited<ReturnType<typeof store.repair>> | undefined
    assert.equal(
      await failure(
        { errno: 'EIO', only },
        async () => (told = await store.repair(from === undefined ? {} : { from })),
      ),
      undefined,
    )
    return told!
  }
  const without = await repair()
  assert.deepEqual(
    without.repairs.map(({ outcome, finding }) => [outcome, finding.kind]),
    [['left', 'unreadable']],
  )
  assert.deepEqual([inode(), without.findings.length], [bad, 1])
  assert.deepEqual(
    (await repair(archive)).repairs.map(({ outcome, how }) => [outcome, how]),
    [['repaired', 'from another copy']],
  )
  assert.notEqual(inode(), bad)
  assert.deepEqual((await store.check()).findings, [])
  await (await store.view('keep:1')).close()
})
