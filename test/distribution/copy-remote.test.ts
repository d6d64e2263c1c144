/** Copies from registry to registry: what is asked, what moves, in which order, and what happens when it does not. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { BlobCopy } from '../../src/distribution/copy-blobs.js'
import { type CopyRemoteOptions, copyRemote } from '../../src/distribution/copy-remote.js'
import { defaultLimits } from '../../src/limits.js'
import { mediaTypes } from '../../src/oci/media-type.js'
import { Operation, type OperationEvent } from '../../src/operation.js'
import type { RegistryOptions } from '../../src/registry/options.js'
import { certificate } from '../build/certificate.js'
import { FakeRegistry, refusal, resolver, sha256 } from '../build/fake-registry.js'
import { clientOf } from '../build/registry-client.js'
import { give, madeIndex, madeManifest } from '../build/remote-image.js'

const large = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 31) & 255))
const amd = madeManifest('amd64', ['shared', 'only amd64', large])
const arm = madeManifest('arm64', ['shared', 'only arm64'])
const index = madeIndex({ 'linux/amd64': amd, 'linux/arm64': arm })

async function twoRegistries(t: TestContext, { tls = false, ...options }: RegistryOptions & { tls?: boolean } = {}) {
  const [from, to] = [await FakeRegistry.start(t, { tls }), await FakeRegistry.start(t)]
  for (const made of [amd, arm]) give(from, made)
  give(from, index, 'v1')
  const client = clientOf(t, options)
  const events: OperationEvent[] = []
  const copy = (source: string, target: string, { signal, ...how }: CopyRemoteOptions = {}) => {
    const operation = new Operation(
      op =>
        copyRemote(
          source,
          target,
          how,
          { client, limits: defaultLimits },
          { ...op, emit: event => void events.push(event) },
        ),
      signal,
    )
    return operation.then(copied => ({ copied, report: operation.report }))
  }
  return { from, to, copy, events, client }
}

const sum = (...texts: readonly (string | Buffer)[]) => texts.reduce((total, text) => total + text.length, 0)
const configs = sum('{"name":"amd64"}', '{"name":"arm64"}')
const all = sum('shared', 'only amd64', 'only arm64', large) + configs
const puts = (fake: FakeRegistry) => fake.asked.filter(one => one.startsWith('PUT') && one.includes('/manifests/'))

test('an index goes as a whole: every byte, children first, the tag last, each blob once', async t => {
  const { from, to, copy, events } = await twoRegistries(t)
  const { copied, report } = await copy(`${from.host}/a/b:v1`, `${to.host}/c/d:v2`)
  assert.deepEqual(copied, {
    ...{ digest: index.digest, mediaType: mediaTypes.ociIndex, sizeBytes: index.bytes.length, manifests: 3 },
    ...{ bytesMounted: 0, bytesExisting: 0, bytesStreamed: all },
  })
  assert.deepEqual(to.manifests.get('v2'), { type: mediaTypes.ociIndex, bytes: index.bytes })
  for (const { digest, bytes } of [amd, arm]) assert.deepEqual(to.manifests.get(digest)?.bytes, bytes)
  assert.deepEqual([...to.blobs.keys()].sort(), [...from.blobs.keys()].sort())
  assert.deepEqual(
    puts(to),
    [amd.digest, arm.digest, 'v2'].map(name => `PUT /v2/c/d/manifests/${name}`),
  )
  assert.equal(from.asked.filter(one => one.startsWith('GET') && one.includes('blobs')).length, from.blobs.size)
  assert.equal(to.asked.filter(one => one.startsWith('POST')).length, from.blobs.size)
  assert.ok(!to.asked.some(one => one.includes('mount=')))
  assert.deepEqual([report.bytesRead, report.bytesWritten, report.bytesReused], [all, all, 0])
  assert.deepEqual(events.at(-1), {
    ...{ type: 'tag', subject: `${to.host}/c/d:v2`, message: `Copied image: ${to.host}/c/d:v2` },
  })
  const moved = events.filter(({ type }) => type === 'layer').map(({ subject }) => subject)
  assert.equal(new Set(moved).size, from.blobs.size)
  const last = events.findLast(one => one.type === 'progress' && one.subject === sha256(large).slice(7, 19))
  assert.ok(last?.type === 'progress' && last.done === large.length && last.total === large.length)
})

test('a blob is begun to be sent before it is read to its end', async t => {
  const { from, to, copy } = await twoRegistries(t)
  const half = large.length / 2
  let rest: (() => void) | undefined
  from.route([
    [
      new RegExp(`GET .*blobs/${sha256(large)}`),
      (_seen, response) => {
        response.writeHead(200, { 'content-length': String(large.length) })
        response.write(large.subarray(0, half))
        rest = () => response.end(large.subarray(half))
        return undefined
      },
    ],
  ])
  const copying = copy(`${from.host}/a/b@${amd.digest}`, `${to.host}/a/b:v1`)
  // The target has what the source has not yet sent all of: that is when the rest comes.
  while (to.received < half / 2) await new Promise(resolve => setTimeout(resolve, 5))
  rest!()
  assert.equal((await copying).copied.digest, amd.digest)
  assert.deepEqual(to.blobs.get(sha256(large)), large)
})

test('what is there already is not sent; a second copy moves nothing', async t => {
  const { from, to, copy, events } = await twoRegistries(t)
  to.addBlob(large)
  const first = await copy(`${from.host}/a/b:v1`, `${to.host}/c/d`)
  assert.deepEqual([first.copied.bytesExisting, first.copied.bytesStreamed], [large.length, all - large.length])
  assert.ok(to.manifests.has('latest'))
  events.length = 0
  const again = await copy(`${from.host}/a/b:v1`, `${to.host}/c/d`)
  assert.deepEqual([again.copied.bytesExisting, again.copied.bytesStreamed, again.report.bytesReused], [all, 0, all])
  assert.ok(events.every(({ type }) => type !== 'progress'))
})

test('one platform of an index is its manifest alone', async t => {
  const { from, to, copy } = await twoRegistries(t)
  const { copied } = await copy(`${from.host}/a/b:v1`, `${to.host}/c/d:v1`, { platform: 'linux/arm64' })
  assert.deepEqual([copied.digest, copied.manifests], [arm.digest, 1])
  assert.deepEqual(to.manifests.get('v1')?.bytes, arm.bytes)
  assert.equal(to.blobs.size, 3)
  await assert.rejects(copy(`${from.host}/a/b:v1`, `${to.host}/c/d:v1`, { platform: 'plan9/mips' }), {
    code: 'PLATFORM_NOT_FOUND',
  })
})

test('on one registry blobs are mounted; where that is refused they are sent', async t => {
  const { from, copy } = await twoRegistries(t)
  const mounts: string[] = []
  from.route([
    [
      /^POST .*mount=/,
      ({ url }) => {
        const asked = new URL(url, from.origin).searchParams
        mounts.push(`${asked.get('from')}`)
        return { status: 201, headers: { 'docker-content-digest': asked.get('mount')! } }
      },
    ],
  ])
  const { copied } = await copy(`${from.host}/a/b:v1`, `${from.host}/c/d:v1`)
  assert.deepEqual([copied.bytesMounted, copied.bytesStreamed], [all, 0])
  assert.ok(mounts.length === from.blobs.size && mounts.every(path => path === 'a/b'))
  from.forget()
  const posts = from.asked.filter(one => one.startsWith('POST')).length
  const there = await copy(`${from.host}/a/b:v1`, `${from.host}/e/f:v1`)
  // The fake begins an upload instead, which is ended; and its blobs are those of all repositories.
  assert.deepEqual([there.copied.bytesMounted, there.copied.bytesExisting], [0, all])
  assert.equal(from.asked.filter(one => one.startsWith('POST')).length - posts, from.blobs.size)
  assert.equal(from.uploads.size, 0)
})

test('referrers stay behind, unless they are asked for', async t => {
  const { from, to, copy } = await twoRegistries(t)
  const subject = { mediaType: mediaTypes.ociManifest, digest: amd.digest, size: amd.bytes.length }
  const signature = madeManifest('signature', ['signed'], { subject, artifactType: 'application/x-signature' })
  give(from, signature)
  const list = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [
      { ...subject, digest: signature.digest, size: signature.bytes.length, artifactType: 'application/x-signature' },
    ],
  }
  const none = { ...list, manifests: [] }
  from.route([
    [new RegExp(`referrers/${amd.digest}`), { body: JSON.stringify(list) }],
    [/referrers/, { body: JSON.stringify(none) }],
  ])
  await copy(`${from.host}/a/b:v1`, `${to.host}/c/d:v1`)
  assert.ok(!to.manifests.has(signature.digest))
  assert.ok(!from.asked.some(one => one.includes('referrers')))
  const { copied } = await copy(`${from.host}/a/b:v1`, `${to.host}/c/d:v1`, { referrers: true })
  assert.equal(copied.manifests, 5 - 1)
  assert.deepEqual(to.manifests.get(signature.digest)?.bytes, signature.bytes)
  assert.ok(to.blobs.has(sha256('signed')))
  assert.equal(puts(to).at(-1), 'PUT /v2/c/d/manifests/v1')
})

test('what goes round in a circle of referrers ends', async t => {
  const { from, to, copy } = await twoRegistries(t)
  const list = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [amd, arm].map(({ digest, bytes }) => ({
      mediaType: mediaTypes.ociManifest,
      digest,
      size: bytes.length,
    })),
  }
  from.route([[/referrers/, { body: JSON.stringify(list) }]])
  assert.equal((await copy(`${from.host}/a/b:v1`, `${to.host}/c/d:v1`, { referrers: true })).copied.manifests, 3)
})

test('a broken download goes on by a range, a broken upload begins anew', async t => {
  const { from, to, copy } = await twoRegistries(t)
  const path = `blobs/${sha256(large)}`
  from.route([
    [
      new RegExp(`^GET .*${path}`),
      (_seen, response) => {
        response.writeHead(200, { 'content-length': String(large.length) })
        response.write(large.subarray(0, 1_000_000), () => response.destroy())
        return undefined
      },
      ({ headers }) => {
        const at = Number(/^bytes=(\d+)-$/.exec(String(headers.range))?.[1])
        assert.ok(at > 0 && at <= 1_000_000)
        const range = { 'content-range': `bytes ${at}-${large.length - 1}/${large.length}` }
        return { status: 206, headers: range, body: large.subarray(at) }
      },
    ],
  ])
  await copy(`${from.host}/a/b@${amd.digest}`, `${to.host}/c/d:v1`)
  assert.deepEqual(to.blobs.get(sha256(large)), large)
  assert.equal(from.asked.filter(one => one.includes(path)).length, 2)
  to.blobs.delete(sha256(large))
  from.forget()
  to.route([[/^PUT .*blobs.uploads/, { status: 503 }, { status: 503 }, seen => to.behave(seen)]])
  await copy(`${from.host}/a/b@${amd.digest}`, `${to.host}/c/d:v1`)
  assert.deepEqual(to.blobs.get(sha256(large)), large)
  assert.equal(to.uploads.size, 0)
})

test('a source that lies, breaks off or has not what its manifest names is told, and nothing gets the name', async t => {
  const { from, to, copy } = await twoRegistries(t)
  const path = new RegExp(`^GET .*blobs/${sha256(large)}`)
  const other = Buffer.alloc(large.length)
  for (const [answer, code] of [
    [{ body: other }, 'DIGEST_MISMATCH'],
    [{ body: large.subarray(1) }, 'SIZE_MISMATCH'],
    [{ status: 404, ...refusal('BLOB_UNKNOWN', 'gone') }, 'REGISTRY_NOT_FOUND'],
    [{ status: 403, ...refusal('DENIED', 'no') }, 'REGISTRY_DENIED'],
    [{ status: 500 }, 'REGISTRY_UNAVAILABLE'],
  ] as const) {
    from.forget()
    from.route([[path, answer]])
    await assert.rejects(copy(`${from.host}/a/b:v1`, `${to.host}/c/d:v1`), (error: { code: string; host?: string }) => {
      assert.equal(error.code, code)
      // The registry that failed is the one that is named.
      if (code.startsWith('REGISTRY_')) assert.equal(error.host, from.host)
      return true
    })
    assert.deepEqual([to.manifests.size, to.uploads.size, to.blobs.has(sha256(large))], [0, 0, false], code)
  }
  // Its own tries, not those of the upload times them.
  assert.equal(from.asked.filter(one => path.test(one)).length, 4 + 3)
})

test('a target that refuses is told, and one that says it has what it has not', async t => {
  const { from, to, copy } = await twoRegistries(t)
  to.route([[/^POST/, { status: 403, ...refusal('DENIED', 'read only') }]])
  await assert.rejects(copy(`${from.host}/a/b:v1`, `${to.host}/c/d:v1`), { code: 'REGISTRY_DENIED', host: to.host })
  to.forget()
  to.route([[/^HEAD .*blobs/, { headers: { 'content-length': '3' } }]])
  await assert.rejects(copy(`${from.host}/a/b:v1`, `${to.host}/c/d:v1`), { code: 'SIZE_MISMATCH', seen: 3 })
  assert.equal(to.manifests.size, 0)
})

test('a cancelled copy ends its uploads and leaves no name', async t => {
  const { from, to, copy } = await twoRegistries(t)
  const stop = new AbortController()
  from.route([
    [
      new RegExp(`^GET .*blobs/${sha256(large)}`),
      (_seen, response) => {
        response.writeHead(200, { 'content-length': String(large.length) })
        response.write(large.subarray(0, 1_000_000))
        return undefined
      },
    ],
  ])
  const copying = copy(`${from.host}/a/b@${amd.digest}`, `${to.host}/c/d:v1`, { signal: stop.signal })
  const rejected = assert.rejects(copying, /enough/)
  while (to.received < 100_000) await new Promise(resolve => setTimeout(resolve, 5))
  stop.abort(new Error('enough'))
  await rejected
  assert.deepEqual([to.manifests.size, to.uploads.size], [0, 0])
  assert.ok(to.asked.some(one => one.startsWith('DELETE')))
})

test('references: latest is understood, a digest must be the one that is copied', async t => {
  const { from, to, copy } = await twoRegistries(t)
  await copy(`${from.host}/a/b@${index.digest}`, `${to.host}/c/d@${index.digest}`)
  assert.deepEqual(puts(to).at(-1), `PUT /v2/c/d/manifests/${index.digest}`)
  assert.ok(!to.manifests.has('latest'))
  await assert.rejects(copy(`${from.host}/a/b@${index.digest}`, `${to.host}/c/d@${amd.digest}`), {
    code: 'DIGEST_MISMATCH',
  })
  await assert.rejects(copy(`${from.host}/a/b:nope`, `${to.host}/c/d`), { code: 'REGISTRY_NOT_FOUND', host: from.host })
  await assert.rejects(copy('A b', `${to.host}/c/d`), { code: 'REFERENCE_INVALID' })
})

test('layers that are behind URLs alone are passed over, with a warning', async t => {
  const { from, to, copy, events } = await twoRegistries(t)
  const layer = {
    mediaType: mediaTypes.dockerForeignLayer,
    digest: sha256('far away'),
    size: 8,
    urls: ['https://far.test/x'],
  }
  const made = madeManifest('foreign', [], { layers: [layer] })
  give(from, made, 'foreign')
  await copy(`${from.host}/a/b:foreign`, `${to.host}/c/d:v1`)
  assert.ok(events.some(({ type, subject }) => type === 'warning' && subject === layer.digest.slice(7, 19)))
  assert.ok(!to.blobs.has(layer.digest))
})

test('an index within an index, and one that is too deep', async t => {
  const { from, to, copy } = await twoRegistries(t)
  let inner: { bytes: Buffer; mediaType: string; digest: string } = index
  const wrap = () => {
    const entry = { mediaType: inner.mediaType, digest: inner.digest, size: inner.bytes.length }
    inner = madeIndex({}, [entry])
    give(from, inner, 'deep')
  }
  wrap()
  assert.equal((await copy(`${from.host}/a/b:deep`, `${to.host}/c/d:v1`)).copied.manifests, 4)
  for (let n = 0; n < defaultLimits.indexDepth; n++) wrap()
  await assert.rejects(copy(`${from.host}/a/b:deep`, `${to.host}/c/d:v2`), {
    code: 'LIMIT_EXCEEDED',
    limit: 'indexDepth',
  })
  assert.ok(!to.manifests.has('v2'))
})

test('from a registry with a certificate to one without', async t => {
  const { from, to, copy } = await twoRegistries(t, {
    tls: true,
    ca: [certificate],
    lookup: resolver({ 'registry.test': '127.0.0.1' }),
  })
  assert.equal((await copy(`registry.test:${from.port}/a/b:v1`, `${to.host}/c/d:v1`)).copied.bytesStreamed, all)
})

test('however fast both sides are, others have a turn after a MiB or so', async () => {
  const piece = Buffer.alloc(65_536)
  const [pieces, blobs] = [160, 4]
  const from = {
    async *blob() {
      for (let n = 0; n < pieces; n++) yield piece
    },
  }
  const to = {
    stat: async () => undefined,
    upload: async (_blob: unknown, open: () => AsyncIterable<Uint8Array>) => {
      for await (const _piece of open());
    },
  }
  const perTurn: number[] = []
  let [before, over] = [0, false]
  const operation = new Operation(op => {
    const tick = () => {
      perTurn.push(op.report.bytesRead - before)
      before = op.report.bytesRead
      if (!over) setImmediate(tick)
    }
    setImmediate(tick)
    const route = { from, to, mountFrom: undefined } as unknown as ConstructorParameters<typeof BlobCopy>[0]
    const layers = Array.from({ length: blobs }, (_, n) => ({
      ...{ mediaType: mediaTypes.ociLayer, digest: sha256(`${n}`), sizeBytes: pieces * piece.length },
    }))
    return new BlobCopy(route, op).copy({
      kind: 'manifest',
      mediaType: '',
      config: layers[0]!,
      layers: layers.slice(1),
    })
  })
  await operation
  over = true
  perTurn.push(operation.report.bytesRead - before)
  assert.equal(operation.report.bytesRead, blobs * pieces * piece.length)
  const most = Math.max(...perTurn)
  assert.ok(most <= 1024 * 1024 + blobs * piece.length, `${most} bytes in one turn`)
})
