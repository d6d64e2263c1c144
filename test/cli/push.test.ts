/** `phyllo push`: Docker's words, options and exit status. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileScratch, runPhyllo } from '../build/cli.js'
import { FakeRegistry, refusal, sha256 } from '../build/fake-registry.js'
import { archiveOf, digestOf, layerTar, legacyArchive } from '../build/image.js'

const scratch = fileScratch()
const layers = [layerTar({ base: 'x'.repeat(5000) }), layerTar({ top: '1' })]
let roots = 0

async function scene(t: TestContext, tags: readonly string[]) {
  const fake = await FakeRegistry.start(t)
  const repository = `${fake.host}/a/b`
  const root = join(scratch, `store${roots++}`)
  const archive = join(scratch, `${roots}.tar`)
  writeFileSync(archive, archiveOf(legacyArchive([{ layers, tags: tags.map(tag => `${repository}:${tag}`) }])))
  await runPhyllo(['load', '-q', '-i', archive], { root })
  const said = (tag: string) => {
    const { bytes } = fake.manifests.get(tag)!
    return `${tag}: digest: ${sha256(bytes)} size: ${bytes.length}`
  }
  return { fake, repository, root, said }
}

test('push says where it goes, what became of each layer, and the digest', async t => {
  const { repository, root, said } = await scene(t, ['latest'])
  const { status, stdout, stderr } = await runPhyllo(['push', repository], { root })
  assert.equal(status, 0, stderr)
  assert.deepEqual(stdout.split('\n'), [
    'Using default tag: latest',
    `The push refers to repository [${repository}]`,
    said('latest'),
    '',
  ])
  const ids = layers.map(layer => digestOf(layer).slice(7, 19))
  const expected = ids.flatMap(id => [`${id}: Preparing`, `${id}: Pushed`])
  assert.deepEqual(stderr.trim().split('\n').sort(), expected.sort())
  const again = await runPhyllo(['image', 'push', `${repository}:latest`], { root })
  assert.deepEqual(again.stdout.split('\n'), stdout.split('\n').slice(1))
  assert.match(again.stderr, new RegExp(`^${ids[0]}: Layer already exists$`, 'm'))
})

test('push -q says the canonical reference alone, push -a every tag, --format json all of it', async t => {
  const { fake, repository, root, said } = await scene(t, ['v1', 'v2'])
  const quiet = await runPhyllo(['push', '-q', `${repository}:v1`], { root })
  assert.deepEqual([quiet.status, quiet.stdout, quiet.stderr], [0, `${repository}:v1\n`, ''])
  const all = await runPhyllo(['push', '--all-tags', repository], { root })
  assert.deepEqual(all.stdout.split('\n'), [
    `The push refers to repository [${repository}]`,
    said('v1'),
    said('v2'),
    '',
  ])
  const { stdout } = await runPhyllo(['push', '-a', '--format', 'json', repository], { root })
  const { pushed, report } = JSON.parse(stdout)
  const { bytes } = fake.manifests.get('v2')!
  assert.deepEqual(pushed[1], { reference: `${repository}:v2`, digest: sha256(bytes), sizeBytes: bytes.length })
  assert.ok(report.bytesReused > 0)
})

test('push that fails: one line with the code, and the status', async t => {
  const { fake, repository, root } = await scene(t, ['v1'])
  const tagged = await runPhyllo(['push', '-a', `${repository}:v1`], { root })
  assert.equal(tagged.status, 2)
  assert.match(tagged.stderr, /^phyllo: push: tag can’t be used with --all-tags\/-a\n$/)
  const none = await runPhyllo(['push', `${fake.host}/no/body`], { root })
  assert.equal(none.status, 1)
  const message = `An image does not exist locally with the tag: ${fake.host}/no/body`
  assert.equal(none.stderr, `phyllo: IMAGE_NOT_FOUND: ${message}\n`)
  fake.route([[/^POST/, { status: 403, ...refusal('DENIED', 'requested access to the resource is denied') }]])
  const denied = await runPhyllo(['push', `${repository}:v1`], { root })
  assert.equal(denied.status, 1)
  assert.match(
    denied.stderr,
    /^phyllo: REGISTRY_DENIED: .*\/a\/b:v1: POST .*requested access to the resource is denied$/m,
  )
})
