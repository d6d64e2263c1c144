import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { imageIdOf, layerTar, legacyArchive, type MadeImage } from '../build/image.js'
import { archiveFile, scratchStore } from '../build/store.js'

const history = [
  { created: '2020-01-01T00:00:00Z', created_by: 'ADD base' },
  { created: '2020-01-02T00:00:00Z', created_by: 'ENV x=y', empty_layer: true, comment: 'nothing' },
  { created: '2020-01-03T00:00:00Z', created_by: 'COPY app' },
]

const made: Record<string, MadeImage> = {
  old: { layers: [layerTar({ a: 'aaaa' })], tags: ['old:1'], config: { created: '2019-05-01T00:00:00Z' } },
  mid: {
    layers: [layerTar({ a: 'aaaa' }), layerTar({ b: 'bb' })],
    tags: ['mid:1', 'reg.example/mid:2'],
    config: { created: '2020-05-01T00:00:00Z', config: { Labels: { kind: 'test', x: '1' } }, history },
  },
  none: { layers: [layerTar({ c: 'c' })], config: { created: '2021-05-01T00:00:00Z' } },
}

async function store(t: Parameters<typeof scratchStore>[0]) {
  const opened = await scratchStore(t)
  await opened.load(archiveFile(t, legacyArchive(Object.values(made))))
  return opened
}

test('images are listed newest first, and filters choose among them as docker images does', async t => {
  const opened = await store(t)
  const names = async (...filters: string[]) => {
    const images = await opened.images({ filters })
    return images.map(image => Object.keys(made).find(name => imageIdOf(made[name]!) === image.id))
  }
  assert.deepEqual(await names(), ['none', 'mid', 'old'])
  assert.deepEqual(await names('dangling=true'), ['none'])
  assert.deepEqual(await names('dangling=false'), ['mid', 'old'])
  assert.deepEqual(await names('label=kind'), ['mid'])
  assert.deepEqual(await names('label=kind=test', 'label=x=1'), ['mid'])
  assert.deepEqual(await names('label=kind=other'), [])
  assert.deepEqual(await names('before=mid:1'), ['old'])
  assert.deepEqual(await names('since=old:1'), ['none', 'mid'])
  assert.deepEqual(await names('until=2020-06-01T00:00:00Z'), ['mid', 'old'])
  assert.deepEqual(await names('reference=*:1'), ['mid', 'old'])
  assert.deepEqual(await names('reference=reg.example/*'), ['mid'])
  assert.deepEqual((await opened.images({ filters: ['reference=reg.example/*'] }))[0]?.tags, ['reg.example/mid:2'])
  await assert.rejects(opened.images({ filters: ['colour=red'] }), TypeError)
  await assert.rejects(opened.images({ filters: ['dangling=maybe'] }), TypeError)
  await assert.rejects(opened.images({ filters: ['before=nobody:1'] }), { code: 'IMAGE_NOT_FOUND' })
})

test('an image without a name that another is built on is shown with all alone', async t => {
  const opened = await store(t)
  const dir = join(opened.root, 'image/packed/imagedb/metadata/sha256', imageIdOf(made.mid!).slice(7))
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'parent'), imageIdOf(made.none!))
  assert.equal((await opened.images()).length, 2)
  assert.equal((await opened.images({ all: true })).length, 3)
  assert.equal((await opened.images({ filters: ['dangling=true'] })).length, 0)
})

test('history gives each layer’s size to the step that made it, newest first', async t => {
  const image = await (await store(t)).image('mid:1')
  const steps = image!
    .history()
    .map(({ id, createdBy, sizeBytes, comment, tags }) => ({ id, createdBy, sizeBytes, comment, tags }))
  assert.deepEqual(steps, [
    {
      id: imageIdOf(made.mid!),
      createdBy: 'COPY app',
      sizeBytes: 2,
      comment: '',
      tags: ['mid:1', 'reg.example/mid:2'],
    },
    { id: undefined, createdBy: 'ENV x=y', sizeBytes: 0, comment: 'nothing', tags: [] },
    { id: undefined, createdBy: 'ADD base', sizeBytes: 4, comment: '', tags: [] },
  ])
  assert.deepEqual((await (await store(t)).image('old:1'))?.history(), [])
})

test('a layer alone: its entries, and its exact tar', async t => {
  const image = await (await store(t)).image('mid:1')
  const paths: string[] = []
  for await (const entry of image!.layers[1]!.entries()) paths.push(entry.path)
  assert.deepEqual(paths, ['/', '/b'])
  const chunks: Buffer[] = []
  for await (const chunk of await image!.layers[1]!.openTar()) chunks.push(chunk as Buffer)
  assert.deepEqual(Buffer.concat(chunks), made.mid!.layers[1])
})

test('saving a whole repository takes all of its tags; an id takes none', async t => {
  const opened = await store(t)
  await opened.tag('old:1', 'mid:3')
  const { selectImages } = await import('../../src/images/select.js')
  const { ImageStore } = await import('../../src/images/image-store.js')
  const { ReferenceStore } = await import('../../src/images/reference-store.js')
  const { openRoot } = await import('../../src/disk/open-root.js')
  const { defaultLimits } = await import('../../src/limits.js')
  const root = await openRoot(opened.root, { readOnly: true })
  const select = async (...words: string[]) =>
    (await selectImages(words, new ImageStore(root, defaultLimits), new ReferenceStore(root))).map(
      ({ image, references }) => [
        Object.keys(made).find(name => imageIdOf(made[name]!) === image.id),
        references.map(({ path, tag }) => `${path}:${tag}`),
      ],
    )
  assert.deepEqual(await select('mid'), [
    ['mid', ['library/mid:1']],
    ['old', ['library/mid:3']],
  ])
  assert.deepEqual(await select('mid:1', 'reg.example/mid:2'), [['mid', ['library/mid:1', 'mid:2']]])
  assert.deepEqual(await select(imageIdOf(made.mid!), 'mid:1'), [['mid', ['library/mid:1']]])
  assert.deepEqual(await select(imageIdOf(made.mid!).slice(7, 20)), [['mid', []]])
  await assert.rejects(select('nobody'), { code: 'IMAGE_NOT_FOUND' })
})
