/** Downloads that break off, stall, lie, or are broken off: what is fetched again, and what is left. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { openRoot } from '../../src/disk/open-root.js'
import { Store } from '../../src/index.js'
import { FakeRegistry } from '../build/fake-registry.js'
import { digestOf, layerTar } from '../build/image.js'
import { blobRequests, breaksOff, noiseLayer, none, pullingStore, putImage } from '../build/registry-images.js'
import { leftovers } from '../build/store.js'

const MiB = 1024 * 1024
const base = layerTar({ base: 'it' })
const large = noiseLayer('large', 3 * MiB)

/** An image of a small and a large layer; `rest`: requests for the large one. */
async function scene(t: TestContext, layers = [base, large]) {
  const fake = await FakeRegistry.start(t)
  const put = putImage(fake, { layers })
  const [blob, bytes] = [put.blobs.at(-1)!, fake.blobs.get(put.blobs.at(-1)!)!]
  const name = `${fake.host}/a/b:v1`
  const asked = () => blobRequests(fake).flatMap(one => (one.startsWith(blob) ? [one.slice(blob.length + 1)] : []))
  return { fake, name, blob, bytes, asked, at: `GET /v2/a/b/blobs/${blob}` }
}

const partialOf = (root: string, blob: string) => join(root, 'partial/sha256', blob.slice(7))
const once = { attempts: 1, baseMs: 1, longestMs: 10 }

/** What it left is a beginning of the blob; answers with its length. */
function beginning(root: string, blob: string, bytes: Buffer): number {
  const there = readFileSync(partialOf(root, blob))
  assert.deepEqual(there, bytes.subarray(0, there.length))
  return there.length
}

async function settled(store: Store, name: string): Promise<void> {
  assert.equal((await store.image(name))?.tags.includes(name), true)
  assert.deepEqual((await store.check({ depth: 'full' })).findings, [])
  assert.deepEqual(leftovers(store.root), [])
  const partials = join(store.root, 'partial/sha256')
  assert.deepEqual(existsSync(partials) ? readdirSync(partials) : [], [])
}

test('a connection that breaks off is taken up where it broke, within the same pull', async t => {
  const { fake, name, blob, bytes, asked, at } = await scene(t)
  fake.route([[at, breaksOff(fake, blob, 2 * MiB), breaksOff(fake, blob, bytes.length)]])
  const store = await pullingStore(t)
  await store.pull(name)
  assert.deepEqual(asked(), ['', `bytes=${2 * MiB}-`])
  await settled(store, name)
})

test('what a failed pull has fetched stays, and the next one, of another store object, asks for the rest alone', async t => {
  const { fake, name, blob, bytes, asked, at } = await scene(t)
  fake.route([[at, breaksOff(fake, blob, 2 * MiB)]])
  const store = await pullingStore(t, { registry: { retries: once } })
  await assert.rejects(async () => store.pull(name), { code: 'REGISTRY_UNAVAILABLE', member: `layer ${blob}` })
  assert.equal(beginning(store.root, blob, bytes), 2 * MiB)
  assert.deepEqual(leftovers(store.root), [])
  await store.close()
  fake.forget()
  const again = await Store.open(store.root, { workers: 1, registry: { credentials: none, certificates: '/none' } })
  t.after(() => again.close())
  await again.pull(name)
  assert.deepEqual(asked(), ['', `bytes=${2 * MiB}-`])
  await settled(again, name)
})

test('a partial that is whole already is not asked for', async t => {
  const { name, blob, bytes, asked } = await scene(t)
  const store = await pullingStore(t)
  leave(store, blob, bytes)
  const operation = store.pull(name)
  await operation
  assert.deepEqual(asked(), [])
  assert.equal(operation.report.bytesToFetch, gzipSync(base).length)
  await settled(store, name)
})

function leave(store: Store, blob: string, bytes: Buffer): void {
  mkdirSync(join(store.root, 'partial/sha256'), { recursive: true })
  writeFileSync(partialOf(store.root, blob), bytes)
}

test('a server that knows no ranges sends all of it, and what is there already is passed over', async t => {
  const { fake, name, blob, bytes, asked, at } = await scene(t)
  fake.route([[at, { body: bytes }]])
  const store = await pullingStore(t)
  leave(store, blob, bytes.subarray(0, MiB))
  await store.pull(name)
  assert.deepEqual(asked(), [`bytes=${MiB}-`])
  await settled(store, name)
})

for (const [what, answer] of [
  ['says 416', { status: 416 }],
  [
    'sends less than was asked for',
    { status: 206, headers: { 'content-range': `bytes ${MiB}-${MiB + 9}/*` }, body: '0123456789' },
  ],
] as const)
  test(`a server that ${what} has the whole blob asked of it, so that what was left fails no pull for ever`, async t => {
    const { fake, name, blob, bytes, asked, at } = await scene(t)
    fake.route([[at, ({ headers }) => (headers.range === undefined ? { body: bytes } : answer)]])
    const store = await pullingStore(t)
    leave(store, blob, bytes.subarray(0, MiB))
    await store.pull(name)
    assert.deepEqual(asked(), [`bytes=${MiB}-`, ''])
    await settled(store, name)
  })

test('what was left turns out to be wrong: all of it is fetched once more, once', async t => {
  for (const wrong of [Buffer.alloc(MiB), gzipSync(Buffer.from('no tar')), Buffer.alloc(2 * MiB, 'x')]) {
    const { name, blob, asked } = await scene(t)
    const store = await pullingStore(t)
    leave(store, blob, wrong)
    await store.pull(name)
    assert.deepEqual(asked(), [`bytes=${wrong.length}-`, ''])
    await settled(store, name)
  }
})

test('what was left is wrong and whole: it is fetched once more', async t => {
  const { name, blob, bytes, asked } = await scene(t)
  const store = await pullingStore(t)
  const wrong = Buffer.from(bytes)
  wrong[bytes.length - 100]! ^= 1
  leave(store, blob, wrong)
  await store.pull(name)
  assert.deepEqual(asked(), [''])
  await settled(store, name)
})

test('bytes that are not those of the digest are final, and do not stay', async t => {
  for (const wrong of ['flipped', 'zeros', 'another tar']) {
    const { fake, name, blob, bytes, asked } = await scene(t, [base, noiseLayer('small', 10_000)])
    const lie = Buffer.from(bytes)
    if (wrong === 'flipped') lie[5000]! ^= 1
    if (wrong === 'zeros') lie.fill(0)
    if (wrong === 'another tar') Buffer.concat([gzipSync(layerTar({ x: 'y' })), lie]).copy(lie)
    fake.blobs.set(blob, lie)
    const store = await pullingStore(t)
    await assert.rejects(async () => store.pull(name), { code: 'DIGEST_MISMATCH', member: `layer ${blob}` }, wrong)
    assert.deepEqual(asked(), [''])
    assert.equal(existsSync(partialOf(store.root, blob)), false)
    assert.equal(await store.image(name), undefined)
    assert.deepEqual(leftovers(store.root), [])
  }
})

test('a blob that is wrong when it is resumed and wrong from the beginning is asked for twice, and no more', async t => {
  const { fake, name, blob, bytes, asked } = await scene(t)
  fake.blobs.set(blob, Buffer.alloc(bytes.length))
  const store = await pullingStore(t)
  leave(store, blob, bytes.subarray(0, MiB))
  await assert.rejects(async () => store.pull(name))
  assert.deepEqual(asked(), [`bytes=${MiB}-`, ''])
  assert.equal(existsSync(partialOf(store.root, blob)), false)
})

test('more bytes than there should be: SIZE_MISMATCH, announced or not', async t => {
  for (const chunked of [false, true]) {
    const { fake, name, blob, bytes, at } = await scene(t)
    const more = Buffer.concat([bytes, Buffer.alloc(1000)])
    const headers = { 'content-length': String(more.length) }
    fake.route([[at, chunked ? { headers: { 'transfer-encoding': 'chunked' }, body: more } : { headers, body: more }]])
    const store = await pullingStore(t)
    await assert.rejects(async () => store.pull(name), { code: 'SIZE_MISMATCH', member: `layer ${blob}` })
    assert.equal(existsSync(partialOf(store.root, blob)), false)
    assert.equal(await store.image(name), undefined)
  }
})

test('fewer bytes than there should be: SIZE_MISMATCH, and nothing has a name', async t => {
  const { fake, name, blob, bytes, at } = await scene(t)
  fake.route([[at, { headers: { 'transfer-encoding': 'chunked' }, body: bytes.subarray(0, MiB) }]])
  const store = await pullingStore(t)
  await assert.rejects(async () => store.pull(name), { code: 'SIZE_MISMATCH', member: `layer ${blob}` })
  assert.equal(await store.image(name), undefined)
})

test('a server that stalls is given up, and what it sent is there for the next one', async t => {
  const { fake, name, blob, bytes, at } = await scene(t)
  fake.route([[at, breaksOff(fake, blob, 2 * MiB, { stall: true })]])
  const store = await pullingStore(t, { registry: { retries: once, timeouts: { idleMs: 200 } } })
  await assert.rejects(async () => store.pull(name), { code: 'REGISTRY_UNAVAILABLE', message: /stalled/ })
  assert.equal(beginning(store.root, blob, bytes), 2 * MiB)
  fake.forget()
  await store.pull(name)
  await settled(store, name)
})

test('a layer that is whole is in the store even if a later one fails, and is not fetched again', async t => {
  const { fake, name, blob, asked } = await scene(t)
  fake.route([[`GET /v2/a/b/blobs/${blob}`, { status: 404 }]])
  const store = await pullingStore(t, { concurrentDownloads: 1 })
  // The large one is asked for first: it must fail after the small one has come.
  let held: (() => void) | undefined
  fake.route([
    [
      `GET /v2/a/b/blobs/${blob}`,
      async () => {
        await new Promise<void>(resolve => (held = resolve))
        return { status: 404 }
      },
    ],
  ])
  const two = await pullingStore(t)
  const operation = two.pull(name)
  for await (const event of operation) if (event.type === 'layer' && event.message === 'Pull complete') held?.()
  await assert.rejects(Promise.resolve(operation), { code: 'REGISTRY_NOT_FOUND', member: `layer ${blob}` })
  assert.equal(await two.image(name), undefined)
  assert.equal(existsSync(join(two.root, 'packed', `${digestOf(base).slice(7)}.tar.lz4`)), true)
  fake.forget()
  const before = blobRequests(fake).length
  await two.pull(name)
  assert.deepEqual(blobRequests(fake).slice(before), [digestOfConfig(fake), blob])
  assert.equal(asked().length, 2)
  await settled(two, name)
  assert.equal(await store.image(name), undefined)
})

const digestOfConfig = (fake: FakeRegistry) =>
  JSON.parse(fake.manifests.get('v1')!.bytes.toString()).config.digest as string

test('a pull that is aborted at any point leaves partial downloads, beginnings of their blobs, and nothing else', async t => {
  const { fake, name, blob, bytes } = await scene(t)
  for (const point of ['Pulling fs layer', 'Downloading', 'Download complete', 'Pull complete']) {
    const store = await pullingStore(t, { workers: 2 })
    fake.route([[`GET /v2/a/b/blobs/${blob}`, breaksOff(fake, blob, 2 * MiB, { stall: true })]])
    const abort = new AbortController()
    const operation = store.pull(name, { signal: abort.signal })
    for await (const event of operation) {
      const said = event.type === 'progress' ? event.action : event.type === 'layer' ? event.message : ''
      if (said === point) abort.abort(new Error('enough'))
    }
    await assert.rejects(Promise.resolve(operation), /enough/)
    assert.deepEqual(leftovers(store.root), [], point)
    if (existsSync(partialOf(store.root, blob))) beginning(store.root, blob, bytes)
    assert.deepEqual((await store.check({ depth: 'full' })).findings, [])
    fake.forget()
    await store.pull(name)
    await settled(store, name)
  }
})

test('an abort before anything is asked asks nothing', async t => {
  const { fake, name } = await scene(t)
  const store = await pullingStore(t)
  await assert.rejects(async () => store.pull(name, { signal: AbortSignal.abort(new Error('no')) }), /no/)
  assert.deepEqual(fake.asked, [])
})

test('a partial that somebody else holds is waited for, then used as it was left; an abort ends the waiting', async t => {
  const { name, blob, bytes, asked } = await scene(t)
  const store = await pullingStore(t)
  leave(store, blob, bytes.subarray(0, MiB))
  const other = await openRoot(store.root, { durability: 'none' })
  t.after(() => other.close())
  const release = (await other.tryHold(partialOf(store.root, blob)))!
  const abort = new AbortController()
  const first = store.pull(name, { signal: abort.signal })
  for await (const event of first) if (event.type === 'layer' && event.message === 'Pull complete') break
  abort.abort(new Error('enough'))
  await assert.rejects(Promise.resolve(first), /enough/)
  assert.deepEqual(asked(), [])
  const second = store.pull(name)
  for await (const event of second) if (event.type === 'layer' && event.message === 'Pulling fs layer') break
  writeFileSync(partialOf(store.root, blob), bytes.subarray(0, 2 * MiB))
  await release()
  await second
  assert.deepEqual(asked(), [`bytes=${2 * MiB}-`])
  await settled(store, name)
})

test('whoever waited for somebody else’s download finds the layer there, and fetches nothing', async t => {
  const { fake, name, blob, asked } = await scene(t, [large])
  let go: () => void = () => undefined
  const going = new Promise<void>(resolve => (go = resolve))
  let seen: () => void = () => undefined
  const wasAsked = new Promise<void>(resolve => (seen = resolve))
  fake.route([
    [
      `GET /v2/a/b/blobs/${blob}`,
      async () => {
        seen()
        await going
        return { body: fake.blobs.get(blob)! }
      },
    ],
  ])
  const first = await pullingStore(t)
  const second = await Store.open(first.root, {
    durability: 'none',
    workers: 1,
    registry: { credentials: none, certificates: '/none' },
  })
  t.after(() => second.close())
  const one = first.pull(name)
  await wasAsked
  const two = second.pull(name)
  for await (const event of two) if (event.type === 'layer' && event.message === 'Pulling fs layer') break
  await new Promise(resolve => setTimeout(resolve, 50))
  go()
  assert.equal((await one).id, (await two).id)
  assert.deepEqual(asked(), [''])
  await settled(first, name)
})

test('blobs that stall keep no thread from one that is whole', async t => {
  const [first, second] = [noiseLayer('first', 8 * MiB, 1), noiseLayer('second', 8 * MiB, 2)]
  const fake = await FakeRegistry.start(t)
  const { blobs } = putImage(fake, { layers: [base, first, second] })
  for (const blob of blobs.slice(1))
    fake.route([[`GET /v2/a/b/blobs/${blob}`, breaksOff(fake, blob, 8 * MiB - 65_536, { stall: true })]])
  // The small one comes when the others are being used already.
  const small = fake.blobs.get(blobs[0]!)!
  const late = async () => {
    await new Promise(resolve => setTimeout(resolve, 300))
    return { body: small }
  }
  fake.route([[`GET /v2/a/b/blobs/${blobs[0]}`, late]])
  const store = await pullingStore(t, { workers: 2 })
  const abort = new AbortController()
  const operation = store.pull(`${fake.host}/a/b:v1`, { signal: abort.signal })
  for await (const event of operation) if (event.type === 'layer' && event.message === 'Pull complete') break
  abort.abort(new Error('enough'))
  await assert.rejects(Promise.resolve(operation), /enough/)
})
