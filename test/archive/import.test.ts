/** The tar of a root file system as an image. What dockerd makes of the same: test/system/docker-life.system.test.ts. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createServer, type RequestListener, type Server } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import { type OperationEvent, Store } from '../../src/index.js'
import { hostPlatform } from '../../src/oci/platform.js'
import { FakeRegistry } from '../build/fake-registry.js'
import { digestOf, layerTar } from '../build/image.js'
import { TestProxy } from '../build/proxy.js'
import { archiveFile, leftovers, published, scratchStore } from '../build/store.js'

const tree = layerTar({ 'etc/motd': 'hello', 'bin/tool': 'x'.repeat(300_000) })

async function served(t: TestContext, answer: RequestListener): Promise<string> {
  const server: Server = createServer(answer)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => new Promise(resolve => server.closeAllConnections() ?? server.close(resolve)))
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

const fileOf = (t: TestContext, bytes: Buffer) => archiveFile(t, bytes, 'root.tar')

test('the image is what Docker makes: its config, its one layer, its history', async t => {
  const store = await scratchStore(t)
  const image = await store.import(fileOf(t, tree), { reference: 'base', created: '2020-01-02T03:04:05Z' })
  const zero =
    '{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Tty":false,' +
    '"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":null,"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":null,' +
    '"OnBuild":null,"Labels":null}'
  const created = '"created":"2020-01-02T03:04:05Z"'
  assert.equal(
    image.configBytes.toString(),
    `{"architecture":"${hostPlatform().architecture}","comment":"Imported from -","config":${zero},` +
      `"container_config":${zero},${created},"history":[{${created},"comment":"Imported from -"}],"os":"linux",` +
      `"rootfs":{"type":"layers","diff_ids":["${digestOf(tree)}"]}}`,
  )
  assert.deepEqual([image.tags, image.sizeBytes], [['base:latest'], 300_005])
  assert.notEqual(image.lastTagTime, undefined)
  await using view = await store.view('base')
  assert.equal(view.readFileSync('/etc/motd', 'utf8'), 'hello')
  assert.deepEqual(leftovers(store.root), [])
})

test('message, changes, platform', async t => {
  const store = await scratchStore(t)
  const { config } = await store.import(Readable.from([tree]), {
    message: 'by hand',
    changes: ['ENV A=b', 'CMD ["run", "it"]', 'LABEL x=$A'],
    platform: 'linux/arm64/v8',
  })
  assert.deepEqual(
    [config.comment, config.history[0]?.comment, config.architecture, config.os, config.variant],
    ['by hand', 'by hand', 'arm64', 'linux', 'v8'],
  )
  assert.deepEqual(
    [config.config?.env, config.config?.cmd, { ...config.config?.labels }],
    [['A=b'], ['run', 'it'], { x: 'b' }],
  )
  for (const [platform, variant] of [
    ['linux/arm64', undefined],
    ['linux/arm/v6', 'v6'],
    ['linux/arm', undefined],
  ])
    assert.equal((await store.import(Readable.from([tree]), { platform: platform! })).config.variant, variant, platform)
})

test('compressed with whatever, from a file or a stream: the same layer, and it is stored once', async t => {
  const store = await scratchStore(t)
  const forms = [tree, gzipSync(tree)]
  for (const program of ['bzip2', 'xz', 'zstd']) forms.push(execFileSync(program, ['-c'], { input: tree }))
  for (const bytes of forms)
    for (const input of [fileOf(t, bytes), Readable.from([bytes.subarray(0, 7), bytes.subarray(7)])]) {
      const { layers } = await store.import(input)
      assert.deepEqual(
        layers.map(({ diffId }) => diffId),
        [digestOf(tree)],
      )
    }
  const stored = published(store.root).filter(path => /tar\.lz4/.test(path))
  assert.equal(stored.length, 1)
})

test('nothing at all, and an archive of nothing: an image with an empty layer', async t => {
  const store = await scratchStore(t)
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(1024), Buffer.alloc(10_240)])
    for (const input of [fileOf(t, bytes), Readable.from([bytes])]) {
      const image = await store.import(input)
      assert.deepEqual([image.layers[0]?.diffId, image.sizeBytes], [digestOf(bytes), 0])
    }
})

test('what a URL answers, also after it has led elsewhere', async t => {
  const store = await scratchStore(t)
  let asked: (string | undefined)[] = []
  const url = await served(t, (request, response) => {
    asked.push(request.headers.authorization)
    if (request.url === '/moved') return void response.writeHead(302, { location: '/root.tgz' }).end()
    response.end(gzipSync(tree))
  })
  const operation = store.import(`${url}/moved`)
  const events: OperationEvent[] = []
  for await (const event of operation) events.push(event)
  const image = await operation
  assert.deepEqual([image.layers[0]?.diffId, image.config.comment], [digestOf(tree), `Imported from ${url}/moved`])
  assert.ok(events.some(({ type, subject }) => type === 'progress' && subject === `${url}/moved`))
  assert.ok(operation.report.bytesRead > 0)
  asked = []
  const secret = url.replace('//', '//me:p%40ss@')
  const { config } = await store.import(`${secret}/root.tgz`)
  assert.deepEqual(asked, [`Basic ${Buffer.from('me:p@ss').toString('base64')}`])
  assert.equal(config.comment, `Imported from ${url}/root.tgz`)
})

test('a URL that answers anything but 200, or nothing, or not all of it', async t => {
  const store = await scratchStore(t)
  const before = published(store.root)
  const url = await served(t, (request, response) => {
    if (request.url === '/part') {
      response.writeHead(200, { 'content-length': tree.length })
      return void response.write(tree.subarray(0, 5000), () => response.destroy())
    }
    response.writeHead(Number(request.url!.slice(1)), { 'content-type': 'text/plain' }).end('what\nwas \x1b[31msaid')
  })
  for (const [path, said] of [
    ['/404', `failed to GET ${url}/404 with status 404 Not Found: what was \\u001b[31msaid`],
    ['/503', `failed to GET ${url}/503 with status 503 Service Unavailable: what was \\u001b[31msaid`],
    ['/204', `failed to GET ${url}/204 with status 204 No Content`],
  ] as const)
    await assert.rejects(async () => store.import(url + path), { code: 'INPUT_IO', message: said, path: url + path })
  await assert.rejects(async () => store.import(`${url}/part`), { code: 'INPUT_IO' })
  const nobody = 'http://127.0.0.1:2/x'
  await assert.rejects(async () => store.import(nobody), {
    code: 'INPUT_IO',
    message: `failed to GET ${nobody}: connect ECONNREFUSED 127.0.0.1:2`,
  })
  await assert.rejects(async () => store.import('http://'), { code: 'INPUT_IO', message: 'http://: not a URL' })
  assert.deepEqual(published(store.root), before)
  assert.deepEqual(leftovers(store.root), [])
})

test('aborted while it waits for a stream or a server, it ends at once, and leaves nothing', async t => {
  const store = await scratchStore(t)
  const before = published(store.root)
  const url = await served(t, (request, response) => {
    if (request.url === '/begun') response.writeHead(200).write(tree.subarray(0, 4000))
  })
  const hanging = async function* () {
    yield tree.subarray(0, 4000)
    await new Promise(() => undefined)
  }
  for (const input of [hanging(), `${url}/silent`, `${url}/begun`]) {
    const [abort, reason] = [new AbortController(), new Error('enough')]
    const operation = store.import(input, { signal: abort.signal })
    setTimeout(() => abort.abort(reason), 100)
    await assert.rejects(Promise.resolve(operation), reason)
  }
  assert.deepEqual(published(store.root), before)
  assert.deepEqual(leftovers(store.root), [])
})

test('what is refused before any byte is read', async t => {
  const store = await scratchStore(t)
  const file = fileOf(t, tree)
  const digest = `a@sha256:${'0'.repeat(64)}`
  for (const [options, code] of [
    [{ reference: 'UPPER' }, 'REFERENCE_INVALID'],
    [{ reference: digest }, 'REFERENCE_INVALID'],
    [{ changes: ['FROM x'] }, 'CHANGE_INVALID'],
  ] as const) {
    const input = Readable.from([tree])
    await assert.rejects(async () => store.import(input, options), { code })
    assert.equal(input.readableDidRead, false)
  }
  await assert.rejects(async () => store.import(file, { platform: 'a/b/c/d' }), TypeError)
  await assert.rejects(async () => store.import(`${file}.not`), { code: 'INPUT_IO', path: `${file}.not` })
  await assert.rejects(async () => store.import(join(file, '..')), { code: 'INPUT_IO' })
})

test('what is no tar, or only the beginning of one', async t => {
  const store = await scratchStore(t)
  const before = published(store.root)
  const junk = Buffer.from('not a tar at all\n'.repeat(100))
  for (const bytes of [junk, tree.subarray(0, 5000)])
    for (const input of [fileOf(t, bytes), Readable.from([bytes])])
      await assert.rejects(async () => store.import(input), { code: 'TAR_INVALID' })
  await assert.rejects(async () => store.import(Readable.from([gzipSync(tree).subarray(0, 100)])), {
    code: 'COMPRESSION_INVALID',
  })
  const broken = Readable.from(
    (function* () {
      yield tree.subarray(0, 2000)
      throw new Error('the pipe broke')
    })(),
  )
  await assert.rejects(async () => store.import(broken), { code: 'INPUT_IO', message: /the pipe broke/ })
  assert.deepEqual(published(store.root), before)
  assert.deepEqual(leftovers(store.root), [])
})

for (const tls of [false, true])
  test(`what a URL of ${tls ? 'https' : 'http'} answers through a proxy, which is named when it fails`, async t => {
    const proxy = await TestProxy.start(t, { auth: 'bob:pw' })
    const moved = { status: 302, headers: { location: '/root.tgz' } }
    const fake = await FakeRegistry.start(t, {
      tls,
      routes: [
        ['GET /moved', moved],
        ['GET /root.tgz', { body: gzipSync(tree) }],
      ],
    })
    const url = `${tls ? 'https' : 'http'}://registry.test:${fake.port}`
    const opened = async (user: string) => {
      const proxies = { http: proxy.urlFor(user), https: proxy.urlFor(user) }
      const store = await Store.temporary({ registry: { proxies } })
      t.after(() => store.close())
      return store
    }
    const store = await opened('bob:pw')
    if (tls) {
      // Its certificate does not hold: as without a proxy.
      await assert.rejects(async () => store.import(`${url}/moved`), { code: 'INPUT_IO', message: /self-signed/ })
      assert.deepEqual(new Set(proxy.asked), new Set([`CONNECT registry.test:${fake.port}`]))
    } else {
      const image = await store.import(`${url}/moved`)
      assert.equal(image.layers[0]?.diffId, digestOf(tree))
      assert.deepEqual(proxy.asked, [`GET ${url}/moved`, `GET ${url}/root.tgz`])
    }
    assert.ok(fake.seen.every(({ text }) => !/proxy-/i.test(text)))
    const other = await opened('bob:hunter2')
    await assert.rejects(
      async () => other.import(`${url}/root.tgz`),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'INPUT_IO')
        assert.match(error.message, /407/)
        assert.ok(!inspect(error).includes('hunter2'))
        return true
      },
    )
  })
