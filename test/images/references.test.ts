import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { imageIdOf, layerTar, legacyArchive } from '../build/image.js'
import { archiveFile, scratchStore } from '../build/store.js'

const one = { layers: [layerTar({ a: '1' })], tags: ['app:v1'] }
const two = { layers: [layerTar({ b: '2' })], tags: ['app:v2', 'host:5000/x/y:latest'] }

async function twoImages(t: Parameters<typeof scratchStore>[0]) {
  const store = await scratchStore(t)
  await store.load(archiveFile(t, legacyArchive([one, two])))
  return store
}

test('an image is found by full id, name, and the beginning of an id, in this order', async t => {
  const store = await twoImages(t)
  const id = imageIdOf(one)
  for (const name of [id, id.slice(7), 'app:v1', 'docker.io/library/app:v1', id.slice(7, 19), id.slice(0, 19)])
    assert.equal((await store.image(name))?.id, id, name)
  assert.equal((await store.image('host:5000/x/y'))?.id, imageIdOf(two))
  assert.equal(await store.image('app'), undefined)
  assert.equal(await store.image('sha256:'.padEnd(71, '0')), undefined)
  // A tag shadows the beginning of an id.
  const prefix = imageIdOf(two).slice(7, 13)
  await store.tag('app:v1', prefix)
  assert.equal((await store.image(prefix))?.id, id)
})

test('an ambiguous beginning names nothing', async t => {
  const store = await scratchStore(t)
  const many = Array.from({ length: 40 }, (_, i) => ({ layers: [layerTar({ n: `${i}` })] }))
  await store.load(archiveFile(t, legacyArchive(many)))
  const ids = many.map(imageIdOf)
  const shared = ids.find((id, i) => ids.some((other, j) => i !== j && other[7] === id[7]))!
  assert.equal(await store.image(shared[7]!), undefined)
  assert.equal((await store.image(shared))?.id, shared)
})

test('tags move, and the rules of names hold', async t => {
  const store = await twoImages(t)
  await store.tag('app:v1', 'app:v2')
  assert.equal((await store.image('app:v2'))?.id, imageIdOf(one))
  assert.deepEqual((await store.image(imageIdOf(two)))?.tags, ['host:5000/x/y:latest'])
  await store.tag('app:v1', 'fresh')
  assert.ok((await store.image(imageIdOf(one)))?.tags.includes('fresh:latest'))
  await assert.rejects(store.tag('app:v1', `x@sha256:${'0'.repeat(64)}`), { code: 'REFERENCE_INVALID' })
  await assert.rejects(store.tag('app:v1', 'sha256:tag'), { code: 'REFERENCE_INVALID' })
  await assert.rejects(store.tag('app:v1', 'UPPER:tag'), { code: 'REFERENCE_INVALID' })
  await assert.rejects(store.tag('none:1', 'x:1'), { code: 'IMAGE_NOT_FOUND', message: 'No such image: none:1' })
})

test('tagging by hand is noted, loading is not', async t => {
  const store = await twoImages(t)
  assert.equal((await store.image('app:v1'))?.lastTagTime, undefined)
  await store.tag('app:v1', 'x:1')
  assert.match((await store.image('app:v1'))?.lastTagTime ?? '', /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
})

test('keys that cannot be read are kept and not shown; a broken file is STORE_CORRUPT', async t => {
  const store = await twoImages(t)
  const path = join(store.root, 'image/packed/repositories.json')
  const before = JSON.parse(readFileSync(path, 'utf8')) as { Repositories: Record<string, Record<string, string>> }
  before.Repositories['Not A Name'] = { 'Not A Name:1': imageIdOf(one) }
  before.Repositories['docker.io/library/app'] = { 'docker.io/library/app:v9': imageIdOf(one) }
  writeFileSync(path, JSON.stringify(before))
  assert.deepEqual((await store.image('app:v1'))?.tags, ['app:v1'])
  await store.tag('app:v1', 'x:1')
  const after = JSON.parse(readFileSync(path, 'utf8')) as typeof before
  assert.deepEqual(after.Repositories['Not A Name'], before.Repositories['Not A Name'])
  writeFileSync(path, '{"Repositories":null}')
  assert.equal(await store.image('app:v1'), undefined)
  writeFileSync(path, '{broken')
  await assert.rejects(store.images(), { code: 'STORE_CORRUPT', path })
})

test('a config that is not what its name says is STORE_CORRUPT', async t => {
  const store = await twoImages(t)
  const path = join(store.root, 'image/packed/imagedb/content/sha256', imageIdOf(one).slice(7))
  writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from(' ')]))
  await assert.rejects(store.image(imageIdOf(one)), { code: 'STORE_CORRUPT', path })
})

test('metadata that Docker writes is read: parent and lastUpdated', async t => {
  const store = await twoImages(t)
  const dir = join(store.root, 'image/packed/imagedb/metadata/sha256', imageIdOf(two).slice(7))
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'parent'), imageIdOf(one))
  writeFileSync(join(dir, 'lastUpdated'), '2026-11-22T00:45:16.886055028+02:00')
  const image = await store.image(imageIdOf(two))
  assert.equal(image?.parent, imageIdOf(one))
  assert.equal(image?.inspect().Parent, imageIdOf(one))
  assert.ok(dirname(dir))
})
