/** Uploads: every way in which a blob gets to a registry, and what happens when it does not. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Answering, FakeRegistry, type Routes, refusal, sha256 } from '../build/fake-registry.js'
import { repositoryOf } from '../build/registry-client.js'

const content = Buffer.from(Array.from({ length: 10_000 }, (_, i) => (i * 17) & 255))
const blob = { digest: sha256(content), sizeBytes: content.length }
const query = '_state=a%20b%2Bc'

async function served(t: TestContext, routes: Routes = []) {
  const fake = await FakeRegistry.start(t, { routes })
  return { fake, repository: repositoryOf(t, fake, { timeouts: { idleMs: 200, answerMs: 2000 } }) }
}

async function* pieces(bytes: Buffer = content, size = 999): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

test('in one request: POST, then PUT with the length and the registry’s own parameters', async t => {
  const { fake, repository } = await served(t)
  await repository.upload(blob, () => pieces())
  assert.deepEqual(fake.blobs.get(blob.digest), content)
  assert.deepEqual(fake.asked.slice(1), [
    'POST /v2/a/b/blobs/uploads/',
    `PUT /v2/a/b/blobs/uploads/1?${query}&digest=${encodeURIComponent(blob.digest)}`,
  ])
  assert.equal(fake.seen.at(-1)?.headers['content-length'], '10000')
  assert.equal(fake.seen.at(-1)?.headers['content-type'], 'application/octet-stream')
  assert.equal(fake.seen.at(-2)?.headers['content-length'], '0')
})

test('an empty blob', async t => {
  const { fake, repository } = await served(t)
  await repository.upload({ digest: sha256(''), sizeBytes: 0 }, () => pieces(Buffer.alloc(0)))
  assert.equal(fake.blobs.get(sha256(''))?.length, 0)
})

test('in chunks: in order, each with its range, the last one smaller', async t => {
  const { fake, repository } = await served(t)
  await repository.upload(blob, () => pieces(), { chunkBytes: 4096 })
  assert.deepEqual(fake.blobs.get(blob.digest), content)
  const patches = fake.seen.filter(({ method }) => method === 'PATCH')
  assert.deepEqual(
    patches.map(({ headers }) => [headers['content-range'], headers['content-length']]),
    [
      ['0-4095', '4096'],
      ['4096-8191', '4096'],
      ['8192-9999', '1808'],
    ],
  )
})

test('chunks are as large as the registry wants them', async t => {
  const { fake, repository } = await served(t)
  fake.route([['POST /v2/a/b/blobs/uploads/', begun(fake, { 'oci-chunk-min-length': '6000' })]])
  await repository.upload(blob, () => pieces(), { chunkBytes: 100 })
  const ranges = fake.seen.map(({ headers }) => headers['content-range']).filter(Boolean)
  assert.deepEqual(ranges, ['0-5999', '6000-9999'])
})

test('of unknown length: one PATCH while it is made, then a PUT without a body', async t => {
  const { fake, repository } = await served(t)
  const upload = await repository.begin()
  await upload.stream(pieces())
  assert.equal(upload.offset, content.length)
  await upload.finish(blob.digest)
  assert.deepEqual(fake.blobs.get(blob.digest), content)
  const patch = fake.seen.find(({ method }) => method === 'PATCH')
  assert.equal(patch?.headers['transfer-encoding'], 'chunked')
  assert.equal(patch?.headers['content-range'], undefined)
})

test('of unknown length, made anew where it is wanted: a 401 in between costs a token, not the upload', async t => {
  const { fake, repository } = await served(t)
  const offsets: number[] = []
  const open = (offset: number) => {
    offsets.push(offset)
    return pieces(content.subarray(offset))
  }
  const upload = await repository.begin()
  let refused = 0
  fake.guard = ({ method }) =>
    method === 'PATCH' && refused++ === 0
      ? { status: 401, headers: { 'www-authenticate': `Bearer realm="${fake.origin}/token",service="s"` } }
      : undefined
  fake.route([[/ \/token/, { headers: { 'content-type': 'application/json' }, body: '{"token":"t"}' }]])
  await upload.stream(open)
  await upload.finish(blob.digest)
  assert.deepEqual(fake.blobs.get(blob.digest), content)
  assert.deepEqual(offsets, [0, 0])
})

test('an upload that is asked about goes on behind what is there, and not where nobody knows it', async t => {
  const { fake, repository } = await served(t)
  const upload = await repository.begin()
  fake.uploads.set('1', content.subarray(0, 4321))
  assert.equal(await upload.resume(), true)
  assert.equal(upload.offset, 4321)
  await upload.stream(offset => pieces(content.subarray(offset)))
  await upload.finish(blob.digest)
  assert.deepEqual(fake.blobs.get(blob.digest), content)
  const gone = await repository.begin()
  fake.uploads.clear()
  assert.equal(await gone.resume(), false)
})

test('what is made while it is sent fails: its own error, and the upload is taken back', async t => {
  const { fake, repository } = await served(t)
  const reason = new Error('the job')
  const send = repository.send({
    async *open() {
      yield content.subarray(0, 10)
      throw reason
    },
    blob: async () => blob,
  })
  const error = await send.catch(error => error)
  assert.ok(error === reason || error.cause === reason, String(error))
  assert.equal(fake.uploads.size, 0)
})

test('an abort while an upload begins: what the registry has begun is taken back', async t => {
  const { fake, repository } = await served(t)
  await repository.tags().catch(() => undefined)
  const abort = new AbortController()
  const reason = new Error('enough')
  fake.route([
    [
      'POST /v2/a/b/blobs/uploads/',
      async () => {
        const location = `/v2/a/b/blobs/uploads/${fake.newUpload()}`
        abort.abort(reason)
        await new Promise(resolve => setTimeout(resolve, 50))
        return { status: 202, headers: { location } }
      },
    ],
  ])
  await assert.rejects(repository.begin({ signal: abort.signal }), error => error === reason)
  assert.equal(fake.uploads.size, 0)
})

test('an abort ends the bytes and hears where the upload is: that is what is taken back', async t => {
  const { fake, repository } = await served(t)
  const abort = new AbortController()
  const reason = new Error('enough')
  // As docker-registry 2.8: what is asked for must be where the registry is.
  const at = (id: string) => `/v2/a/b/blobs/uploads/${id}?at=${fake.uploads.get(id)?.length}`
  fake.route([
    ['POST /v2/a/b/blobs/uploads/', () => ({ status: 202, headers: { location: at(fake.newUpload()) } })],
    [
      /^PATCH/,
      async ({ body }) => {
        fake.uploads.set('1', body)
        // Whoever breaks off at once does not hear it.
        await sleep(200)
        return { status: 202, headers: { location: at('1') } }
      },
    ],
    [
      /^DELETE/,
      ({ url }) => {
        if (url !== at('1')) return { status: 404 }
        fake.uploads.clear()
        return { status: 204 }
      },
    ],
  ])
  const send = repository.send(
    {
      async *open() {
        yield content.subarray(0, 5000)
        setTimeout(() => abort.abort(reason), 20)
        await new Promise(() => undefined)
      },
      blob: async () => blob,
    },
    { signal: abort.signal },
  )
  await assert.rejects(send, error => error === reason)
  assert.equal(fake.uploads.size, 0)
})

test('the first bytes of a blob, by a server that knows ranges or not', async t => {
  const { fake, repository } = await served(t)
  fake.addBlob(content)
  assert.deepEqual(await repository.head(blob.digest, 6), content.subarray(0, 6))
  assert.equal(fake.seen.at(-1)?.headers.range, 'bytes=0-5')
  fake.route([[/^GET .*blobs\/sha256/, { body: content }, { status: 416 }, { status: 404 }]])
  assert.deepEqual(await repository.head(blob.digest, 6), content.subarray(0, 6))
  assert.equal((await repository.head(blob.digest, 6)).length, 0)
  await assert.rejects(repository.head(blob.digest, 6), { code: 'REGISTRY_NOT_FOUND' })
})

test('a chunk that broke off is gone on with where the registry says it is', async t => {
  const { fake, repository } = await served(t)
  let broken = 0
  // It keeps 1000 bytes of the second chunk, and hangs up.
  fake.route([
    [
      /^PATCH/,
      ({ body, headers }, response) => {
        const [id = ''] = fake.uploads.keys()
        const kept = headers['content-range']?.startsWith('4096-') && broken++ === 0 ? body.subarray(0, 1000) : body
        const all = Buffer.concat([fake.uploads.get(id)!, kept])
        fake.uploads.set(id, all)
        if (kept === body)
          return { status: 202, headers: { location: `/v2/a/b/blobs/uploads/${id}`, range: `0-${all.length - 1}` } }
        response.destroy()
        return undefined
      },
    ],
  ])
  await repository.upload(blob, () => pieces(), { chunkBytes: 4096 })
  assert.deepEqual(fake.blobs.get(blob.digest), content)
  const told = fake.seen.flatMap(({ method, headers }) =>
    method === 'PATCH' ? [headers['content-range']] : method === 'GET' ? ['?'] : [],
  )
  assert.deepEqual(told, ['?', '0-4095', '4096-8191', '?', '5096-8191', '8192-9999'])
})

test('a chunk out of order (416) is asked about, too, and one byte is told from none', async t => {
  const { fake, repository } = await served(t)
  const upload = await repository.begin()
  // One byte is there that we know nothing of: `Range: 0-0` may be none as well.
  fake.uploads.set('1', content.subarray(0, 1))
  await upload.write(content)
  await upload.finish(blob.digest)
  assert.deepEqual(fake.blobs.get(blob.digest), content)
})

test('an upload that the registry has forgotten begins anew, as often as anything is tried', async t => {
  const { fake, repository } = await served(t)
  let broken = 0
  fake.route([
    [
      /^PATCH .*uploads\/1\?/,
      (_, response) => {
        broken++
        fake.uploads.delete('1')
        response.destroy()
        return undefined
      },
    ],
  ])
  await repository.upload(blob, () => pieces(), { chunkBytes: 4096 })
  assert.equal(broken, 1)
  assert.deepEqual(fake.blobs.get(blob.digest), content)
  fake.route([
    [/^PATCH/, (_, response) => void response.destroy() as undefined],
    [/^GET .*uploads/, { status: 404 }],
  ])
  await assert.rejects(
    repository.upload(blob, () => pieces(), { chunkBytes: 4096 }),
    { code: 'REGISTRY_UNAVAILABLE' },
  )
  assert.equal(fake.asked.filter(one => one.startsWith('POST')).length, 2 + 3)
})

test('an upload that is still there when it is asked about, and gone a moment later, begins anew', async t => {
  const { fake, repository } = await served(t)
  const gone = { status: 404, ...refusal('BLOB_UPLOAD_INVALID', 'blob upload invalid') }
  fake.route([[/^PATCH .*uploads\/1\?/, (_, response) => void response.destroy() as undefined, gone]])
  await repository.upload(blob, () => pieces(), { chunkBytes: 4096 })
  assert.deepEqual(fake.blobs.get(blob.digest), content)
  assert.equal(fake.asked.filter(one => one.startsWith('POST')).length, 2)
})

test('a registry that counts wrong is not believed for ever', async t => {
  const { fake, repository } = await served(t)
  fake.route([[/^PATCH/, { status: 202, headers: { location: '/v2/a/b/blobs/uploads/1', range: '0-9' } }]])
  await assert.rejects(
    repository.upload(blob, () => pieces(), { chunkBytes: 4096 }),
    { code: 'REGISTRY_PROTOCOL' },
  )
  fake.route([[/^PATCH/, { status: 202, headers: { location: '/v2/a/b/blobs/uploads/1', range: '0-99999999' } }]])
  await assert.rejects(
    repository.upload(blob, () => pieces(), { chunkBytes: 4096 }),
    { code: 'REGISTRY_PROTOCOL' },
  )
  const upload = await repository.begin()
  await assert.rejects(upload.stream(pieces()), { code: 'REGISTRY_PROTOCOL', expected: content.length })
})

test('other bytes than announced are never finished', async t => {
  const { fake, repository } = await served(t)
  const wrong = Buffer.from(content).fill(0, 5, 6)
  for (const chunkBytes of [undefined, 4096]) {
    const options = chunkBytes === undefined ? {} : { chunkBytes }
    await assert.rejects(
      repository.upload(blob, () => pieces(wrong), options),
      { code: 'DIGEST_MISMATCH' },
    )
    await assert.rejects(
      repository.upload(blob, () => pieces(content.subarray(1)), options),
      { code: 'SIZE_MISMATCH' },
    )
    await assert.rejects(
      repository.upload(blob, () => pieces(Buffer.concat([content, content])), options),
      { code: 'SIZE_MISMATCH' },
    )
  }
  assert.equal(fake.blobs.size, 0)
  assert.equal(fake.asked.filter(one => one.startsWith('DELETE')).length, 6)
})

test('what the source throws is what the caller gets, and the upload is cancelled', async t => {
  const { fake, repository } = await served(t)
  const reason = new Error('the disk')
  const failing = async function* () {
    yield content.subarray(0, 10)
    throw reason
  }
  for (const options of [{}, { chunkBytes: 5 }]) {
    const error = await repository.upload(blob, failing, options).catch(error => error)
    assert.ok(error === reason || error.cause === reason, String(error))
  }
  assert.equal(fake.uploads.size, 0)
})

test('an upload whose end fails in passing is sent again as a whole', async t => {
  const { fake, repository } = await served(t)
  fake.route([[/^PUT .*uploads\/1\?/, { status: 503 }]])
  await repository.upload(blob, () => pieces())
  assert.deepEqual(fake.blobs.get(blob.digest), content)
})

test('a registry that begins no upload is asked so often, and not that often for each attempt', async t => {
  const { fake, repository } = await served(t, [[/^POST/, { status: 503 }]])
  await assert.rejects(
    repository.upload(blob, () => pieces()),
    { code: 'REGISTRY_UNAVAILABLE', status: 503 },
  )
  assert.equal(fake.asked.filter(one => one.startsWith('POST')).length, 3)
})

test('a server that answers before it has everything leaves no timer behind', async t => {
  const { fake, repository } = await served(t)
  fake.route([[/^PUT/, { status: 400, ...refusal('SIZE_INVALID', 'no') }]])
  const before = process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  await assert.rejects(
    repository.upload(blob, () => pieces()),
    { code: 'REGISTRY_REFUSED', registryCode: 'SIZE_INVALID' },
  )
  const after = process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  assert.ok(after <= before, `${after} timers after ${before}`)
})

test('a registry that fails at each mount is no reason not to send the blob; one that is away is', async t => {
  const mount = /^POST .*mount=/
  const { fake, repository } = await served(t, [[mount, { status: 500 }]])
  assert.equal(await repository.mount(blob.digest, 'c/d'), undefined)
  assert.equal(fake.asked.filter(one => mount.test(one)).length, 3)
  fake.route([[mount, (_, response) => void response.destroy()]])
  await assert.rejects(repository.mount(blob.digest, 'c/d'), {
    code: 'REGISTRY_UNAVAILABLE',
    message: /other side closed|reset/,
  })
})

test('a mount: taken over, or an upload instead, or neither', async t => {
  const { fake, repository } = await served(t)
  const at = `POST /v2/a/b/blobs/uploads/?mount=${encodeURIComponent(blob.digest)}&from=c%2Fd`
  fake.route([[at, { status: 201 }, begun(fake), { status: 403, ...refusal('DENIED', 'not yours') }]])
  assert.equal(await repository.mount(blob.digest, 'c/d'), 'mounted')
  const upload = await repository.mount(blob.digest, 'c/d')
  assert.ok(upload !== undefined && upload !== 'mounted')
  await upload.finish(blob.digest, { content: () => pieces(), sizeBytes: blob.sizeBytes })
  assert.deepEqual(fake.blobs.get(blob.digest), content)
  assert.equal(await repository.mount(blob.digest, 'c/d'), undefined)
})

for (const [name, location] of [
  ['another origin', 'http://127.0.0.1:1/x'],
  ['another name', 'http://localhost:1/x'],
  ['a private address', 'http://169.254.169.254/latest'],
  ['a user', 'http://u:p@HOST/x'],
  ['what is no URL', 'http://'],
  ['another scheme', 'file:///etc/passwd'],
] as const)
  test(`G7: an upload that leads to ${name} is refused`, async t => {
    const { fake, repository } = await served(t)
    const headers = { location: location.replace('HOST', fake.host) }
    fake.route([['POST /v2/a/b/blobs/uploads/', { status: 202, headers }]])
    await assert.rejects(
      repository.upload(blob, () => pieces()),
      { code: 'REGISTRY_REDIRECT' },
    )
  })

for (const status of [301, 302, 303, 307, 308])
  test(`G6: ${status} to a PUT or PATCH with a body is not followed`, async t => {
    const { fake, repository } = await served(t)
    fake.route([[/^(PUT|PATCH)/, { status, headers: { location: '/elsewhere' } }]])
    await assert.rejects(
      repository.upload(blob, () => pieces()),
      { code: 'REGISTRY_REDIRECT', operation: 'PUT' },
    )
    await assert.rejects(
      repository.upload(blob, () => pieces(), { chunkBytes: 4096 }),
      { code: 'REGISTRY_REDIRECT' },
    )
    assert.ok(fake.asked.every(one => !one.includes('elsewhere')))
  })

test('a server that takes no more is not waited for', async t => {
  const { fake, repository } = await served(t)
  const large = Buffer.alloc(40 * 1024 * 1024)
  fake.stalled = true
  const upload = repository.upload({ digest: sha256(large), sizeBytes: large.length }, () => pieces(large, 1 << 20))
  await assert.rejects(upload, { code: 'REGISTRY_UNAVAILABLE', message: /nothing was taken for 0.2 s/ })
})

test('a chunk that a slow server takes longer for than for any answer is not given up', async t => {
  const { fake, repository } = await served(t)
  fake.pace = 60
  const slow = repositoryOf(t, fake, { timeouts: { idleMs: 2000, answerMs: 450 } })
  const large = Buffer.alloc(16 << 20, 'x')
  const upload = await slow.begin()
  const started = performance.now()
  await upload.write(large)
  assert.ok(performance.now() - started > 450)
  assert.equal(fake.asked.filter(one => one.startsWith('PATCH')).length, 1)
  await upload.finish(sha256(large))
  fake.pace = 0
  assert.equal(await repository.stat(sha256(large)), large.length)
})

test('time in which the source makes its next piece is not the server’s', async t => {
  const { fake, repository } = await served(t)
  const slow = async function* () {
    for (let at = 0; at < content.length; at += 5000) {
      await new Promise(resolve => setTimeout(resolve, 300))
      yield content.subarray(at, at + 5000)
    }
  }
  await repository.upload(blob, slow)
  assert.deepEqual(fake.blobs.get(blob.digest), content)
})

test('an abort ends an upload with its reason, and the upload is cancelled', async t => {
  const { fake, repository } = await served(t)
  const abort = new AbortController()
  const reason = new Error('enough')
  const slow = async function* () {
    yield content.subarray(0, 10)
    abort.abort(reason)
    yield content.subarray(10)
  }
  await assert.rejects(repository.upload(blob, slow, { signal: abort.signal }), error => error === reason)
  assert.ok(fake.asked.some(one => one.startsWith('DELETE')))
  assert.equal(fake.blobs.size, 0)
})

function begun(fake: FakeRegistry, headers: Readonly<Record<string, string>> = {}): Answering {
  return () => {
    return { status: 202, headers: { location: `/v2/a/b/blobs/uploads/${fake.newUpload()}?${query}`, ...headers } }
  }
}
