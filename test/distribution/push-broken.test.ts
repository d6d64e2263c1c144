/** Pushes that do not go as they should: what goes on, what begins anew, what is told, and what is left. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from '../../src/index.js'
import type { JobName, Jobs } from '../../src/pool/jobs.js'
import type { RunOptions } from '../../src/pool/pool.js'
import { cutting } from '../build/cutting-proxy.js'
import { type Answering, type FakeRegistry, type Reply, refusal, sha256 } from '../build/fake-registry.js'
import { digestOf, layerTar } from '../build/image.js'
import { type PushScene, pushScene, type SceneOptions, threeLayers, toldBy, unzipped } from '../build/push-scene.js'
import { Random } from '../build/random-tar.js'
import { leftovers } from '../build/store.js'
import { file, tar } from '../build/tar.js'

const large = tar([file('x', randomBytes(3_000_000))])

/** Counts how often a layer is compressed. */
class CountingPool extends Pool {
  compressed = 0
  override run<K extends JobName>(name: K, input: Jobs[K]['input'], options?: RunOptions): Promise<Jobs[K]['output']> {
    if (name === 'gzip-layer') this.compressed++
    return super.run(name, input, options)
  }
}

type Context = Parameters<typeof pushScene>[0]

async function counting(t: Context, options: SceneOptions = {}) {
  const pool = new CountingPool({ workers: 1 })
  t.after(() => pool.close())
  return { pool, scene: await pushScene(t, { layers: [large], pool, ...options }) }
}

/** The first PATCH with more than so many bytes is kept so far, and broken off. */
function breaking(fake: FakeRegistry, keptBytes: number, { forgets = false, times = 1 } = {}): Answering {
  let broken = 0
  return ({ url, body }, response) => {
    const id = /uploads\/(\d+)/.exec(url)?.[1] ?? ''
    const there = fake.uploads.get(id)
    if (there === undefined) return { status: 404, ...refusal('BLOB_UPLOAD_UNKNOWN', 'gone') }
    const breaks = body.length > keptBytes && broken++ < times
    const all = Buffer.concat([there, breaks ? body.subarray(0, keptBytes) : body])
    fake.uploads.set(id, all)
    if (!breaks)
      return { status: 202, headers: { location: `/v2/a/b/blobs/uploads/${id}`, range: `0-${all.length - 1}` } }
    if (forgets) fake.uploads.delete(id)
    response.destroy()
    return undefined
  }
}

const patches = ({ fake }: PushScene) =>
  fake.seen.flatMap(({ method, body }) => (method === 'PATCH' && body.length > 1000 ? [body.length] : []))
const begins = ({ fake }: PushScene) => fake.asked.filter(one => one.startsWith('POST')).length

async function isWhole({ scene, pool }: { readonly scene: PushScene; readonly pool: CountingPool }): Promise<void> {
  assert.deepEqual(scene.pushed().blobs.map(unzipped), scene.diffIds)
  assert.equal(pool.compressed, 1)
  assert.equal(scene.fake.uploads.size, 0)
  assert.deepEqual(leftovers(scene.store.root), [])
}

test('an upload that broke off goes on with the byte that the registry wants next', async t => {
  const counted = await counting(t)
  const { scene } = counted
  scene.fake.route([[/^PATCH/, breaking(scene.fake, 1_234_567, { times: 2 })]])
  await scene.store.push(scene.name)
  await isWhole(counted)
  const size = scene.pushed().blobs[0]!.length
  assert.deepEqual(patches(scene), [size, size - 1_234_567, size - 2 * 1_234_567])
  // The config has the other one.
  assert.equal(begins(scene), 2)
})

test('a connection that is cut in the middle: nothing that the registry has is sent again', async t => {
  for (const cutAt of [100_000, 1_500_000, 2_900_000]) {
    const counted = await counting(t)
    const { scene } = counted
    const proxy = await cutting(t, scene.fake.host, cutAt)
    const name = `${proxy.host}/a/b:v1`
    await scene.store.tag(scene.name, name)
    await scene.store.push(name)
    assert.equal(proxy.cuts(), 1)
    await isWhole(counted)
    assert.equal(
      patches(scene).reduce((sum, bytes) => sum + bytes, 0),
      scene.pushed().blobs[0]!.length,
    )
  }
})

test('an upload that the registry forgets with the failure begins anew, of what is compressed already', async t => {
  const counted = await counting(t)
  const { scene } = counted
  scene.fake.route([[/^PATCH/, breaking(scene.fake, 2_000_000, { forgets: true })]])
  await scene.store.push(scene.name)
  await isWhole(counted)
  const size = scene.pushed().blobs[0]!.length
  assert.deepEqual(patches(scene), [size, size])
  assert.equal(begins(scene), 3)
})

test('an upload that is gone without a word begins anew, and not for ever', async t => {
  const counted = await counting(t)
  const { scene } = counted
  const gone = { status: 404, ...refusal('BLOB_UPLOAD_INVALID', 'blob upload invalid') }
  scene.fake.route([[/^PATCH .*uploads\/1\b/, gone]])
  await scene.store.push(scene.name)
  await isWhole(counted)
  const { scene: other } = await counting(t)
  other.fake.route([[/^PATCH/, gone]])
  await assert.rejects(async () => other.store.push(other.name), { code: 'REGISTRY_NOT_FOUND', reference: other.name })
  assert.equal(begins(other), 4)
})

test('one byte that may be none is sent anew', async t => {
  const counted = await counting(t)
  const { scene } = counted
  scene.fake.route([[/^PATCH/, breaking(scene.fake, 0)]])
  await scene.store.push(scene.name)
  await isWhole(counted)
  assert.equal(begins(scene), 3)
})

test('a registry that breaks off each time is given up, with what it was', async t => {
  const { scene } = await counting(t)
  scene.fake.route([[/^PATCH/, breaking(scene.fake, 100, { times: 99 })]])
  await assert.rejects(async () => scene.store.push(scene.name), {
    code: 'REGISTRY_UNAVAILABLE',
    reference: scene.name,
  })
  assert.equal(patches(scene).length, 3)
  assert.equal(scene.fake.uploads.size, 0)
  assert.equal(scene.fake.manifests.size, 0)
})

test('bytes that get on make a broken connection a slow one', async t => {
  const layer = tar([file('x', randomBytes(12_000_000))])
  const counted = await counting(t, { layers: [layer] })
  const { scene } = counted
  // More often than anything is tried, each time with more than a MiB.
  scene.fake.route([[/^PATCH/, breaking(scene.fake, 2_000_000, { times: 5 })]])
  await scene.store.push(scene.name)
  await isWhole(counted)
  assert.equal(patches(scene).length, 6)
})

test('the answer to the last request is lost: the blob that is there is not sent again', async t => {
  const counted = await counting(t)
  const { scene } = counted
  scene.fake.route([
    [
      /^PUT .*uploads\/1\b/,
      ({ url }, response) => {
        const digest = new URL(url, scene.fake.origin).searchParams.get('digest')!
        scene.fake.blobs.set(digest, scene.fake.uploads.get('1')!)
        scene.fake.uploads.delete('1')
        response.destroy()
        return undefined
      },
    ],
  ])
  await scene.store.push(scene.name)
  await isWhole(counted)
  assert.equal(patches(scene).length, 1)
})

test('the last request fails in passing: the blob begins anew', async t => {
  const counted = await counting(t)
  const { scene } = counted
  scene.fake.route([[/^PUT .*uploads\/1\b/, { status: 503 }]])
  const operation = scene.store.push(scene.name)
  const said: string[] = []
  for await (const event of operation) if (event.type === 'layer') said.push(event.message)
  await operation
  assert.deepEqual(said, ['Preparing', 'Retrying in 1 second', 'Pushed'])
  await isWhole(counted)
  assert.equal(patches(scene).length, 2)
})

test('429 with Retry-After is waited for, wherever it comes', async t => {
  const limit: Reply = { status: 429, headers: { 'retry-after': '1' } }
  const waited = async (when: RegExp) => {
    const counted = await counting(t)
    const { scene } = counted
    // Once, and then as it behaves.
    let limited = 0
    scene.fake.guard = ({ method, url }) => {
      if (!when.test(`${method} ${url}`) || limited++ > 0) return undefined
      return limit
    }
    const started = performance.now()
    await scene.store.push(scene.name)
    assert.ok(performance.now() - started >= 900, String(when))
    await isWhole(counted)
  }
  await Promise.all([/^POST .*uploads\/$/, /^PATCH/, /^PUT .*digest=/, /^PUT .*manifests/, /^HEAD/].map(waited))
  const { scene } = await counting(t)
  scene.fake.route([[/^POST/, { status: 429, headers: { 'retry-after': '86400' } }]])
  await assert.rejects(async () => scene.store.push(scene.name), { code: 'REGISTRY_LIMIT', retryAfterMs: 86_400_000 })
})

test('a registry that took something else is not believed, nor noted', async t => {
  const wrong = { status: 201, headers: { 'docker-content-digest': sha256('something else') } }
  const blob = await pushScene(t)
  blob.fake.route([[/^PUT .*digest=/, wrong]])
  await assert.rejects(async () => blob.store.push(blob.name), { code: 'DIGEST_MISMATCH' })
  assert.equal(blob.fake.manifests.size, 0)
  assert.deepEqual(
    threeLayers.flatMap(layer => blob.notesOf(layer)),
    [],
  )
  const manifest = await pushScene(t)
  manifest.fake.route([[/^PUT .*manifests/, wrong]])
  await assert.rejects(async () => manifest.store.push(manifest.name), { code: 'DIGEST_MISMATCH' })
  assert.equal(await manifest.store.image(`${manifest.fake.host}/a/b@${sha256('something else')}`), undefined)
})

test('a registry that has not got what it took, or less of it', async t => {
  const none = await pushScene(t)
  none.fake.guard = ({ method }) => (method === 'HEAD' ? { status: 404 } : undefined)
  await assert.rejects(async () => none.store.push(none.name), {
    code: 'REGISTRY_PROTOCOL',
    message: /does not have it/,
  })
  assert.equal(none.fake.manifests.size, 0)
  const less = await pushScene(t)
  less.fake.guard = ({ method }) => (method === 'HEAD' ? { headers: { 'content-length': '7' } } : undefined)
  await assert.rejects(async () => less.store.push(less.name), { code: 'REGISTRY_PROTOCOL', seen: 7 })
  assert.equal(less.fake.manifests.size, 0)
})

test('the first failure of a layer ends the others and is what is told', async t => {
  const layers = [...Array.from({ length: 7 }, (_, n) => tar([file(`${n}`, randomBytes(300_000))]))]
  const scene = await pushScene(t, { layers, workers: 2 })
  let refusedAt = 0
  // The third upload is refused while the others hang.
  scene.fake.route([
    [
      /^PATCH/,
      async ({ url }, response) => {
        if (/uploads\/3\b/.test(url)) {
          refusedAt = scene.fake.seen.length
          return { status: 403, ...refusal('DENIED', 'quota') }
        }
        await sleep(3000, undefined, { ref: false })
        response.destroy()
        return undefined
      },
    ],
  ])
  await assert.rejects(async () => scene.store.push(scene.name), { code: 'REGISTRY_DENIED', message: /quota/ })
  assert.ok(refusedAt > 0)
  assert.equal(scene.fake.uploads.size, 0)
  assert.equal(scene.fake.manifests.size, 0)
  assert.deepEqual(leftovers(scene.store.root), [])
})

test('an abort at any moment ends all of it, with its reason, and leaves nothing', async t => {
  const seed = Number(process.env.PHYLLO_SEED ?? Date.now() % 1e6)
  t.diagnostic(`seed ${seed}`)
  const layers = Array.from({ length: 4 }, (_, n) =>
    n === 0 ? large : layerTar({ [`${n}`]: 'text of a layer\n'.repeat(20_000 * n) }),
  )
  const scene = await pushScene(t, { layers, workers: 2 })
  const { fake, store, name } = scene
  const random = new Random(seed)
  let [aborted, done] = [0, 0]
  for (let times = 0; times < 12; times++) {
    const abort = new AbortController()
    const reason = new Error(`enough ${times}`)
    // After so many requests, or so many milliseconds.
    const [requests, ms] = [Math.floor(random.next() * 20), random.next() * 250]
    let seen = 0
    fake.guard = () => void (++seen === requests && abort.abort(reason))
    const timer = setTimeout(() => abort.abort(reason), ms)
    try {
      await store.push(name, { signal: abort.signal })
      done++
    } catch (error) {
      assert.equal(error, reason)
      aborted++
    }
    clearTimeout(timer)
    fake.guard = undefined
    assert.equal(fake.uploads.size, 0, `of ${fake.asked.slice(-20).join('\n')}`)
    assert.deepEqual(leftovers(store.root), [])
    fake.blobs.clear()
    fake.manifests.clear()
  }
  assert.ok(aborted > 0, `${aborted} of ${aborted + done}`)
  const { result } = await toldBy(store.push(name))
  assert.equal(result.digest, digestOf(scene.pushed().bytes))
  assert.deepEqual(scene.pushed().blobs.map(unzipped), scene.diffIds)
})
