import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { extract } from 'tar-stream'
import { Store } from '../../src/index.js'
import {
  blobArchive,
  configOf,
  digestOf,
  imageIdOf,
  Layout,
  layerTar,
  legacyArchive,
  type MadeImage,
  named,
  ociTypes,
} from '../build/image.js'
import { archiveFile, leftovers, published, scratchDir, scratchStore } from '../build/store.js'
import { dir, file, tar } from '../build/tar.js'

const base = tar([dir('etc/'), file('etc/hostname', 'base\n'), file('etc/gone', 'x')])
const upper = tar([dir('etc/'), file('etc/.wh.gone'), file('etc/motd', 'hello\n')])
const emptyLayer = Buffer.alloc(1024)

const images: Record<string, MadeImage> = {
  'two layers': { layers: [base, upper], tags: ['localhost:5000/other:1', 'app:v2', 'app:v1'] },
  'no layers': { layers: [], tags: ['none:1'] },
  'an empty layer': { layers: [base, emptyLayer], tags: ['empty:1'] },
  'the same layer twice': { layers: [base, upper, base], tags: ['twice:1'] },
  '130 layers': { layers: Array.from({ length: 130 }, (_, i) => layerTar({ [`f${i}`]: `${i}` })), tags: ['many:1'] },
}

async function membersOf(archive: string): Promise<Map<string, Buffer>> {
  const members = new Map<string, Buffer>()
  const reader = extract()
  reader.on('entry', (header, stream, next) => {
    const chunks: Buffer[] = []
    stream.on('data', chunk => chunks.push(chunk as Buffer))
    stream.on('end', () => {
      members.set(header.name, Buffer.concat(chunks))
      next()
    })
  })
  createReadStream(archive).pipe(reader)
  await new Promise((done, fail) => reader.on('finish', () => done(undefined)).on('error', fail))
  return members
}

/** What an archive says when it is read by tar-stream and JSON.parse alone. */
async function checkSaved(archive: string, image: MadeImage): Promise<void> {
  const members = await membersOf(archive)
  const manifest = JSON.parse(members.get('manifest.json')!.toString()) as {
    Config: string
    RepoTags: string[]
    Layers: string[]
  }[]
  assert.equal(manifest.length, 1)
  const { Config, RepoTags, Layers } = manifest[0]!
  assert.equal(digestOf(members.get(Config)!), imageIdOf(image))
  assert.deepEqual(RepoTags.toSorted(), [...(image.tags ?? [])].sort())
  assert.deepEqual(
    (Layers ?? []).map(name => digestOf(members.get(name)!)),
    image.layers.map(digestOf),
  )
}

for (const [name, image] of Object.entries(images)) {
  for (const workers of [0, 2]) {
    test(`${name}, workers: ${workers}: loaded and saved, every layer is byte for byte the same`, async t => {
      const store = await scratchStore(t, { workers })
      const [loaded] = await store.load(archiveFile(t, legacyArchive([image])))
      assert.equal(loaded!.id, imageIdOf(image))
      assert.deepEqual(
        loaded!.layers.map(({ diffId }) => diffId),
        image.layers.map(digestOf),
      )
      const out = join(scratchDir(t), 'out.tar')
      await store.save(image.tags ?? [], out)
      await checkSaved(out, image)
      assert.deepEqual(leftovers(store.root), [])
    })
  }
}

test('saving twice gives the same bytes, and so does another store', async t => {
  const image = images['two layers']!
  const digests = new Set<string>()
  for (const [index, archive] of [legacyArchive([image]), blobArchive([image])].entries()) {
    const store = await scratchStore(t, { compression: index === 0 ? 'lz4' : 'none' })
    await store.load(archiveFile(t, archive))
    for (const format of ['docker-archive', 'oci-archive'] as const) {
      const [a, b] = [join(scratchDir(t), 'a.tar'), join(scratchDir(t), 'b.tar')]
      await store.save('app:v1', a, { format })
      await store.save('app:v1', b, { format })
      const digest = digestOf(readFileSync(a))
      assert.equal(digestOf(readFileSync(b)), digest)
      digests.add(digest)
    }
  }
  assert.equal(digests.size, 2)
})

test('an OCI archive that was saved loads again to the same image', async t => {
  const image = images['two layers']!
  const store = await scratchStore(t)
  await store.load(archiveFile(t, legacyArchive([image])))
  const out = join(scratchDir(t), 'out.tar')
  await store.save('app:v1', out, { format: 'oci-archive' })
  const other = await scratchStore(t)
  const [again] = await other.load(out)
  assert.equal(again!.id, imageIdOf(image))
  assert.deepEqual(again!.tags, ['app:v1'])
  assert.deepEqual(again!.configBytes, configOf(image))
})

async function loadedFrom(t: TestContext, input: string | Readable): Promise<string[]> {
  const store = await scratchStore(t, { workers: 2 })
  const loaded = await store.load(input)
  const view = await store.view('app:v1')
  assert.deepEqual(view.readdirSync('/etc').sort(), ['hostname', 'motd'])
  assert.equal(view.readFileSync('/etc/motd', 'utf8'), 'hello\n')
  await view.close()
  assert.deepEqual(leftovers(store.root), [])
  return loaded.map(({ id }) => id)
}

test('every way in gives the same image', async t => {
  const image = images['two layers']!
  const layout = new Layout()
  const members = layout.done([named(layout.image(image, gzipSync, ociTypes.gzip), 'app:v1')])
  const legacy = archiveFile(t, legacyArchive([image]))
  const bytes = readFileSync(legacy)
  const ways: Record<string, string | Readable> = {
    legacy,
    blobs: archiveFile(t, blobArchive([image])),
    'compressed blobs': archiveFile(t, blobArchive([image], gzipSync)),
    'compressed outside': archiveFile(t, gzipSync(bytes)),
    oci: archiveFile(t, members),
    stream: createReadStream(legacy),
    'stream of odd chunks': Readable.from(
      (function* () {
        for (let at = 0; at < bytes.length; at += 777) yield bytes.subarray(at, at + 777)
      })(),
    ),
    'compressed stream': Readable.from([gzipSync(bytes)]),
  }
  for (const [way, input] of Object.entries(ways)) assert.deepEqual(await loadedFrom(t, input), [imageIdOf(image)], way)
})

test('an archive behind a symbolic link', async t => {
  const link = join(scratchDir(t), 'link.tar')
  symlinkSync(archiveFile(t, legacyArchive([images['two layers']!])), link)
  assert.deepEqual(await loadedFrom(t, link), [imageIdOf(images['two layers']!)])
})

test('loading again reads no layer and changes nothing', async t => {
  const archive = archiveFile(t, legacyArchive([images['two layers']!]))
  const store = await scratchStore(t)
  await store.load(archive)
  const before = published(store.root)
  const again = store.load(archive)
  await again
  assert.equal(again.report.bytesWritten, 0)
  assert.equal(again.report.bytesReused, base.length + upper.length)
  assert.deepEqual(published(store.root), before)
})

test('equal diffIds under different parents share one file', async t => {
  const store = await scratchStore(t)
  await store.load(
    archiveFile(
      t,
      legacyArchive([
        { layers: [base, upper], tags: ['a:1'] },
        { layers: [upper, base], tags: ['b:1'] },
      ]),
    ),
  )
  assert.equal(readdirSync(join(store.root, 'packed')).length, 2)
  assert.equal(readdirSync(join(store.root, 'image/packed/layerdb/sha256')).length, 4)
  const third = store.load(archiveFile(t, legacyArchive([{ layers: [emptyLayer, upper], tags: ['c:1'] }])))
  await third
  assert.equal(third.report.bytesReused, upper.length)
  assert.equal(readdirSync(join(store.root, 'packed')).length, 3)
})

test('a tag that moves says whom it left', async t => {
  const store = await scratchStore(t)
  await store.load(archiveFile(t, legacyArchive([{ layers: [base], tags: ['app:v1'] }])))
  const load = store.load(archiveFile(t, legacyArchive([{ layers: [upper], tags: ['app:v1'] }])))
  const warnings: string[] = []
  for await (const event of load) if (event.type === 'warning') warnings.push(event.message)
  await load
  const old = imageIdOf({ layers: [base] })
  assert.deepEqual(warnings, [`The image app:v1 already exists, renaming the old one with ID ${old} to empty string`])
  assert.deepEqual((await store.image(old))?.tags, [])
})

test('the store on disk is Docker’s layout', async t => {
  const image = images['two layers']!
  const store = await scratchStore(t)
  await store.load(archiveFile(t, legacyArchive([image])))
  const at = (path: string) => join(store.root, 'image/packed', path)
  const [d0, d1] = image.layers.map(digestOf) as [string, string]
  const chain = createHash('sha256').update(`${d0} ${d1}`).digest('hex')
  const text = (path: string) => readFileSync(at(path), 'utf8')
  assert.equal(text(`layerdb/sha256/${d0.slice(7)}/diff`), d0)
  assert.equal(text(`layerdb/sha256/${chain}/parent`), d0)
  assert.equal(text(`layerdb/sha256/${chain}/diff`), d1)
  assert.equal(text(`layerdb/sha256/${chain}/size`), '6')
  assert.equal(text(`layerdb/sha256/${chain}/cache-id`), d1.slice(7))
  assert.deepEqual(readFileSync(at(`imagedb/content/sha256/${imageIdOf(image).slice(7)}`)), configOf(image))
  const id = imageIdOf(image)
  const expected = `{"Repositories":{"app":{"app:v1":"${id}","app:v2":"${id}"},"localhost:5000/other":{"localhost:5000/other:1":"${id}"}}}`
  assert.equal(text('repositories.json'), expected)
  assert.equal(statSync(at('repositories.json')).mode & 0o777, 0o600)
})

test('a read-only store saves and looks, and refuses to load', async t => {
  const image = images['two layers']!
  const archive = archiveFile(t, legacyArchive([image]))
  const store = await scratchStore(t)
  await store.load(archive)
  const reader = await Store.open(store.root, { readOnly: true })
  const out = join(scratchDir(t), 'out.tar')
  await reader.save('app', out)
  await checkSaved(out, { ...image, tags: ['app:v1', 'app:v2'] })
  await reader.save('app', join(scratchDir(t), 'oci.tar'), { format: 'oci-archive' })
  await assert.rejects(Promise.resolve(reader.load(archive)), { code: 'STORE_READ_ONLY' })
  await assert.rejects(reader.tag('app:v1', 'x:1'), { code: 'STORE_READ_ONLY' })
  await reader.close()
})
