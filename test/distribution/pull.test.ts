/** Pull from a registry that does what it is told: what comes into the store, by which requests, and under which names. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Image, Operation } from '../../src/index.js'
import { FakeRegistry } from '../build/fake-registry.js'
import { configOf, digestOf, imageIdOf, layerTar, ociTypes } from '../build/image.js'
import { quick } from '../build/registry-client.js'
import { blobRequests, breaksOff, noiseLayer, pullingStore, putImage } from '../build/registry-images.js'
import { leftovers } from '../build/store.js'

const one = { layers: [layerTar({ a: 'one' })] }
const two = { layers: [layerTar({ a: 'one' }), layerTar({ b: 'two' })] }

function names(root: string): object {
  return JSON.parse(readFileSync(join(root, 'image/packed/repositories.json'), 'utf8')).Repositories
}

function files(root: string, folder: string): string[] {
  const path = join(root, folder, 'sha256')
  return existsSync(path) ? readdirSync(path).sort() : []
}

test('by tag: the image is there, its digest and its tag are recorded, and nothing else is left', async t => {
  const fake = await FakeRegistry.start(t)
  const { digest, imageId, blobs } = putImage(fake, two)
  const store = await pullingStore(t)
  const image = await store.pull(`${fake.host}/a/b:v1`)
  assert.equal(image.id, imageId)
  assert.deepEqual(image.tags, [`${fake.host}/a/b:v1`])
  assert.deepEqual(image.digests, [`${fake.host}/a/b@${digest}`])
  await using view = await store.view(`${fake.host}/a/b:v1`)
  assert.equal(view.readFileSync('/a', 'utf8') + view.readFileSync('/b', 'utf8'), 'onetwo')
  assert.deepEqual(names(store.root), {
    [`${fake.host}/a/b`]: { [`${fake.host}/a/b:v1`]: imageId, [`${fake.host}/a/b@${digest}`]: imageId },
  })
  assert.deepEqual(fake.asked.slice(0, 4), [
    'GET /v2/',
    'HEAD /v2/a/b/manifests/v1',
    `GET /v2/a/b/manifests/${digest}`,
    `GET /v2/a/b/blobs/${imageId}`,
  ])
  assert.deepEqual(blobRequests(fake).slice(1).sort(), [...blobs].sort())
  assert.deepEqual(leftovers(store.root), [])
  assert.deepEqual(files(store.root, 'partial'), [])
  assert.deepEqual(files(store.root, 'blobs'), [])
  assert.deepEqual((await store.check({ depth: 'full' })).findings, [])
})

test('what it cost, and what it was about to: bytes of blobs', async t => {
  const fake = await FakeRegistry.start(t)
  const { blobs } = putImage(fake, two)
  const bytes = blobs.reduce((sum, blob) => sum + fake.blobs.get(blob)!.length, 0)
  const store = await pullingStore(t)
  const operation = store.pull(`${fake.host}/a/b:v1`)
  await operation
  assert.equal(operation.report.bytesRead, bytes)
  assert.equal(operation.report.bytesToFetch, bytes)
  assert.ok(operation.report.bytesWritten > 0)
  await store.tag(`${fake.host}/a/b:v1`, 'kept')
  putImage(fake, { layers: [...two.layers, layerTar({ c: 'three' })] }, { tag: 'v2' })
  const more = store.pull(`${fake.host}/a/b:v2`)
  await more
  assert.equal(more.report.bytesReused, bytes)
  assert.equal(more.report.bytesRead, more.report.bytesToFetch)
})

test('what is said of it: Docker’s words, for each layer in their order', async t => {
  const fake = await FakeRegistry.start(t)
  const { blobs, digest } = putImage(fake, two)
  const store = await pullingStore(t)
  const operation = store.pull(`${fake.host}/a/b:v1`)
  const said = new Map<string, string[]>()
  for await (const event of operation)
    if (event.type !== 'progress') said.set(event.subject, [...(said.get(event.subject) ?? []), event.message])
  await operation
  const layer = ['Pulling fs layer', 'Verifying Checksum', 'Download complete', 'Pull complete']
  for (const blob of blobs) assert.deepEqual(said.get(blob.slice(7, 19)), layer)
  assert.deepEqual(said.get('v1'), ['Pulling from a/b'])
  assert.deepEqual(said.get(''), [`Digest: ${digest}`])
  const name = `${fake.host}/a/b:v1`
  assert.deepEqual(said.get(name), [`Pulled image: ${name}`, `Status: Downloaded newer image for ${name}`])
})

test('a blob that waits for its next attempt says so once a second, in Docker’s words', async t => {
  const fake = await FakeRegistry.start(t)
  const [blob] = putImage(fake, one).blobs
  const at = `GET /v2/a/b/blobs/${blob}`
  const busy = { status: 503, headers: { 'retry-after': '2' } }
  fake.route([[at, busy, breaksOff(fake, blob!, 10), { body: fake.blobs.get(blob!)! }]])
  const store = await pullingStore(t, { registry: { retries: { ...quick, longestMs: 5000 } } })
  const operation = store.pull(`${fake.host}/a/b:v1`)
  const said: string[] = []
  for await (const event of operation)
    if (event.type === 'layer' && event.subject === blob?.slice(7, 19)) said.push(event.message)
  await operation
  const waits = ['Retrying in 2 seconds', 'Retrying in 1 second', 'Retrying in 1 second']
  assert.deepEqual(said, ['Pulling fs layer', ...waits, 'Verifying Checksum', 'Download complete', 'Pull complete'])
})

test('with one download at a time the others wait, and say so', async t => {
  const fake = await FakeRegistry.start(t)
  putImage(fake, { layers: [1, 2, 3].map(seed => noiseLayer(`f${seed}`, 1000, seed)) })
  let [now, most] = [0, 0]
  fake.route([
    [
      /^GET .*\/blobs\//,
      async seen => {
        most = Math.max(most, ++now)
        await new Promise(resolve => setTimeout(resolve, 20))
        now--
        return { body: fake.blobs.get(seen.url.split('/').at(-1)!)! }
      },
    ],
  ])
  const store = await pullingStore(t, { concurrentDownloads: 1 })
  const operation = store.pull(`${fake.host}/a/b:v1`)
  let waiting = 0
  for await (const event of operation) if (event.type === 'layer' && event.message === 'Waiting') waiting++
  await operation
  assert.equal(most, 1)
  assert.equal(waiting, 2)
})

test('options that are none are a TypeError', async t => {
  for (const concurrentDownloads of [0, 1.5, -1, Number.NaN, 5000])
    await assert.rejects(pullingStore(t, { concurrentDownloads }), TypeError)
  await assert.rejects(pullingStore(t, { blobs: 'all' as 'keep' }), TypeError)
  const store = await pullingStore(t)
  await assert.rejects(async () => store.pull('x', { platform: 'a/b/c/d' }), TypeError)
})

test('without a tag it is latest; with a digest beside it the tag does not count', async t => {
  const fake = await FakeRegistry.start(t)
  putImage(fake, one, { tag: 'latest' })
  const { digest, imageId } = putImage(fake, two, { tag: 'v1' })
  const store = await pullingStore(t)
  assert.equal((await store.pull(`${fake.host}/a/b`)).id, imageIdOf(one))
  const image = await store.pull(`${fake.host}/a/b:latest@${digest}`)
  assert.equal(image.id, imageId)
  assert.deepEqual(image.tags, [])
  assert.deepEqual(image.digests, [`${fake.host}/a/b@${digest}`])
})

test('by digest nothing is asked for what is here', async t => {
  const fake = await FakeRegistry.start(t)
  const { digest } = putImage(fake, one)
  const store = await pullingStore(t)
  const name = `${fake.host}/a/b@${digest}`
  await store.pull(name)
  const before = fake.asked.length
  const operation = store.pull(name)
  const status: string[] = []
  for await (const event of operation) if (event.type === 'status') status.push(event.message)
  await operation
  assert.equal(fake.asked.length, before)
  assert.deepEqual(status, [`Digest: ${digest}`, `Status: Image is up to date for ${name}`])
})

test('up to date: one ping, one HEAD, and the tag comes back if somebody took it away', async t => {
  const fake = await FakeRegistry.start(t)
  putImage(fake, two)
  const name = `${fake.host}/a/b:v1`
  const store = await pullingStore(t)
  await store.pull(name)
  fake.seen.length = 0
  const second = await pullingStore(t)
  await second.pull(name)
  fake.seen.length = 0
  await store.pull(name)
  assert.deepEqual(fake.asked, ['HEAD /v2/a/b/manifests/v1'])
  await store.tag(name, 'kept')
  await store.remove(name)
  assert.equal(await store.image(name), undefined)
  const image = await store.pull(name)
  assert.deepEqual(image.tags, [name, 'kept:latest'])
})

test('a layer of the image is damaged: it is fetched anew, though the names are there', async t => {
  const fake = await FakeRegistry.start(t)
  const { blobs } = putImage(fake, two)
  const store = await pullingStore(t)
  await store.pull(`${fake.host}/a/b:v1`)
  rmSync(join(store.root, 'packed', `${digestOf(two.layers[1]!).slice(7)}.tar.lz4`))
  fake.seen.length = 0
  await store.pull(`${fake.host}/a/b:v1`)
  assert.deepEqual(blobRequests(fake), [blobs[1]])
  assert.deepEqual((await store.check({ depth: 'full' })).findings, [])
})

test('a tag that has moved: the new image has it, the old one keeps its digest', async t => {
  const fake = await FakeRegistry.start(t)
  const old = putImage(fake, one)
  const name = `${fake.host}/a/b:v1`
  const store = await pullingStore(t)
  await store.pull(name)
  const young = putImage(fake, two)
  const image = await store.pull(name)
  assert.equal(image.id, young.imageId)
  const [before] = (await store.images()).filter(({ id }) => id === old.imageId)
  assert.deepEqual([before?.tags, before?.digests], [[], [`${fake.host}/a/b@${old.digest}`]])
})

test('out of an index the image for the platform, under the digest of the index, as Docker records it', async t => {
  const fake = await FakeRegistry.start(t)
  const platforms = ['amd64', 'arm64', 's390x'].map(architecture => {
    const image = { layers: [layerTar({ architecture })], config: { architecture } }
    const { descriptor, imageId } = putImage(fake, image, { tag: architecture })
    return { imageId, entry: { ...descriptor, platform: { os: 'linux', architecture } } }
  })
  const index = { schemaVersion: 2, mediaType: ociTypes.index, manifests: platforms.map(({ entry }) => entry) }
  const { digest } = fake.addManifest(index, { tag: 'v1' })
  const store = await pullingStore(t)
  const name = `${fake.host}/a/b:v1`
  const image = await store.pull(name, { platform: 'linux/arm64' })
  assert.equal(image.id, platforms[1]!.imageId)
  assert.deepEqual(image.digests, [`${fake.host}/a/b@${digest}`])
  // Another platform of the same index is not what is here.
  const other = await store.pull(name, { platform: 'linux/s390x' })
  assert.equal(other.id, platforms[2]!.imageId)
  assert.deepEqual([other.tags, other.digests], [[name], []])
  const pinned = await store.pull(`${fake.host}/a/b@${digest}`, { platform: 'linux/amd64' })
  assert.deepEqual([pinned.id, pinned.digests], [platforms[0]!.imageId, [`${fake.host}/a/b@${digest}`]])
  await assert.rejects(async () => store.pull(name, { platform: 'linux/mips' }), { code: 'PLATFORM_NOT_FOUND' })
})

test('an image that is no index, of another platform than was asked for, comes with a warning', async t => {
  const fake = await FakeRegistry.start(t)
  putImage(fake, { ...one, config: { architecture: 's390x' } })
  const store = await pullingStore(t)
  const operation = store.pull(`${fake.host}/a/b:v1`, { platform: 'linux/arm64' })
  const warnings: string[] = []
  for await (const event of operation) if (event.type === 'warning') warnings.push(event.message)
  assert.equal((await operation).config.architecture, 's390x')
  assert.match(warnings.join(), /platform \(linux\/s390x\) does not match the specified platform \(linux\/arm64\)/)
})

test('a platform that no machine has is told as a terminal may show it', async t => {
  const fake = await FakeRegistry.start(t)
  putImage(fake, { ...one, config: { architecture: 's390x\u001b[31m' } })
  const store = await pullingStore(t)
  const operation = store.pull(`${fake.host}/a/b:v1`, { platform: 'linux/arm64' })
  const warnings: string[] = []
  for await (const event of operation) if (event.type === 'warning') warnings.push(event.message)
  await operation
  assert.match(warnings.join(), /platform \(linux\/s390x\\u001b\[31m\) does not match/)
})

test('all tags: a result for each, and one that is no image does not keep the others', async t => {
  const fake = await FakeRegistry.start(t)
  putImage(fake, two, { tag: 'v2' })
  putImage(fake, one, { tag: 'v1' })
  const config = fake.addBlob('{}')
  const artifact = { schemaVersion: 2, mediaType: ociTypes.manifest, layers: [] }
  const type = 'application/vnd.example+json'
  fake.addManifest(
    { ...artifact, config: { mediaType: type, digest: config.digest, size: config.sizeBytes } },
    { tag: 'sig' },
  )
  fake.route([[/tags\/list/, { body: JSON.stringify({ name: 'a/b', tags: ['v2', 'sig', 'v1'] }) }]])
  const store = await pullingStore(t)
  const results = await store.pullAll(`${fake.host}/a/b`)
  const told = results.map(({ reference, image, error }) => [
    reference.split(':').at(-1),
    image?.id,
    (error as { code?: string } | undefined)?.code,
  ])
  assert.deepEqual(told, [
    ['sig', undefined, 'MANIFEST_INVALID'],
    ['v1', imageIdOf(one), undefined],
    ['v2', imageIdOf(two), undefined],
  ])
  await assert.rejects(async () => store.pullAll(`${fake.host}/a/b:v1`), { code: 'REFERENCE_INVALID' })
})

test('all tags: what is no tag, though the registry says so, is an error that a terminal may show', async t => {
  const fake = await FakeRegistry.start(t)
  putImage(fake, one, { tag: 'v1' })
  fake.route([[/tags\/list/, { body: JSON.stringify({ tags: ['v1', '../../x', 'a\u001b[31m', 'sha256:ab', ''] }) }]])
  const store = await pullingStore(t)
  const results = await store.pullAll(`${fake.host}/a/b`)
  const wrong = results.filter(({ error }) => error !== undefined)
  assert.equal(wrong.length, 4)
  for (const { reference, error } of wrong) {
    assert.equal((error as { code?: string }).code, 'REFERENCE_INVALID')
    assert.ok(!`${reference}${(error as Error).message}`.includes('\u001b'))
  }
  assert.deepEqual(
    results.flatMap(({ image }) => image?.id ?? []),
    [imageIdOf(one)],
  )
  assert.equal(fake.asked.filter(asked => /manifests\/(?!v1|sha256:\w{64}$)/.test(asked)).length, 0)
})

test('a blob that an image has twice is fetched once', async t => {
  const fake = await FakeRegistry.start(t)
  const layer = noiseLayer('f', 50_000)
  const { blobs } = putImage(fake, { layers: [layer, one.layers[0]!, layer] })
  const store = await pullingStore(t)
  const image = await store.pull(`${fake.host}/a/b:v1`)
  assert.equal(image.layers.length, 3)
  assert.deepEqual(blobRequests(fake).slice(1).sort(), [...new Set(blobs)].sort())
})

/** Both are at it when both have said so. */
async function allAtLayers(operations: readonly Operation<Image>[]): Promise<void> {
  for (const operation of operations)
    for await (const event of operation) if (event.type === 'layer' && event.message === 'Pulling fs layer') break
  await sleep(50)
}

/** A layer that is asked for and comes when `go` is called. */
function heldLayer(fake: FakeRegistry, digest: string) {
  let go: () => void = () => undefined
  const going = new Promise<void>(resolve => (go = resolve))
  let heard: () => void = () => undefined
  const asked = new Promise<void>(resolve => (heard = resolve))
  const answer = async () => {
    heard()
    await going
    return { body: fake.blobs.get(digest)! }
  }
  fake.route([[`GET /v2/a/b/blobs/${digest}`, answer]])
  return { asked, go }
}

test('two pulls at once share what both want', async t => {
  const fake = await FakeRegistry.start(t)
  const { blobs } = putImage(fake, { layers: [noiseLayer('f', 3_000_000), ...one.layers] })
  const { asked, go } = heldLayer(fake, blobs[0]!)
  const name = `${fake.host}/a/b:v1`
  const store = await pullingStore(t)
  const operations = [store.pull(name), store.pull(name)]
  await asked
  await allAtLayers(operations)
  go()
  const [first, second] = await Promise.all(operations)
  assert.equal(first!.id, second!.id)
  const requests = blobRequests(fake)
  for (const blob of blobs) assert.equal(requests.filter(one => one === blob).length, 1, requests.join())
  assert.deepEqual(files(store.root, 'partial'), [])
})

test('one of two that share a transfer is aborted: the other has it all the same', async t => {
  const fake = await FakeRegistry.start(t)
  const { blobs } = putImage(fake, { layers: [noiseLayer('f', 500_000)] })
  const { asked, go } = heldLayer(fake, blobs[0]!)
  const store = await pullingStore(t)
  const abort = new AbortController()
  const first = store.pull(`${fake.host}/a/b:v1`, { signal: abort.signal })
  const second = store.pull(`${fake.host}/a/b:v1`)
  await asked
  await allAtLayers([first, second])
  abort.abort(new Error('enough'))
  await assert.rejects(Promise.resolve(first), /enough/)
  go()
  assert.equal((await second).layers.length, 1)
  assert.equal(blobRequests(fake).filter(one => one === blobs[0]).length, 1)
})

test('kept blobs are the bytes that came, and go with the last layer that they are: dry run and run agree', async t => {
  const fake = await FakeRegistry.start(t)
  const { blobs, digest } = putImage(fake, two)
  const single = putImage(fake, one, { tag: 'v0' })
  const hexes = (...digests: readonly string[]) => digests.map(one => one.slice(7)).sort()
  const store = await pullingStore(t, { blobs: 'keep' })
  await store.pull(`${fake.host}/a/b:v1`)
  await store.pull(`${fake.host}/a/b:v0`)
  assert.deepEqual(files(store.root, 'blobs'), hexes(...blobs, digest, single.digest))
  assert.deepEqual((await store.gc()).garbage, [])
  assert.deepEqual(files(store.root, 'partial'), [])
  for (const blob of blobs)
    assert.deepEqual(readFileSync(join(store.root, 'blobs/sha256', blob.slice(7))), fake.blobs.get(blob))
  assert.deepEqual((await store.check({ depth: 'full' })).findings, [])
  await store.remove(`${fake.host}/a/b:v1`, { force: true })
  await store.gc()
  assert.deepEqual(files(store.root, 'blobs'), hexes(single.blobs[0]!, single.digest))
  await store.remove(`${fake.host}/a/b:v0`, { force: true })
  const said = await store.gc({ dryRun: true })
  assert.deepEqual(
    said.garbage.map(({ kind, name }) => [kind, name]),
    [single.blobs[0]!, single.digest].sort().map(name => ['blob', name]),
  )
  const blocks = hexes(single.blobs[0]!, single.digest).map(
    name => statSync(join(store.root, 'blobs/sha256', name)).blocks,
  )
  assert.equal(said.freedBytes, (blocks[0]! + blocks[1]!) * 512)
  assert.deepEqual(await store.gc(), said)
  assert.deepEqual(files(store.root, 'blobs'), [])
})

test('a dry run counts the blobs of layers that would go with it', async t => {
  const fake = await FakeRegistry.start(t)
  putImage(fake, { layers: [...two.layers, layerTar({ bad: 'x' })] }, { change: lastDigestLies(fake) })
  const store = await pullingStore(t, { blobs: 'keep', concurrentDownloads: 1 })
  await assert.rejects(async () => store.pull(`${fake.host}/a/b:v1`))
  const said = await store.gc({ dryRun: true })
  assert.deepEqual(await store.gc(), said)
})

/** The last layer's blob is there under the digest of other bytes. */
function lastDigestLies(fake: FakeRegistry) {
  return (manifest: object): object => {
    const { layers } = manifest as { layers: { digest: string; size: number }[] }
    fake.blobs.set(layers.at(-1)!.digest, Buffer.alloc(layers.at(-1)!.size, 'x'))
    return manifest
  }
}

test('what was fetched, hashed and published is noted as Docker notes it', async t => {
  const fake = await FakeRegistry.start(t)
  const { blobs } = putImage(fake, two)
  const store = await pullingStore(t)
  await store.pull(`${fake.host}/a/b:v1`)
  const folder = join(store.root, 'image/packed/distribution')
  for (const [at, blob] of blobs.entries()) {
    const diffId = digestOf(two.layers[at]!)
    assert.equal(readFileSync(join(folder, 'diffid-by-digest/sha256', blob.slice(7)), 'utf8'), diffId)
    const notes = readFileSync(join(folder, 'v2metadata-by-diffid/sha256', diffId.slice(7)), 'utf8')
    assert.deepEqual(JSON.parse(notes), [{ Digest: blob, SourceRepository: `${fake.host}/a/b`, HMAC: '' }])
  }
})

test('a store that is open for reading pulls nothing', async t => {
  const fake = await FakeRegistry.start(t)
  putImage(fake, one)
  const store = await pullingStore(t, { readOnly: true })
  await assert.rejects(async () => store.pull(`${fake.host}/a/b:v1`), { code: 'STORE_READ_ONLY' })
  assert.deepEqual(fake.asked, [])
})

test('a disk that is too small is refused before a blob is asked for', async t => {
  const fake = await FakeRegistry.start(t)
  const { manifest } = putImage(fake, one, {
    change: manifest => {
      const { layers } = manifest as { layers: { size: number }[] }
      return { ...manifest, layers: [{ ...layers[0], size: 2 ** 52 }] }
    },
  })
  assert.ok(manifest)
  const store = await pullingStore(t)
  await assert.rejects(async () => store.pull(`${fake.host}/a/b:v1`), { code: 'DISK_FULL', needed: 2 ** 52 })
  assert.deepEqual(blobRequests(fake), [digestOf(configOf(one))])
  assert.deepEqual(files(store.root, 'partial'), [])
})

test('a store takes what an earlier pull has left, though it is more than should be', async t => {
  const fake = await FakeRegistry.start(t)
  const { blobs } = putImage(fake, one)
  const store = await pullingStore(t, { blobs: 'keep' })
  mkdirSync(join(store.root, 'partial/sha256'), { recursive: true })
  writeFileSync(join(store.root, 'partial/sha256', blobs[0]!.slice(7)), Buffer.alloc(100_000))
  await store.pull(`${fake.host}/a/b:v1`)
  assert.deepEqual(blobRequests(fake).slice(1), [blobs[0]])
  assert.deepEqual(readFileSync(join(store.root, 'blobs/sha256', blobs[0]!.slice(7))), fake.blobs.get(blobs[0]!))
  assert.deepEqual(files(store.root, 'partial'), [])
})
