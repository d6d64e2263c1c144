/** Blobs: every byte, whatever the connection does, and an error instead of the end where they are others. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { endless } from '../build/endless.js'
import { type Answering, FakeRegistry, refusal, sha256 } from '../build/fake-registry.js'
import { bytesOf, repositoryOf } from '../build/registry-client.js'

const content = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 31 + (i >> 8)) & 255))
const blob = { digest: sha256(content), sizeBytes: content.length }
const at = `/v2/a/b/blobs/${blob.digest}`

async function served(t: TestContext, ...replies: Answering[]) {
  const fake = await FakeRegistry.start(t, replies.length > 0 ? { routes: [[`GET ${at}`, ...replies]] } : {})
  fake.addBlob(content)
  const timeouts = { idleMs: 150, answerMs: 400 }
  return { fake, repository: repositoryOf(t, fake, { timeouts }) }
}

/** Sends so many bytes of what it announces, and then breaks off. */
const breaking =
  (from: number, to: number, headers: Readonly<Record<string, string>> = {}, status = 200) =>
  (_: unknown, response: ServerResponse): undefined => {
    response.writeHead(status, { 'content-length': String(content.length - from), ...headers })
    response.write(content.subarray(from, to), () => setTimeout(() => response.destroy(), 10))
  }

const part = (from: number, last = content.length - 1, total: number | '*' = content.length) => ({
  status: 206,
  headers: { 'content-range': `bytes ${from}-${last}/${total}` },
  body: content.subarray(from, last + 1),
})

test('a blob comes as it is, and its size before it', async t => {
  const { fake, repository } = await served(t)
  assert.equal(await repository.stat(blob.digest), content.length)
  assert.deepEqual(await bytesOf(repository.blob(blob)), content)
  assert.deepEqual(await repository.bytes(blob), content)
  assert.equal(await repository.stat(sha256('other')), undefined)
  assert.deepEqual(fake.asked.slice(0, 3), ['GET /v2/', `HEAD ${at}`, `GET ${at}`])
  assert.ok(fake.seen.every(({ headers }) => headers['accept-encoding'] === 'identity'))
})

test('a blob that is not there is REGISTRY_NOT_FOUND, in the registry’s words', async t => {
  const { repository } = await served(t)
  await assert.rejects(bytesOf(repository.blob({ digest: sha256('x'), sizeBytes: 1 })), {
    code: 'REGISTRY_NOT_FOUND',
    status: 404,
    registryCode: 'BLOB_UNKNOWN',
    operation: 'GET',
    message: /blob unknown: blob unknown/,
  })
})

test('from an offset only the rest comes, and all of it is verified by the hash of what was there', async t => {
  const { fake, repository } = await served(t)
  const hash = createHash('sha256').update(content.subarray(0, 70_000))
  assert.deepEqual(await bytesOf(repository.blob(blob, { offset: 70_000, hash })), content.subarray(70_000))
  assert.equal(fake.seen.at(-1)?.headers.range, 'bytes=70000-')
  const wrong = createHash('sha256').update(content.subarray(1, 70_001))
  await assert.rejects(bytesOf(repository.blob(blob, { offset: 70_000, hash: wrong })), { code: 'DIGEST_MISMATCH' })
  await assert.rejects(bytesOf(repository.blob(blob, { offset: 1 })), TypeError)
})

test('with all bytes there already nothing is asked', async t => {
  const { fake, repository } = await served(t)
  const hash = createHash('sha256').update(content)
  assert.equal((await bytesOf(repository.blob(blob, { offset: content.length, hash }))).length, 0)
  assert.deepEqual(fake.asked, [])
})

test('a connection that breaks off is gone on with where it was', async t => {
  const { fake, repository } = await served(t, breaking(0, 50_000), part(50_000))
  assert.deepEqual(await bytesOf(repository.blob(blob)), content)
  assert.deepEqual(
    fake.seen.map(({ headers }) => headers.range),
    [undefined, undefined, 'bytes=50000-'],
  )
})

test('G9: 200 to a range request: what is there already is left out', async t => {
  const { repository } = await served(t, breaking(0, 50_000), { body: content })
  assert.deepEqual(await bytesOf(repository.blob(blob)), content)
})

test('G9: an ETag that changes in between: the digest decides', async t => {
  const other = Buffer.from(content).fill(7, 60_000)
  const headers = { 'content-range': `bytes 50000-${content.length - 1}/${content.length}`, etag: '"2"' }
  const swapped = { status: 206, headers, body: other.subarray(50_000) }
  const { repository } = await served(t, breaking(0, 50_000, { etag: '"1"' }), swapped)
  await assert.rejects(bytesOf(repository.blob(blob)), { code: 'DIGEST_MISMATCH', expected: blob.digest })
})

for (const [name, reply] of [
  ['begins elsewhere', part(50_001)],
  ['ends early', part(50_000, 60_000)],
  ['is of another whole', part(50_000, content.length - 1, content.length + 1)],
  ['is not said', { status: 206, body: content.subarray(50_000) }],
  ['is several', { ...part(50_000), headers: { 'content-type': 'multipart/byteranges; boundary=x' } }],
  ['is said twice', { ...part(50_000), headers: { 'content-range': ['bytes 50000-199999/200000', 'bytes 0-1/2'] } }],
] as const)
  test(`G9: a range that ${name} is refused`, async t => {
    const { repository } = await served(t, breaking(0, 50_000), reply as Answering)
    await assert.rejects(bytesOf(repository.blob(blob)), { code: 'REGISTRY_PROTOCOL' })
  })

test('a range of an unknown whole is fine', async t => {
  const { repository } = await served(t, breaking(0, 50_000), part(50_000, content.length - 1, '*'))
  assert.deepEqual(await bytesOf(repository.blob(blob)), content)
})

test('416 is decided by its status, whatever length it announces', async t => {
  const { repository } = await served(t, (_, response) => {
    response.writeHead(416, { 'content-length': String(content.length) })
    response.write('too far')
    return undefined
  })
  const hash = createHash('sha256').update(content.subarray(0, 9))
  await assert.rejects(bytesOf(repository.blob(blob, { offset: 9, hash })), { code: 'REGISTRY_REFUSED', status: 416 })
})

for (const [name, reply, code] of [
  ['more bytes than announced', { body: Buffer.concat([content, content]) }, 'SIZE_MISMATCH'],
  ['more, without a length', chunked(Buffer.concat([content, content])), 'SIZE_MISMATCH'],
  ['fewer', { body: content.subarray(1) }, 'SIZE_MISMATCH'],
  ['fewer, without a length', chunked(content.subarray(1)), 'SIZE_MISMATCH'],
  ['others', { body: Buffer.from(content).fill(1, 0, 1) }, 'DIGEST_MISMATCH'],
] as const)
  test(`G9: ${name}: ${code}`, async t => {
    const { repository } = await served(t, reply as Answering)
    await assert.rejects(bytesOf(repository.blob(blob)), { code })
  })

test('G9: a body without a length that never ends stops at the size of the blob', async t => {
  const { repository } = await served(t, (_, response) => {
    response.writeHead(200)
    endless(response, content)
    return undefined
  })
  await assert.rejects(bytesOf(repository.blob(blob)), { code: 'SIZE_MISMATCH' })
})

test('G9: a body with an encoding that nobody asked for is refused', async t => {
  const { repository } = await served(t, { headers: { 'content-encoding': 'gzip' }, body: content })
  await assert.rejects(bytesOf(repository.blob(blob)), { code: 'REGISTRY_PROTOCOL', message: /encoding gzip/ })
})

test('G9: a server that drips single bytes is as good as a silent one', async t => {
  const { fake } = await served(t, (_, response) => {
    response.writeHead(200, { 'content-length': String(content.length) })
    let sent = 0
    const timer = setInterval(() => {
      if (sent < 80) return response.write(content.subarray(sent, ++sent))
      clearInterval(timer)
      return response.end(content.subarray(sent))
    }, 20)
    response.on('close', () => clearInterval(timer))
    return undefined
  })
  const repository = repositoryOf(t, fake, { timeouts: { idleMs: 500 }, retries: { attempts: 1 } })
  await assert.rejects(bytesOf(repository.blob(blob)), { code: 'REGISTRY_UNAVAILABLE', message: /stalled for 0.5 s/ })
})

test('G9: a server that never answers', async t => {
  const { repository } = await served(t, () => undefined)
  await assert.rejects(bytesOf(repository.blob(blob)), { code: 'REGISTRY_UNAVAILABLE', message: /no answer for 0.4 s/ })
})

test('a slow reader is not taken for a slow server', async t => {
  const { fake, repository } = await served(t)
  const large = fake.addBlob(Buffer.alloc(16 << 20, 'x'))
  let [pieces, bytes] = [0, 0]
  for await (const piece of repository.blob(large)) {
    if (pieces++ < 2) await new Promise(resolve => setTimeout(resolve, 250))
    bytes += piece.length
  }
  assert.equal(bytes, large.sizeBytes)
  assert.equal(fake.asked.filter(one => one.startsWith('GET /v2/a')).length, 1)
})

test('a status that fails in passing is asked again, and only so often', async t => {
  const busy = { status: 503, ...refusal('UNAVAILABLE', 'busy') }
  const { fake, repository } = await served(t, busy, busy, { body: content })
  assert.deepEqual(await bytesOf(repository.blob(blob)), content)
  fake.route([[`GET ${at}`, busy]])
  await assert.rejects(bytesOf(repository.blob(blob)), { code: 'REGISTRY_UNAVAILABLE', status: 503 })
  assert.equal(fake.asked.filter(one => one === `GET ${at}`).length, 6)
})

test('an abort ends a read at once, with its reason', async t => {
  const { repository } = await served(t, breaking(0, 50_000, {}), () => undefined)
  const abort = new AbortController()
  const reason = new Error('enough')
  setTimeout(() => abort.abort(reason), 60)
  await assert.rejects(bytesOf(repository.blob(blob, { signal: abort.signal })), error => error === reason)
  await assert.rejects(bytesOf(repository.blob(blob, { signal: AbortSignal.abort(reason) })), error => error === reason)
})

test('who leaves a stream leaves no connection behind', async t => {
  let closed: (() => void) | undefined
  const gone = new Promise<void>(resolve => (closed = resolve))
  const { repository } = await served(t, (_, response) => {
    response.on('close', () => closed?.())
    response.writeHead(200, { 'content-length': String(content.length) })
    response.write(content.subarray(0, 1000))
    return undefined
  })
  for await (const _ of repository.blob(blob)) break
  await gone
})

function chunked(bytes: Buffer): Answering {
  return (_, response) => {
    response.write(bytes.subarray(0, 10))
    response.end(bytes.subarray(10))
    return undefined
  }
}
