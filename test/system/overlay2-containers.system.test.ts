/** Containers on a root of driver overlay2: written here, under a real dockerd, committed, removed. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Store } from '../../src/index.js'
import { remains } from '../build/docker-root.js'
import { startDockerd } from '../build/dockerd.js'
import { archiveOf, layerTar, legacyArchive } from '../build/image.js'

// Short, because the daemons' sockets are in it.
const scratch = mkdtempSync('/tmp/pc-')
const root = join(scratch, 'r')
const image = { layers: [layerTar({ base: 'b', gone: 'g' }), layerTar({ top: 't' })], tags: ['app:1'] }
const overlay2 = { driver: 'overlay2', workers: 1 } as const
let id: string

before(async () => {
  writeFileSync(join(scratch, 'app.tar'), archiveOf(legacyArchive([image])))
  await using store = await Store.open(root, overlay2)
  await store.load(join(scratch, 'app.tar'))
  const box = await store.create('app:1', { name: 'box' })
  id = box.id
  box.writeFileSync('/new', 'n')
  box.appendFileSync('/base', 'ase')
  box.unlinkSync('/gone')
  await box.close()
})
after(() => rmSync(scratch, { recursive: true, force: true }))

const mount = (name: string) => readFileSync(join(root, 'image/overlay2/layerdb/mounts', id, name), 'utf8')

test('its directory, mount and link are what dockerd makes, without an init layer', () => {
  const mountId = mount('mount-id')
  assert.match(mountId, /^[0-9a-f]{64}$/)
  assert.notEqual(mountId, id)
  const files = readdirSync(join(root, 'overlay2', mountId)).sort()
  assert.deepEqual(files, ['diff', 'link', 'lower', 'work'])
  const link = readFileSync(join(root, 'overlay2', mountId, 'link'), 'utf8')
  assert.equal(readdirSync(join(root, 'overlay2/l')).includes(link), true)
  assert.equal(readFileSync(join(root, 'overlay2', mountId, 'lower'), 'utf8').split(':').length, 2)
  assert.deepEqual(readdirSync(join(root, 'phyllo/intents')), [])
})

test('opened anew it shows what was done; ps counts it; its commit is an image for dockerd', async () => {
  {
    await using store = await Store.open(root, overlay2)
    await using box = await store.container('box')
    assert.equal(box.readFileSync('/base', 'utf8'), 'base')
    assert.deepEqual(box.readdirSync('/').sort(), ['base', 'new', 'top'])
    assert.deepEqual([...box.changes()].map(({ kind, path }) => `${kind} ${path}`).sort(), [
      'A /new',
      'C /base',
      'D /gone',
    ])
    assert.equal((await store.containers({ size: true }))[0]?.sizeBytes, 5)
    const made = await box.commit({ tag: 'app:2' })
    assert.equal(made.layers.length, 3)
    const view = await store.view('app:2')
    assert.deepEqual(
      [view.readFileSync('/base', 'utf8'), view.readdirSync('/').sort()],
      ['base', ['base', 'new', 'top']],
    )
    await view.close()
  }
  const dockerd = await startDockerd(join(scratch, 'd'), root)
  try {
    const container = (await dockerd.docker('create', 'app:2', 'nothing')).trim()
    await dockerd.docker('cp', `${container}:/base`, join(scratch, 'copied'))
    assert.equal(readFileSync(join(scratch, 'copied'), 'utf8'), 'base')
    await dockerd.docker('save', '-o', join(scratch, 'saved.tar'), 'app:2')
    await dockerd.docker('rm', container)
    await dockerd.docker('rmi', 'app:1', 'app:2')
  } finally {
    await dockerd.stop()
  }
})

test('its layers outlive the image, whoever removed that; nothing is left after it', async () => {
  {
    await using store = await Store.open(root, overlay2)
    assert.deepEqual(await store.images(), [])
    const box = await store.container('box')
    assert.equal(box.readFileSync('/top', 'utf8'), 't')
    const mountId = mount('mount-id')
    await box.remove()
    assert.equal(existsSync(join(root, 'overlay2', mountId)), false)
    assert.equal(existsSync(join(root, 'image/overlay2/layerdb/mounts', id)), false)
    assert.equal(readdirSync(join(root, 'overlay2/l')).length, 2)
    assert.deepEqual(readdirSync(join(root, 'phyllo/intents')), [])
    await store.load(join(scratch, 'app.tar'))
  }
  const dockerd = await startDockerd(join(scratch, 'd'), root)
  try {
    await dockerd.docker('rmi', 'app:1')
  } finally {
    await dockerd.stop()
  }
  assert.deepEqual(remains(root), [])
})

test('making a container takes away nothing of dockerd’s', async () => {
  const dockerd = await startDockerd(join(scratch, 'd'), root)
  let theirs: string
  try {
    await dockerd.docker('load', '-i', join(scratch, 'app.tar'))
    theirs = (await dockerd.docker('create', 'app:1', 'nothing')).trim()
  } finally {
    await dockerd.stop()
  }
  {
    await using store = await Store.open(root, overlay2)
    await using box = await store.create('app:1')
    await box.remove()
  }
  const again = await startDockerd(join(scratch, 'd'), root)
  try {
    await again.docker('cp', `${theirs}:/top`, join(scratch, 'theirs'))
    assert.equal(readFileSync(join(scratch, 'theirs'), 'utf8'), 't')
  } finally {
    await again.stop()
  }
})
