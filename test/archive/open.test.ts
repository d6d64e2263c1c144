import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { open, readdir, stat, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { openArchive } from '../../src/archive/open.js'
import { readRange } from '../../src/disk/read-range.js'
import type { ArrivingRange } from '../../src/images/source.js'
import { defaultLimits } from '../../src/limits.js'
import { fileWith, imagesIn, opened, pieces, scratch, streamOf, summaryOf } from '../build/archive.js'
import {
  archiveOf,
  blobArchive,
  digestOf,
  imageIdOf,
  Layout,
  layerTar,
  legacyArchive,
  type MadeImage,
} from '../build/image.js'
import { file, header, pax, tar } from '../build/tar.js'

const base = layerTar({ 'etc/os-release': 'ID=test\n', big: 'y'.repeat(70_000) })
const upper = layerTar({ 'srv/app': 'two' })
const app: MadeImage = { layers: [base, upper, base], tags: ['app:v1'] }
const expected = {
  imageId: imageIdOf(app),
  config: imageIdOf(app),
  tags: ['app:v1'],
  diffIds: app.layers.map(digestOf),
  bytes: app.layers.map(digestOf),
}
const archive = archiveOf(legacyArchive([app]))

async function arrivals(ranges: AsyncIterable<ArrivingRange> | undefined): Promise<ArrivingRange[]> {
  const seen: ArrivingRange[] = []
  for await (const range of ranges ?? []) seen.push(range)
  return seen
}

test('a plain file is read where it is: no stage is asked for', async t => {
  const path = await fileWith(t, archive)
  const stage = () => assert.fail('no stage is needed')
  const source = await opened(t, path, { stage })
  assert.equal(source.name, 'test.tar')
  assert.equal(source.arriving, undefined)
  const images = await source.images()
  assert.deepEqual(await summaryOf(images), [expected])
  assert.equal(images[0]!.layers[0]!.range!.path, path)
  assert.equal(await source.images(), images)
})

test('cataloguing reads headers, not contents', async t => {
  const path = await fileWith(t, tar([file('manifest.json', '[]')]))
  // 64 GiB less one block of a member that is a hole in the file.
  const hole = 64 * 2 ** 30 - 512
  const handle = await open(path, 'w')
  const head = Buffer.concat([
    file('manifest.json', '[]'),
    pax({ size: `${hole}` }),
    file('hole', '', { raw: { size: '00000000000\0' } }),
  ])
  await handle.write(head)
  await handle.close()
  await truncate(path, head.length + hole + 1024)
  const source = await opened(t, path)
  assert.deepEqual(await source.images(), [])
  assert.ok(source.bytesRead() < 200_000, `${source.bytesRead()} bytes read`)
})

for (const [name, pack] of [
  ['plain', (bytes: Buffer) => bytes],
  ['gzip', (bytes: Buffer) => gzipSync(bytes)],
] as const) {
  test(`a stream of ${name} bytes: layers are announced and served by the same objects`, async t => {
    const bytes = pack(archive)
    const source = await opened(t, Readable.from(pieces(bytes, [1000, 1, 4096])), { name: 'pipe' })
    const [seen, images] = await Promise.all([arrivals(source.arriving?.()), source.images()])
    assert.deepEqual(await summaryOf(images), [expected])
    assert.equal(source.bytesRead(), bytes.length)
    const ranges = new Set(images[0]!.layers.map(({ range }) => range))
    assert.deepEqual(new Set(seen), ranges)
    assert.deepEqual(
      seen.map(({ member }) => member),
      images[0]!.layers.slice(0, 2).map(({ member }) => member),
    )
  })
}

test('a compressed file goes through the stage; a name says nothing', async t => {
  const path = await fileWith(t, gzipSync(archive), 'plain.tar')
  const source = await opened(t, path)
  assert.deepEqual(await summaryOf(await source.images()), [expected])
  assert.notEqual((await source.images())[0]!.layers[0]!.range!.path, path)
})

test('a named pipe is a stream', async t => {
  const path = join(await scratch(t), 'fifo')
  execFileSync('mkfifo', [path])
  const writer = spawn('sh', ['-c', `cat > ${path}`], { stdio: ['pipe', 'ignore', 'inherit'] })
  writer.stdin.end(archive)
  const source = await opened(t, path)
  assert.deepEqual(await summaryOf(await source.images()), [expected])
})

test('however a stream is cut, the images and the announced ranges are the same', async t => {
  const mixed = archiveOf(blobArchive([app, { layers: [Buffer.alloc(1024), upper] }], layer => gzipSync(layer)))
  const plain = await summaryOf(await imagesIn(t, mixed))
  const path = await scratch(t)
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 6 }), async sizes => {
      const stage = join(path, `${run++}`)
      await using source = await openArchive(streamOf(mixed, sizes), {
        limits: defaultLimits,
        stage: async () => stage,
      })
      const [seen, images] = await Promise.all([arrivals(source.arriving?.()), source.images()])
      assert.deepEqual(await summaryOf(images), plain)
      assert.deepEqual(
        seen.map(({ sizeBytes }) => sizeBytes),
        [base, upper, Buffer.alloc(1024)].map(layer => gzipSync(layer).length),
      )
    }),
    { numRuns: 25 },
  )
})

test('the growing counter: a reader follows the file while it is written, and never reads what is not there', async t => {
  const feed = new PassThrough()
  const source = await opened(t, feed)
  const ranges = source.arriving!()[Symbol.asyncIterator]()
  const first = ranges.next()
  const half = archive.indexOf(base) + 40_000
  feed.write(archive.subarray(0, half))
  const { value: range } = (await first) as { value: ArrivingRange }
  const counters = new BigInt64Array(range.growing!)
  assert.equal(Atomics.load(counters, 1), 0n)
  const chunks: Buffer[] = []
  const reading = (async () => {
    for await (const chunk of readRange(range, 'layer')) chunks.push(Buffer.from(chunk))
  })()
  assert.ok(Number(Atomics.load(counters, 0)) <= half)
  feed.write(archive.subarray(half, half + 10_000))
  feed.end(archive.subarray(half + 10_000))
  await reading
  assert.equal(digestOf(Buffer.concat(chunks)), digestOf(base))
  await source.images()
  assert.deepEqual([Number(Atomics.load(counters, 0)), Atomics.load(counters, 1)], [archive.length, 1n])
  assert.equal((await stat(range.path)).size, archive.length)
})

test('a stream that fails: images() says why, arriving() ends, followers are told', async t => {
  const broken = async function* () {
    yield archive.subarray(0, archive.indexOf(base) + 5000)
    throw new Error('the cable was pulled')
  }
  const source = await opened(t, broken(), { name: 'pipe' })
  const [seen, failure] = await Promise.all([
    arrivals(source.arriving?.()),
    source.images().catch((error: unknown) => error),
  ])
  assert.equal((failure as { code: string }).code, 'INPUT_IO')
  assert.match((failure as Error).message, /^pipe: cannot be read: the cable was pulled/)
  assert.equal(Atomics.load(new BigInt64Array(seen[0]!.growing!), 1), -1n)
  await assert.rejects(
    async () => {
      for await (const _ of readRange(seen[0]!, 'layer'));
    },
    { code: 'INPUT_IO' },
  )
})

test('an abort interrupts a stream that gives nothing, and destroys it', async t => {
  const abort = new AbortController()
  const silent = new PassThrough()
  const source = await opened(t, silent, { signal: abort.signal })
  const images = source.images()
  setImmediate(() => abort.abort(new Error('enough')))
  await assert.rejects(images, { message: 'enough' })
  assert.equal(silent.destroyed, true)
})

test('disposal stops the stream and settles; a source that was never asked reads nothing', async t => {
  const silent = new PassThrough()
  const source = await opened(t, silent)
  const images = source.images()
  await Promise.all([
    assert.rejects(images, { code: 'INPUT_IO', message: /closed before the stream had ended/ }),
    source[Symbol.asyncDispose](),
  ])
  const stage = join(await scratch(t), 'stage')
  const unused = await openArchive(streamOf(archive), { limits: defaultLimits, stage: async () => stage })
  await unused[Symbol.asyncDispose]()
  assert.deepEqual(await readdir(dirname(stage)), [])
})

test('a stream of text is misuse', async t => {
  const text = Readable.from(['not bytes']) as AsyncIterable<unknown> as AsyncIterable<Uint8Array>
  await assert.rejects((await opened(t, text)).images(), TypeError)
})

test('padding of any length behind the end is accepted and not kept; anything else is refused', async t => {
  const padded = Buffer.concat([archive, Buffer.alloc(40 * 2 ** 20)])
  const stage = join(await scratch(t), 'stage')
  await using source = await openArchive(streamOf(padded, [2 ** 20]), {
    limits: defaultLimits,
    stage: async () => stage,
  })
  assert.deepEqual(await summaryOf(await source.images()), [expected])
  assert.ok((await stat(stage)).size < archive.length + 20 * 2 ** 20)
  assert.deepEqual(await summaryOf(await imagesIn(t, padded)), [expected])
  const junk = Buffer.concat([archive, Buffer.alloc(512, 1)])
  await assert.rejects(imagesIn(t, junk), { code: 'TAR_INVALID', message: /^test\.tar: .*not zero/ })
  await assert.rejects((await opened(t, streamOf(junk))).images(), { code: 'TAR_INVALID', message: /^stream: / })
})

test('truncated at every block and in between: a typed error that names the file, or nothing but the end marker is missing', async t => {
  const small = archiveOf(legacyArchive([{ layers: [upper], tags: ['s:1'] }]))
  const path = await scratch(t)
  const end = small.length - 1024
  for (let cut = 1; cut < end; cut += 173) {
    const cutFile = join(path, 'cut.tar')
    await writeFile(cutFile, small.subarray(0, cut))
    for (const input of [cutFile, streamOf(small.subarray(0, cut), [300])]) {
      const name = typeof input === 'string' ? 'cut.tar' : 'stream'
      const outcome = (async () => {
        await using source = await openArchive(input, {
          limits: defaultLimits,
          stage: async () => join(path, `stage-${cut}`),
        })
        return await source.images()
      })()
      await assert.rejects(outcome, (error: Error & { code: string }) => {
        assert.ok(['TAR_INVALID', 'ARCHIVE_INVALID'].includes(error.code), `${cut}: ${error.code}`)
        return error.message.startsWith(`${name}: `)
      })
    }
  }
  assert.equal((await imagesIn(t, small.subarray(0, end))).length, 1)
})

test('a damaged gzip trailer behind a whole archive is an error (E10)', async t => {
  const bytes = gzipSync(archive)
  bytes[bytes.length - 6]! ^= 1
  await assert.rejects(imagesIn(t, bytes), { code: 'COMPRESSION_INVALID' })
})

test('more members than the limit', async t => {
  const many = tar(Array.from({ length: 11 }, (_, n) => file(`f${n}`)))
  const limits = { ...defaultLimits, archiveMembers: 10 }
  await assert.rejects(imagesIn(t, many, { limits }), { code: 'LIMIT_EXCEEDED', limit: 'archiveMembers' })
  const fewEntries = { ...defaultLimits, layerEntries: 3 }
  assert.equal((await imagesIn(t, archive, { limits: fewEntries })).length, 1)
})

test('what holds no image says what it holds', async t => {
  await assert.rejects(imagesIn(t, base), {
    code: 'ARCHIVE_INVALID',
    message:
      /^test\.tar: holds no image: neither manifest\.json nor index\.json is there; it begins with etc\/os-release, big$/,
  })
  const tree = tar([header('5', './'), file('./bin')])
  await assert.rejects(imagesIn(t, tree), { code: 'ARCHIVE_INVALID', message: /; it begins with \., bin$/ })
  await assert.rejects(imagesIn(t, Buffer.alloc(0)), { code: 'ARCHIVE_INVALID', message: /it is empty/ })
  await assert.rejects(imagesIn(t, Buffer.from('#!/bin/sh\n'.repeat(100))), {
    code: 'TAR_INVALID',
    message: /^test\.tar: /,
  })
  const old = tar([file('repositories', '{}'), file('abc/json', '{}'), file('abc/layer.tar', upper)])
  await assert.rejects(imagesIn(t, old), {
    code: 'ARCHIVE_INVALID',
    message: /an archive of Docker before 1\.10 is not read/,
  })
})

test('a path that is not there, a platform that is none', async t => {
  await assert.rejects(opened(t, '/nonexistent/x.tar'), {
    code: 'INPUT_IO',
    message: /^x\.tar: cannot be read: ENOENT/,
  })
  await assert.rejects(opened(t, await fileWith(t, archive), { platform: 'a/b/c/d' }), TypeError)
  const aborted = AbortSignal.abort(new Error('no'))
  await assert.rejects(opened(t, await fileWith(t, archive), { signal: aborted }), { message: 'no' })
})

test('an OCI archive as a stream', async t => {
  const layout = new Layout()
  const bytes = archiveOf(layout.done([layout.image(app)]))
  const path = await fileWith(t, bytes)
  const images = await (await opened(t, createReadStream(path))).images()
  assert.deepEqual((await summaryOf(images))[0], { ...expected, tags: [] })
})
