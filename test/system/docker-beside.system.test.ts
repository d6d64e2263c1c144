/** Reading a root while its dockerd loads, tags, commits and removes: every answer is what was there before or after. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { PhylloError, Store } from '../../src/index.js'
import { busyboxImage } from '../build/busybox.js'
import { DockerRoots } from '../build/docker-roots.js'
import { archiveOf, imageIdOf, layerTar, legacyArchive, type MadeImage } from '../build/image.js'

const roots = new DockerRoots()
const workMs = 12_000

const filesOf = (letter: string) =>
  Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`${letter}${n}`, letter.repeat(n)]))
const stays = busyboxImage('stays:1', [layerTar({ stays: 's' })])
/** Loaded and removed again and again. */
const comes: MadeImage = { layers: [layerTar(filesOf('a')), layerTar(filesOf('b'))], tags: ['comes:1'] }
const whole = [...Object.keys(filesOf('a')), ...Object.keys(filesOf('b'))].sort()

/** Undefined when somebody has taken away what was asked for. */
async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof PhylloError)) throw error
    if (['IMAGE_NOT_FOUND', 'STORE_CORRUPT'].includes(error.code) || error.errno === 'ENOENT') return undefined
    throw error
  }
}

test('what is read beside a dockerd at work was there', async t => {
  const root = roots.path('r')
  writeFileSync(roots.path('stays.tar'), archiveOf(legacyArchive([stays])))
  writeFileSync(roots.path('comes.tar'), archiveOf(legacyArchive([comes])))
  await using dockerd = await roots.start('r')
  await dockerd.docker('load', '-i', roots.path('stays.tar'))
  const container = (await dockerd.docker('create', '--name', 'box', 'stays:1', 'x')).trim()
  const end = Date.now() + workMs
  const working = () => Date.now() < end
  const committed = new Set<string>()
  const counts = { rounds: 0, listed: 0, viewed: 0, saved: 0, gone: 0, busy: 0 }

  const work = async () => {
    while (working()) {
      await dockerd.docker('load', '-i', roots.path('comes.tar'))
      await dockerd.docker('tag', 'comes:1', 'moves:1')
      committed.add((await dockerd.docker('commit', container, 'made:1')).trim())
      await dockerd.docker('rmi', 'comes:1', 'moves:1')
      await dockerd.docker('tag', 'stays:1', 'moves:1')
      counts.rounds++
    }
  }
  const list = async () => {
    await using store = await Store.open(root, { readOnly: true })
    while (working()) {
      for (const image of await store.images()) {
        const { Id: id, RootFS: stack } = image.inspect() as { Id: string; RootFS: { Layers: string[] } }
        const made = [stays, comes].find(made => imageIdOf(made) === id)
        // A commit is seen before docker has told its id.
        if (made === undefined)
          assert.deepEqual(
            image.tags.filter(tag => tag !== 'made:1'),
            [],
          )
        else assert.equal(stack.Layers.length, made.layers.length)
        counts.listed++
      }
      assert.equal((await store.image('stays:1'))?.id, imageIdOf(stays))
      const moves = await unlessGone(store.image('moves:1'))
      assert.ok(moves === undefined || [stays, comes].map(imageIdOf).includes(moves.id))
      assert.deepEqual(
        (await store.dockerContainers()).map(({ name }) => name),
        ['box'],
      )
    }
  }
  const read = async () => {
    await using store = await Store.open(root, { readOnly: true })
    while (working()) {
      const view = await unlessGone(store.view('comes:1'))
      if (view === undefined) continue
      try {
        const names = view.readdirSync('/').sort()
        assert.ok(isDeepStrictEqual(names, whole), `${names.length} names of ${whole.length}`)
        for (const name of ['a59', 'b59']) assert.equal(view.readFileSync(`/${name}`, 'utf8'), name[0]!.repeat(59))
        counts.viewed++
      } catch (error) {
        // An error says that it is gone, not half of it.
        if (!(error instanceof Error && 'code' in error) || error.code === 'ERR_ASSERTION') throw error
        counts.gone++
      } finally {
        await view.close()
      }
    }
  }
  const save = async () => {
    await using store = await Store.open(root, { readOnly: true, workers: 1 })
    while (working()) {
      const path = roots.path('saved.tar')
      for (const [tag, made] of [
        ['stays:1', stays],
        ['comes:1', comes],
      ] as const) {
        const operation = store.save(tag, path)
        if ((await unlessGone(Promise.resolve(operation).then(() => true))) === undefined) continue
        await using other = await Store.temporary({ workers: 0 })
        const [loaded] = await other.load(Readable.from(await readFile(path)))
        assert.equal(loaded?.id, imageIdOf(made))
        counts.saved++
      }
    }
  }
  const refused = async () => {
    while (working()) {
      await assert.rejects(Store.open(root), { code: 'STORE_BUSY' })
      counts.busy++
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
  await Promise.all([work(), list(), read(), save(), refused()])
  t.diagnostic(JSON.stringify({ ...counts, committed: committed.size }))
  for (const [name, count] of Object.entries(counts)) if (name !== 'gone') assert.ok(count > 0, name)
  await dockerd.stop()
  await using store = await Store.open(root, { workers: 1 })
  assert.equal((await store.image('stays:1'))?.id, imageIdOf(stays))
})
