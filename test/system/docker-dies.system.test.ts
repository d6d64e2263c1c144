/**
 * Roots that a killed dockerd has left things in, half-loaded layers, half-removed ones and mounts: they open, and
 * nothing of that dockerd is touched.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Store } from '../../src/index.js'
import { busyboxImage } from '../build/busybox.js'
import { remains } from '../build/docker-root.js'
import { DockerRoots } from '../build/docker-roots.js'
import { archiveOf, layerTar, legacyArchive, type MadeImage } from '../build/image.js'
import { listing } from '../build/stores.js'

const roots = new DockerRoots()
const overlay2 = { driver: 'overlay2', workers: 1, durability: 'none' } as const
const small: MadeImage = { layers: [layerTar({ base: 'b' }), layerTar({ top: 't' })], tags: ['small:1'] }
const running = busyboxImage('runs:1')
/** So many files that loading and removing it takes a while. */
const many = Array.from({ length: 6000 }, (_, n) => [`many/${n}`, 'x'] as const)
const large: MadeImage = {
  layers: [0, 1, 2].map(n => layerTar({ ...Object.fromEntries(many), n: `${n}` })),
  tags: ['large:1'],
}

before(() => {
  for (const [name, image] of Object.entries({ small, running, large }))
    writeFileSync(roots.path(`${name}.tar`), archiveOf(legacyArchive([image])))
})

const layerdb = (root: string) => roots.path(root, 'image/overlay2/layerdb')
const names = (...path: readonly string[]) => {
  const directory = roots.path(...path)
  return existsSync(directory) ? readdirSync(directory) : []
}
/** cache-ids by record, those that are being removed apart. */
const cacheIds = (root: string) =>
  names(root, 'image/overlay2/layerdb/sha256')
    .filter(name => /^[0-9a-f]{64}$/.test(name))
    .map(name => readFileSync(`${layerdb(root)}/sha256/${name}/cache-id`, 'utf8'))
/** Directories that no record speaks of. */
const left = (root: string) => names(root, 'overlay2').filter(name => name !== 'l' && !cacheIds(root).includes(name))
const shown = (root: string, ids: readonly string[]) =>
  listing(roots.path(root, 'overlay2')).filter(line => ids.some(id => line.includes(id)))

async function until(happened: () => boolean): Promise<void> {
  const end = Date.now() + 60_000
  while (!happened()) {
    if (Date.now() > end) throw new Error('it did not happen')
    await sleep(2)
  }
}

async function opensAndTouchesNothing(root: string): Promise<void> {
  const ids = left(root)
  assert.ok(ids.length > 0, 'the dockerd had nothing to leave')
  const before = shown(root, ids)
  const writeSets = names(root, 'image/overlay2/layerdb/tmp')
  const removing = names(root, 'image/overlay2/layerdb/sha256').filter(name => name.includes('-removing'))
  {
    await using store = await Store.open(roots.path(root), overlay2)
    for (const { id } of await store.images()) assert.equal((await store.image(id))?.id, id)
    assert.equal(
      (await store.images()).some(({ tags }) => tags.includes('small:1')),
      true,
    )
    await store.load(roots.path('small.tar'))
    const view = await store.view('small:1')
    assert.deepEqual(view.readdirSync('/').sort(), ['base', 'top'])
    await view.close()
    await store.remove('small:1')
    await store.load(roots.path('small.tar'))
  }
  assert.deepEqual(shown(root, ids), before)
  assert.deepEqual(names(root, 'image/overlay2/layerdb/tmp'), writeSets)
  const still = names(root, 'image/overlay2/layerdb/sha256').filter(name => name.includes('-removing'))
  assert.deepEqual(still, removing)
}

test('killed while it loaded: what is half there stays, and the load can be done again, by us', async () => {
  const dockerd = await roots.start('load')
  await dockerd.docker('load', '-i', roots.path('small.tar'))
  const load = dockerd.docker('load', '-i', roots.path('large.tar')).catch(() => undefined)
  await until(() => left('load').length > 0 && cacheIds('load').length > 2)
  await dockerd.kill()
  await load
  await opensAndTouchesNothing('load')
  {
    await using store = await Store.open(roots.path('load'), overlay2)
    await store.load(roots.path('large.tar'))
  }
  const again = await roots.start('load')
  assert.equal((await again.docker('image', 'inspect', '-f', '{{len .RootFS.Layers}}', 'large:1')).trim(), '3')
  await again.stop()
})

test('killed while it removed: the layers that it had begun with are not there, the rest is whole', async () => {
  const dockerd = await roots.start('load')
  const before = cacheIds('load').length
  const remove = dockerd.docker('rmi', 'large:1').catch(() => undefined)
  await until(() => names('load', 'image/overlay2/layerdb/sha256').some(name => name.includes('-removing')))
  await dockerd.kill()
  await remove
  assert.ok(cacheIds('load').length < before)
  await opensAndTouchesNothing('load')
})

test('killed while a container ran: its mount and its directories stay, and it goes on with another dockerd', async () => {
  const dockerd = await roots.start('run')
  await dockerd.docker('load', '-i', roots.path('running.tar'))
  await dockerd.docker('load', '-i', roots.path('small.tar'))
  await dockerd.docker(
    'run',
    '-d',
    '--network',
    'none',
    '--name',
    'box',
    'runs:1',
    'sh',
    '-c',
    'echo w > /w; sleep 600',
  )
  const pid = Number(await dockerd.docker('inspect', '-f', '{{.State.Pid}}', 'box'))
  const shim = Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])
  await dockerd.kill()
  for (const each of [shim, pid]) process.kill(each, 'SIGKILL')
  const mounts = roots.mounts(roots.path('run/overlay2'))
  assert.equal(mounts.length, 1)
  {
    await using store = await Store.open(roots.path('run'), overlay2)
    assert.deepEqual(
      (await store.dockerContainers()).map(({ name, state, image }) => [name, state, image]),
      [['box', 'running', 'runs:1']],
    )
    const { id } = (await store.image('runs:1'))!
    const inUse = { code: 'IMAGE_IN_USE', message: /\(cannot be forced\) - image is being used by running container/ }
    await assert.rejects(Promise.resolve(store.remove(id, { force: true })), inUse)
    await store.remove('small:1')
  }
  assert.deepEqual(roots.mounts(roots.path('run/overlay2')), mounts)
  // As after a reboot: with nothing of what was run.
  const again = await roots.start('run', 'e')
  assert.match(await again.docker('ps', '-a', '--format', '{{.Names}} {{.Status}}'), /^box Exited/)
  assert.match(await again.docker('diff', 'box'), /^A \/w$/m)
  await again.docker('rm', 'box')
  await again.docker('rmi', 'runs:1')
  await again.stop()
  assert.deepEqual(remains(roots.path('run')), [])
})
