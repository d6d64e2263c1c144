/** examples/pull.ts does what it says. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { FakeRegistry } from '../build/fake-registry.js'
import { layerTar } from '../build/image.js'
import { putImage } from '../build/registry-images.js'
import { compiledRoot } from '../build/repo.js'
import { scratchDir } from '../build/store.js'

test('the example of pull runs', async t => {
  const fake = await FakeRegistry.start(t)
  const { digest, imageId, blobs } = putImage(fake, { layers: [layerTar({ hello: 'x' })] })
  const name = `${fake.host}/a/b:v1`
  const env = { ...process.env, DOCKER_CONFIG: scratchDir(t) }
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [join(compiledRoot, 'examples/pull.js'), name],
    { env },
  )
  assert.equal(stderr, '')
  const bytes = fake.blobs.get(blobs[0]!)!.length
  const layer = `${blobs[0]!.slice(7, 19)}: `
  assert.deepEqual(stdout.trimEnd().split('\n'), [
    'v1: Pulling from a/b',
    ...['Pulling fs layer', 'Verifying Checksum', 'Download complete', 'Pull complete'].map(step => layer + step),
    `Digest: ${digest}`,
    `Status: Downloaded newer image for ${name}`,
    `${imageId} ${fake.host}/a/b@${digest}`,
    `${bytes} of ${bytes} bytes fetched`,
    'hello',
    '0 bytes fetched',
  ])
})
