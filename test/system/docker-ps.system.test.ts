/** Containers that a dockerd has in its root, in our listing: the columns are those that its own client prints. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { before, test } from 'node:test'
import { Store } from '../../src/index.js'
import { busyboxImage } from '../build/busybox.js'
import { linesOf, type Ran, runPhyllo } from '../build/cli.js'
import { DockerRoots } from '../build/docker-roots.js'
import type { Dockerd } from '../build/dockerd.js'
import { archiveOf, layerTar, legacyArchive } from '../build/image.js'

const roots = new DockerRoots()
const overlay2 = { driver: 'overlay2', workers: 1, durability: 'none' } as const
const root = roots.path('r')
let dockerd: Dockerd

before(async () => {
  mkdirSync(roots.path('bound'))
  const images = [
    busyboxImage('app:1'),
    busyboxImage('old:1', [layerTar({ x: 'x' })]),
    busyboxImage('new:1', [layerTar({ y: 'y' })]),
  ]
  writeFileSync(roots.path('app.tar'), archiveOf(legacyArchive(images)))
  dockerd = await roots.start('r')
  await dockerd.docker('load', '-i', roots.path('app.tar'))
  await dockerd.docker('create', '--name', 'made', '--label', 'a=b c', 'app:1', 'it is', 'x')
  const failing = dockerd.docker(
    'run',
    '--name',
    'failed',
    '--network',
    'host',
    'app:1',
    'sh',
    '-c',
    'echo abc > /f; exit 3',
  )
  await assert.rejects(failing, { code: 3 })
  const mounts = ['-v', 'vol:/vol', '-v', `${roots.path('bound')}:/bound`]
  const forever = ['sh', '-c', 'trap "exit 0" TERM; while true; do sleep 1; done']
  await dockerd.docker('run', '-d', '--name', 'runs', '--network', 'none', ...mounts, 'old:1', ...forever)
  await dockerd.docker('run', '-d', '--name', 'waits', '--network', 'none', 'app:1', ...forever)
  await dockerd.docker('pause', 'waits')
  // The image that it was made from has no name by now.
  await dockerd.docker('tag', 'new:1', 'old:1')
})

/** What two clients print at two moments. */
const shape = (line: string) =>
  line
    .replace(/(Less than a|About a|About an|\d+) (second|minute|hour)s?/g, 'AGE')
    .replace(/[^ ]{14}…,vol|vol,[^ ]{14}…/, 'MOUNTS')
    .replace(/ +/g, ' ')

async function same(...words: readonly string[]): Promise<string[]> {
  const theirs = (await dockerd.docker(...words)).split('\n').slice(0, -1).map(shape)
  const ours = (await linesOf(words, { root })).map(shape)
  assert.deepEqual(ours, theirs, words.join(' '))
  return theirs
}

test('ps shows what runs, ps -a all, column by column', async () => {
  assert.equal((await same('ps')).length, 3)
  assert.equal((await same('ps', '-a')).length, 5)
  await same('ps', '-a', '--no-trunc')
  await same('ps', '-aq')
  await same('ps', '-n', '2')
  await same('ps', '-l', '--format', '{{.Names}}')
  const all = ['ID', 'Image', 'Command', 'RunningFor', 'State', 'Status', 'Names', 'Labels', 'Networks', 'LocalVolumes']
  await same('ps', '-a', '--format', all.map(name => `{{.${name}}}`).join('|'))
  await same('ps', '-a', '--format', '{{.Names}} {{.Mounts}}')
  await same('ps', '-a', '--format', '{{.Names}} {{.Ports}} {{.CreatedAt}}')
})

test('sizes are those that docker counts', async () => {
  await same('ps', '-as', '--format', '{{.Names}} {{.Size}}')
})

for (const filter of [
  'status=running',
  'status=exited',
  'status=paused',
  'exited=3',
  'exited=0',
  'name=a',
  'label=a',
  'network=host',
  'network=none',
  'volume=vol',
  'volume=/bound',
  'health=none',
  'ancestor=app:1',
  'before=runs',
  'since=failed',
])
  test(`ps -a -f ${filter}`, () => same('ps', '-a', '-f', filter, '--format', '{{.Names}}').then(() => undefined))

test('they speak against removing their images in the words of docker', async () => {
  await dockerd.stop()
  const ids = (await linesOf(['ps', '-a', '--no-trunc', '--format', '{{.Image}}'], { root })).filter(
    words => words !== 'app:1',
  )
  const [app] = await linesOf(['images', '-q', '--no-trunc', 'app'], { root })
  const names = [...new Set([...ids, app!, 'app:1'])]
  const ours: Ran[] = []
  for (const name of names) ours.push(await runPhyllo(['rmi', name], { root }))
  dockerd = await roots.start('r')
  for (const [at, name] of names.entries()) {
    const { status, stderr } = ours[at]!
    const theirs = await dockerd.docker('rmi', name).then(
      () => '',
      (error: Ran) => error.stderr.replace('Error response from daemon: ', ''),
    )
    // Of several containers docker names whichever it meets first.
    const anyOf = (text: string) => text.replace(/container [0-9a-f]{12}/, 'container ID')
    assert.equal(anyOf(stderr.replace(/^phyllo: [A-Z_]+: /, '')), anyOf(theirs), name)
    assert.equal(status, 1)
  }
})

test('names: ours are not those that a dockerd has given, and its containers are only its own', async () => {
  await dockerd.stop()
  {
    await using store = await Store.open(root, overlay2)
    const taken = (await store.dockerContainers()).find(({ name }) => name === 'made')!
    await assert.rejects(store.create('app:1', { name: 'made' }), {
      code: 'CONTAINER_NAME_TAKEN',
      container: taken.id,
      message: `Conflict. The container name "/made" is already in use by container "${taken.id}". You have to remove (or rename) that container to be able to reuse that name.`,
    })
    for (const name of ['made', taken.id, taken.id.slice(0, 8)]) {
      await assert.rejects(store.container(name), { code: 'CONTAINER_NOT_FOUND', message: /one of a dockerd/ })
      await assert.rejects(store.removeContainer(name), { code: 'CONTAINER_NOT_FOUND' })
    }
    const box = await store.create('app:1', { name: 'mine' })
    await box.close()
    assert.deepEqual(
      (await store.containers()).map(({ name }) => name),
      ['mine'],
    )
  }
  assert.deepEqual((await linesOf(['ps', '-a', '--format', '{{.Names}}'], { root }))[0], 'mine')
  assert.equal((await linesOf(['ps', '-aq'], { root })).length, 5)
  const files = readFileSync(roots.path('r/image/overlay2/repositories.json'), 'utf8')
  dockerd = await roots.start('r')
  assert.equal((await dockerd.docker('ps', '-aq')).split('\n').length - 1, 4)
  assert.equal(readFileSync(roots.path('r/image/overlay2/repositories.json'), 'utf8'), files)
})
