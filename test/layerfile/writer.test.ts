/** Writing layer files: what comes back is what went in, however it came, was cut and was compressed. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { openLayerFile } from '../../src/layerfile/reader.js'
import { writeLayerFile } from '../../src/layerfile/writer.js'
import { defaultLimits, KiB } from '../../src/limits.js'
import { contentOf, inodeAt, layerOf, scratch, treeOf, writeLayer } from '../build/layerfile.js'
import { randomArchive } from '../build/random-tar.js'
import * as build from '../build/tar.js'

const text = (bytes: number): Buffer =>
  Buffer.from('to be or not to be, that is the question; '.repeat(bytes / 42 + 1)).subarray(0, bytes)

/** Sizes around everything that cuts blocks, some of them random bytes. */
function mixedArchive(): Buffer {
  const sizes = [
    0,
    1,
    511,
    512,
    513,
    4000,
    15 * KiB,
    16 * KiB,
    17 * KiB,
    40 * KiB,
    127 * KiB,
    128 * KiB,
    129 * KiB,
    256 * KiB,
    256 * KiB + 1,
    700 * KiB,
    3,
    1100 * KiB,
    5000,
  ]
  return build.tar(
    sizes.flatMap((size, i) => [
      build.dir(`d${i}/`),
      build.file(`d${i}/text`, text(size)),
      build.file(`d${i}/random`, randomBytes(size)),
      build.file(`${'long'.repeat(50)}/${i}`, text(i * 100)),
    ]),
  )
}

async function tarOf(path: string, piece: number): Promise<Buffer> {
  const file = await openLayerFile(path)
  const all = Buffer.alloc(file.tarBytes)
  for (let at = 0; at < all.length; ) at += await file.readTar(at, all.subarray(at, at + piece))
  await file.close()
  return all
}

for (const compression of ['lz4', 'none'] as const)
  test(`the tar comes back byte for byte: ${compression}`, async t => {
    const archive = mixedArchive()
    const path = join(scratch(t), 'layer')
    const written = await writeLayer(path, archive, { compression })
    assert.equal(written.diffId, `sha256:${createHash('sha256').update(archive).digest('hex')}`)
    assert.equal(written.tarBytes, archive.length)
    assert.equal(written.fileBytes, statSync(path).size)
    for (const piece of [archive.length, 300_000, 70_000]) assert.ok((await tarOf(path, piece)).equals(archive))
  })

test('chunk sizes do not matter', async t => {
  const archive = mixedArchive()
  const folder = scratch(t)
  await writeLayer(join(folder, 'whole'), archive, { chunks: [archive.length] })
  const whole = await openLayerFile(join(folder, 'whole'))
  t.after(() => whole.close())
  for (const chunks of [[1 << 20], [512], [511, 1, 513], [65536], [100_000, 7]]) {
    const path = join(folder, 'chunks')
    const written = await writeLayer(path, archive, { chunks })
    assert.equal(written.diffId, whole.diffId)
    assert.ok((await tarOf(path, 1 << 20)).equals(archive), String(chunks))
  }
})

test('blocks are cut at the same places whatever the chunks', async t => {
  const archive = build.tar(Array.from({ length: 200 }, (_, i) => build.file(`f${i}`, text(((i * 7919) % 60) * 700))))
  const folder = scratch(t)
  const files: Buffer[] = []
  for (const chunks of [[archive.length], [512], [4096], [1000, 3], [65536]]) {
    await writeLayer(join(folder, 'layer'), archive, { chunks })
    files.push(readFileSync(join(folder, 'layer')))
  }
  for (const file of files) assert.ok(file.equals(files[0]!))
})

test('a byte at a time', async t => {
  const archive = build.tar([build.file('a', text(3000)), build.symlink('b', 'a'), build.dir('c')])
  const layer = await layerOf(t, archive, { chunks: [1] })
  assert.deepEqual(
    treeOf(layer).map(line => line.slice(0, 1)),
    ['a', 'b', 'c'],
  )
  assert.ok(contentOf(layer, inodeAt(layer, 'a')).equals(text(3000)))
})

test('large contents begin a block, and small ones share blocks cut where an entry begins', async t => {
  const small = Array.from({ length: 100 }, (_, i) => build.file(`s${i}`, text(1000 + i)))
  const path = join(scratch(t), 'layer')
  const archive = build.tar([...small, build.file('large', text(700 * KiB)), build.file('last', 'x')])
  await writeLayer(path, archive)
  const file = await openLayerFile(path)
  t.after(() => file.close())
  const { blocks } = file.index
  const starts = new Set(Array.from({ length: blocks.count }, (_, i) => blocks.contentOffset(i)))
  const large = archive.length - 1024 - 1024 - 700 * KiB
  for (const offset of [0, large, large + 256 * KiB, large + 512 * KiB, large + 700 * KiB])
    assert.ok(starts.has(offset), `${offset}`)
  const headers = new Set([large, large - 512, ...small.map((_, i) => Buffer.concat(small.slice(0, i)).length)])
  for (let block = 0; blocks.contentOffset(block) < large; block++) {
    assert.ok(headers.has(blocks.contentOffset(block)), `${blocks.contentOffset(block)}`)
    assert.ok(blocks.contentBytes(block) <= 32 * KiB)
  }
})

test('what does not shrink is stored, and what shrinks again is compressed again', async t => {
  const path = join(scratch(t), 'layer')
  const noise = randomBytes(8 << 20)
  const archive = build.tar([build.file('mixed', Buffer.concat([noise, text(8 << 20)]))])
  const { fileBytes } = await writeLayer(path, archive)
  assert.ok(fileBytes > noise.length)
  // Of the text, at most the blocks until the next try are stored.
  assert.ok(fileBytes < noise.length + 9 * 256 * KiB + 1_000_000, `${fileBytes}`)
  assert.ok((await tarOf(path, 1 << 20)).equals(archive))
})

test('every block is stored without compression', async t => {
  const path = join(scratch(t), 'layer')
  const archive = mixedArchive()
  await writeLayer(path, archive, { compression: 'none' })
  const file = await openLayerFile(path)
  t.after(() => file.close())
  for (let block = 0; block < file.index.blocks.count; block++) assert.ok(file.index.blocks.isStored(block))
})

test('P-63: sizes, entries and warnings are counted', async t => {
  const archive = build.tar([
    build.file('a', text(1000)),
    build.hardlink('b', 'a'),
    build.symlink('c', 'target'),
    build.file('a2', 'gone'),
    build.file('a2', 'now'),
    build.file('.wh.x', 'body'),
    build.char('n', 1, 3),
    build.file('.wh..wh..opq'),
  ])
  const written = await writeLayer(join(scratch(t), 'layer'), archive)
  assert.equal(written.sizeBytes, 1000 + 'target'.length + 'now'.length)
  assert.equal(written.entries, 8)
  assert.equal(written.warnings.length, 2)
})

test('warnings are bounded', async t => {
  const twice = Array.from({ length: 300 }, () => build.file('a'))
  const { warnings } = await writeLayer(join(scratch(t), 'layer'), build.tar(twice))
  assert.equal(warnings.length, 101)
  assert.match(warnings.at(-1)!, /199 more/)
})

test('an empty layer', async t => {
  for (const archive of [build.end(), Buffer.alloc(10240)]) {
    const layer = await layerOf(t, archive)
    assert.equal(layer.inodeCount, 1)
    assert.deepEqual(treeOf(layer), [])
    assert.equal(layer.tarBytes, archive.length)
  }
})

test('random archives come back, entry by entry', async t => {
  const seeds = fc.integer({ min: 1, max: 2 ** 31 })
  await fc.assert(
    fc.asyncProperty(seeds, fc.integer({ min: 1, max: 5000 }), async (seed, chunk) => {
      const { bytes, entries } = randomArchive(seed, {
        entries: 25,
        bodyBytes: 3000,
        xattrs: true,
        binaryNames: true,
        longNames: true,
      })
      const layer = await layerOf(t, bytes, { chunks: [chunk] })
      for (const entry of entries) {
        const names = entry.name.replace(/\/$/, '').split('/')
        const inode = names.reduce((dir, name) => layer.lookup(dir, name as never), 0)
        assert.ok(inode > 0, entry.name)
        const seen = layer.inode(inode)
        if (entry.type === 'file') assert.ok(contentOf(layer, inode).equals(entry.body))
        if (entry.type === 'symlink') assert.equal(layer.readlink(inode), entry.linkName)
        if (entry.type === 'char' || entry.type === 'block')
          assert.deepEqual([seen.deviceMajor, seen.deviceMinor], [entry.major, entry.minor])
        if (seen.nlink > 1 || entry.type === 'hardlink') continue // a later link's header may have changed it
        assert.deepEqual(
          [seen.mode & 0o7777, seen.uid, seen.gid, seen.mtimeSec, seen.mtimeNsec],
          [entry.type === 'symlink' ? 0o777 : entry.mode, entry.uid, entry.gid, entry.mtimeSec, entry.mtimeNsec],
        )
        assert.deepEqual(
          layer.xattrs(inode).map(({ name, value }) => [name, value]),
          entry.xattrs.map(([name, value]) => [name, value]),
        )
      }
    }),
    { numRuns: 20 },
  )
})

test('errors name what was read', async t => {
  const archive = build.tar([build.file('noise', text(4 << 20)), build.file('../x')])
  async function* source() {
    yield archive
  }
  const { openSync, closeSync } = await import('node:fs')
  const fd = openSync(join(scratch(t), 'layer'), 'w')
  t.after(() => closeSync(fd))
  const options = { fd, label: 'app.tar: abc/layer.tar', compression: 'lz4', limits: defaultLimits } as const
  await assert.rejects(writeLayerFile(source(), options), {
    code: 'PATH_ESCAPE',
    member: 'app.tar: abc/layer.tar',
    message: /^app\.tar: abc\/layer\.tar: .*\.\.\/x/,
  })
  const closed = { ...options, fd: 2 ** 30 }
  await assert.rejects(writeLayerFile(inOne(build.end()), closed), { code: 'STORE_IO', operation: 'write' })
})

async function* inOne(bytes: Buffer) {
  yield bytes
}

test('H4 a layer is bounded in bytes', async t => {
  const archive = build.tar([build.file('a', text(10_000))])
  await assert.rejects(layerOf(t, archive, { limits: { layerBytes: archive.length - 1 } }), {
    code: 'LIMIT_EXCEEDED',
    limit: 'layerBytes',
  })
  await layerOf(t, archive, { limits: { layerBytes: archive.length } })
})

test('a truncated archive is refused', async t => {
  const archive = build.tar([build.file('a', text(10_000))])
  await assert.rejects(layerOf(t, archive.subarray(0, 5000)), { code: 'TAR_INVALID' })
})

test('a symlink has mode 0777, as on Linux, whatever its header says', async t => {
  const layer = await layerOf(t, build.tar([build.symlink('l', '/', { mode: 0o640 })]))
  assert.equal(layer.mode(inodeAt(layer, 'l')), 0o120777)
})
