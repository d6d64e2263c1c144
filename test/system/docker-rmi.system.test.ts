/** Removing images as a real dockerd does: the same lines, the same errors, and the same store afterwards. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Store } from '../../src/index.js'
import { ended, type Ran, runPhyllo } from '../build/cli.js'
import { metadataOf, remains } from '../build/docker-root.js'
import { type Dockerd, dockerClient, startDockerd } from '../build/dockerd.js'
import { archiveOf } from '../build/image.js'
import { addSceneDigests, expectedOf } from '../build/removal-run.js'
import { anyContainer, removalScenes, type SceneStep, sceneArchive, spell } from '../build/removal-scenes.js'

// Short, because the daemon's socket is in it.
const scratch = mkdtempSync('/tmp/pr-')
/** One that dockerd works on, a copy of it that we work on, and a store of driver packed. */
const [theirs, ours, packed] = ['t', 'o', 'p'].map(name => join(scratch, name)) as [string, string, string]
let dockerd: Dockerd

before(async () => {
  dockerd = await startDockerd(join(scratch, 'd'), theirs)
  for (const [at, scene] of removalScenes.entries()) {
    const archive = join(scratch, `${at}.tar`)
    writeFileSync(archive, archiveOf(sceneArchive(scene)))
    await dockerd.docker('load', '-i', archive)
    await phyllo(packed, ['load', '-i', archive])
    for (const image of scene.containers ?? []) {
      await dockerd.docker('create', image, 'nothing')
      await phyllo(packed, ['create', image])
    }
  }
  await dockerd.stop()
  for (const scene of removalScenes)
    for (const image of [join(theirs, 'image/overlay2'), join(packed, 'image/packed')])
      addSceneDigests(scene, join(image, 'repositories.json'))
  execFileSync('cp', ['-a', theirs, ours])
  dockerd = await startDockerd(join(scratch, 'd'), theirs)
})
after(async () => {
  await dockerd.stop()
  rmSync(scratch, { recursive: true, force: true })
})

const phyllo = (root: string, words: readonly string[]) => runPhyllo(words, { root })

function docker(words: readonly string[]): Promise<Ran> {
  return ended(spawn(dockerClient, words, { env: { ...process.env, DOCKER_HOST: dockerd.host } }))
}

/** What a program has said, but for its own words in front of an error. */
function said({ status, stdout, stderr }: Ran) {
  const own = /^(?:Error response from daemon: |Error: |phyllo: [A-Z_]+: )/
  const lines = (text: string) => text.split('\n').filter(line => line !== '')
  return { status, prints: lines(stdout), errors: lines(stderr).map(line => anyContainer(line.replace(own, ''))) }
}

function expected(scene: (typeof removalScenes)[number], step: SceneStep) {
  const { prints, errors } = expectedOf(scene, step)
  return { status: step.status ?? (errors.length > 0 ? 1 : 0), prints, errors }
}

for (const scene of removalScenes)
  test(scene.name, async () => {
    for (const step of scene.steps) {
      const words = step.run.map(word => spell(scene, word))
      const wanted = expected(scene, step)
      const ran = await Promise.all([docker(words), phyllo(ours, words), phyllo(packed, words)])
      for (const [at, who] of ['docker', 'phyllo, driver overlay2', 'phyllo, driver packed'].entries())
        assert.deepEqual(said(ran[at]!), wanted, `${who}: ${words.join(' ')}`)
    }
  })

test('afterwards the two roots are the same, file by file', async () => {
  await dockerd.stop()
  // When a name was given differs.
  const facts = (root: string) => metadataOf(root).filter(line => !line.includes('lastUpdated'))
  const [mine, other] = [facts(ours), facts(theirs)]
  assert.deepEqual([mine.filter(line => !other.includes(line)), other.filter(line => !mine.includes(line))], [[], []])
  const packedNames = readFileSync(join(packed, 'image/packed/repositories.json'), 'utf8')
  assert.equal(packedNames, readFileSync(join(theirs, 'image/overlay2/repositories.json'), 'utf8'))
  for (const directory of ['layerdb/sha256', 'imagedb/content/sha256'])
    assert.deepEqual(
      readdirSync(join(packed, 'image/packed', directory)).sort(),
      readdirSync(join(theirs, 'image/overlay2', directory)).sort(),
    )
})

test('without its containers, and after the last image, the root is empty as after docker', async () => {
  dockerd = await startDockerd(join(scratch, 'd'), ours)
  const boxes = (await dockerd.docker('ps', '-aq')).split('\n').filter(Boolean)
  await dockerd.docker('rm', ...boxes)
  await dockerd.stop()
  {
    await using store = await Store.open(ours)
    for (const { id } of await store.images({ all: true }))
      if ((await store.image(id)) !== undefined) await store.remove(id, { force: true })
    assert.deepEqual(await store.images({ all: true }), [])
  }
  assert.deepEqual(remains(ours), [])
})
