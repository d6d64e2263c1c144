/** What a check is besides what it finds: depths, resumption, rate, abortion, and others who work on the store. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { findingKinds } from '../../src/check/kinds.js'
import { withoutFlippedBit } from '../../src/check/single-bit.js'
import { Store } from '../../src/index.js'
import { sha256Digest } from '../../src/oci/digest.js'
import { runPhyllo } from '../build/cli.js'
import { layerTar, legacyArchive } from '../build/image.js'
import { repoRoot } from '../build/repo.js'
import { damage } from '../build/rot.js'
import { archiveFile, leftovers, scratchStore } from '../build/store.js'

const images = ['a', 'b', 'c'].map(name => ({
  layers: [layerTar({ name, [`only-${name}`]: name.repeat(3000) })],
  tags: [`${name}:v1`],
}))

async function filled(
  t: Parameters<typeof scratchStore>[0],
): Promise<{ readonly store: Store; readonly archive: string; readonly files: string[] }> {
  const archive = archiveFile(t, legacyArchive(images))
  const store = await scratchStore(t, { workers: 0 })
  await store.load(archive)
  const folder = join(store.root, 'packed')
  const files = readdirSync(folder)
    .filter(name => name.endsWith('.lz4'))
    .sort()
    .map(name => join(folder, name))
  return { store, archive, files }
}

test('a store that is whole: nothing is found, at any depth, and nothing is changed', async t => {
  const { store } = await filled(t)
  for (const depth of ['metadata', 'structure', 'full'] as const) {
    const { findings, checked, bytesRead } = await store.check({ depth })
    assert.deepEqual([findings, checked], [[], depth === 'metadata' ? 0 : 3])
    assert.equal(bytesRead > 0, depth !== 'metadata')
  }
  assert.deepEqual(leftovers(store.root), [])
  assert.deepEqual(await store.repair(), { repairs: [], findings: [] })
  assert.equal(existsSync(join(store.root, 'phyllo/quarantine')), false)
})

test('a finding says what is affected, is an event, and needs its depth', async t => {
  const { store, files } = await filled(t)
  damage(files[0]!, { bit: 8 * 30 })
  assert.deepEqual((await store.check({ depth: 'structure' })).findings, [])
  const operation = store.check()
  const events = []
  for await (const event of operation) if (event.type === 'finding') events.push(event.finding)
  const { findings } = await operation
  assert.deepEqual(events, findings)
  assert.deepEqual([findings.length, findings[0]?.kind, findings[0]?.path], [1, 'layer-content', files[0]])
  const [tag] = findings[0]!.affects.tags
  const damaged = await store.view(tag!)
  assert.throws(() => damaged.readdirSync('/').map(name => damaged.readFileSync(`/${name}`)), { code: 'STORE_CORRUPT' })
  await damaged.close()
})

test('a layer file in the place of another one is found without reading every byte', async t => {
  const { store, files } = await filled(t)
  writeFileSync(files[0]!, readFileSync(files[1]!))
  const { findings } = await store.check({ depth: 'structure' })
  const told = findings.find(({ kind, path }) => kind === 'layer-content' && path === files[0])
  assert.match(told?.reason ?? '', /the footer is that of sha256:/)
})

test('it goes on where an aborted one was; what that one has looked at is not looked at again', async t => {
  const { store, files } = await filled(t)
  damage(files[0]!, { bit: 8 * 30 })
  damage(files[2]!, { bit: 8 * 30 })
  const abort = new AbortController()
  const operation = store.check({ signal: abort.signal })
  let resume: string | undefined
  for await (const event of operation)
    if (event.type === 'progress' && resume === undefined) {
      resume = event.resume
      abort.abort(new Error('enough'))
    }
  await assert.rejects(async () => void (await operation), /enough/)
  const { findings, checked } = await store.check({ resume: resume! })
  assert.deepEqual([checked < 3, findings.map(({ path }) => path)], [true, [files[2]]])
  await assert.rejects(async () => void (await store.check({ resume: resume!, depth: 'structure' })), TypeError)
})

test('options that mean nothing are refused', async t => {
  const { store } = await filled(t)
  await assert.rejects(async () => void (await store.check({ resume: 'elsewhere' })), TypeError)
  await assert.rejects(async () => void (await store.check({ resume: 'structure:layer x' })), TypeError)
  // Every item comes before it: nothing would be looked at, and nothing found.
  await assert.rejects(async () => void (await store.check({ resume: 'full:zzz' })), TypeError)
  await assert.rejects(async () => void (await store.check({ bytesPerSecond: 0 })), TypeError)
  await assert.rejects(async () => void (await store.check({ depth: 'deep' as 'full' })), TypeError)
})

test('a bounded rate makes it wait as long as that takes', async t => {
  const { store } = await filled(t)
  const { bytesRead } = await store.check()
  const start = performance.now()
  await store.check({ bytesPerSecond: bytesRead * 4 })
  // At least a quarter of a second for all of it, one content after the other
  assert.ok(performance.now() - start > 200)
})

test('what is removed while it is read is no finding', async t => {
  const { store, files } = await filled(t)
  damage(files[0]!, { bit: 8 * 30 })
  // A second for the first file, which is read at once and waited for: it goes meanwhile
  // Of a store that is open for reading only, which holds nothing: a lease would keep the layer
  const reading = await Store.open(store.root, { readOnly: true, workers: 0 })
  const operation = reading.check({ bytesPerSecond: readFileSync(files[0]!).length })
  for (const { id, tags } of await store.images()) {
    const layer = (await store.image(id))!.layers[0]!
    if (files[0]!.includes(layer.diffId.slice('sha256:'.length))) await store.remove(tags[0]!)
  }
  assert.deepEqual((await operation).findings, [])
  await reading.close()
})

test('what stands aside is not missing: it comes back, or nobody needs it', async t => {
  const { store, files } = await filled(t)
  const limbo = join(store.root, 'phyllo/limbo')
  const name = files[0]!.slice(store.root.length + 1).replaceAll('/', '!')
  renameSync(files[0]!, join(limbo, `${name}@${'0'.repeat(32)}.0`))
  const reading = await Store.open(store.root, { readOnly: true, workers: 0 })
  assert.deepEqual((await reading.check({ depth: 'metadata' })).findings, [])
  await reading.close()
})

test('without another copy the layer goes to the quarantine with its image, and loading brings both back', async t => {
  const { store, archive, files } = await filled(t)
  const before = readFileSync(files[0]!)
  damage(files[0]!, { bit: 8 * 30 })
  const rotten = readFileSync(files[0]!)
  const { repairs, findings } = await store.repair()
  assert.deepEqual([findings, repairs.map(({ outcome }) => outcome)], [[], ['quarantined']])
  assert.equal((await store.images()).length, 2)
  const kept = join(store.root, 'phyllo/quarantine')
  const layer = readdirSync(kept).find(name => name.startsWith('packed!'))
  assert.deepEqual(readFileSync(join(kept, layer!)), rotten)
  await store.load(archive)
  assert.equal((await store.images()).length, 3)
  assert.deepEqual([(await store.check()).findings, readFileSync(files[0]!)], [[], before])
})

test('an index that is damaged is made anew without an archive', async t => {
  const { store, files } = await filled(t)
  const before = readFileSync(files[1]!)
  damage(files[1]!, { bit: 8 * (before.length - 200) })
  const { repairs, findings } = await store.repair()
  assert.deepEqual([findings, repairs.map(({ how }) => how)], [[], ['index made anew']])
  assert.deepEqual(readFileSync(files[1]!), before)
})

test('a layer file that nobody needs counts: whoever loads such a layer takes it as it is', async t => {
  const { store, files } = await filled(t)
  const orphan = join(store.root, 'packed', `${'ab'.repeat(32)}.tar.lz4`)
  writeFileSync(orphan, readFileSync(files[0]!))
  assert.equal((await store.check({ depth: 'structure' })).findings.length, 1, 'its footer is that of another layer')
  const { findings } = await store.check()
  assert.deepEqual([...new Set(findings.map(({ path }) => path))], [orphan])
  assert.deepEqual((await store.repair()).findings, [])
  assert.equal(existsSync(orphan), false)
})

test('a kept blob heals its layer; a blob that is damaged is found', async t => {
  const { store, files } = await filled(t)
  const tar = images.map(({ layers }) => layers[0]!).find(one => files[0]!.includes(sha256Digest(one).slice(7)))!
  const folder = join(store.root, 'blobs/sha256')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, sha256Digest(tar).slice(7)), tar)
  damage(files[0]!, { bit: 8 * 30 })
  const { repairs, findings } = await store.repair()
  assert.deepEqual([findings, repairs.map(({ how }) => how)], [[], ['from another copy']])
  damage(join(folder, sha256Digest(tar).slice(7)), { bit: 5 })
  assert.deepEqual(
    (await store.check()).findings.map(({ kind }) => kind),
    ['blob'],
  )
})

test('one flipped bit is found by trying, and nothing is guessed', async () => {
  const right = Buffer.from('{"some":"config"}')
  const isRight = (bytes: Buffer) => sha256Digest(bytes) === sha256Digest(right)
  const flipped = Buffer.from(right)
  flipped[7]! ^= 16
  assert.deepEqual(await withoutFlippedBit(flipped, isRight), right)
  flipped[8]! ^= 1
  assert.equal(await withoutFlippedBit(flipped, isRight), undefined)
  assert.equal(await withoutFlippedBit(right, bytes => bytes[0] !== right[0]), undefined, 'several ways')
})

test('a container whose name has lost a bit: found, and healed by its checksum', async t => {
  const { store } = await filled(t)
  await (await store.create('a:v1', { name: 'first' })).close()
  const folder = join(store.root, 'phyllo/containers')
  const path = join(folder, readdirSync(folder)[0]!)
  const before = readFileSync(path, 'latin1')
  writeFileSync(path, before.replace('"name":"first"', '"name":"girst"'), 'latin1')
  assert.deepEqual(
    (await store.check({ depth: 'metadata' })).findings.map(({ kind }) => kind),
    ['container-record'],
  )
  assert.deepEqual([(await store.repair()).findings, readFileSync(path, 'latin1')], [[], before])
})

test('phyllo check and phyllo repair: lines, JSON and status', async t => {
  const { store, archive, files } = await filled(t)
  const { root } = store
  await store.close()
  const whole = await runPhyllo(['check'], { root })
  assert.deepEqual([whole.status, whole.stdout], [0, ''])
  damage(files[0]!, { bit: 8 * 30 })
  const found = await runPhyllo(['check'], { root })
  assert.deepEqual(
    [found.status, found.stdout.startsWith(`layer-content ${files[0]}: block 0 at offset 15 `)],
    [1, true],
  )
  const json = await runPhyllo(['check', '--format', 'json'], { root })
  assert.deepEqual([json.status, JSON.parse(json.stdout).findings.length], [1, 1])
  const healed = await runPhyllo(['repair', '--from', archive], { root })
  assert.deepEqual([healed.status, healed.stdout], [0, `repaired layer-content ${files[0]}: from another copy\n`])
  assert.equal((await runPhyllo(['check', '--depth', 'nothing'], { root })).status, 2)
  writeFileSync(join(root, 'phyllo/store.json'), '{')
  assert.equal((await runPhyllo(['check'], { root })).status, 1)
  assert.equal((await runPhyllo(['repair'], { root })).status, 0)
  assert.equal((await runPhyllo(['check'], { root })).status, 0)
  rmSync(join(root, 'phyllo/quarantine'), { recursive: true })
})

test('docs/check.md has every kind of finding, and no other', () => {
  const text = readFileSync(join(repoRoot, 'docs/check.md'), 'utf8')
  const rows = [...text.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, kind]) => kind)
  assert.deepEqual(rows, Object.keys(findingKinds))
})
