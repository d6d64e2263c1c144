import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { openRoot } from '../../src/disk/open-root.js'
import type { Driver } from '../../src/drivers/driver.js'
import { Overlay2Driver } from '../../src/drivers/overlay2/overlay2-driver.js'
import { PackedDriver } from '../../src/drivers/packed/packed-driver.js'
import { leastBytes as leastBytesOf } from '../../src/images/least-bytes.js'
import { defaultLimits } from '../../src/limits.js'
import { legacyArchive } from '../build/image.js'
import { archiveFile, scratchDir, scratchStore } from '../build/store.js'
import { dir, file, hardlink, symlink, tar } from '../build/tar.js'

const leastBytes = (layers: Parameters<typeof leastBytesOf>[0], driver: Driver, room = 0) =>
  leastBytesOf(layers, { driver, limits: defaultLimits, fits: async bytes => bytes <= room })

async function drivers(t: TestContext) {
  const root = await openRoot(join(scratchDir(t), 'store'), { durability: 'none' })
  t.after(() => root.close())
  const directories = new Overlay2Driver(root)
  return {
    directories,
    none: new PackedDriver(root, { compression: 'none' }),
    lz4: new PackedDriver(root, { compression: 'lz4' }),
  }
}

function rangeOf(t: TestContext, bytes: Buffer, before: Buffer = Buffer.alloc(0)) {
  const path = join(scratchDir(t), 'archive')
  writeFileSync(path, Buffer.concat([before, bytes, Buffer.from('behind')]))
  return { path, offset: before.length, sizeBytes: bytes.length }
}

test('a plain tar takes its own size, or what LZ4 makes of it at best', async t => {
  const { none, lz4 } = await drivers(t)
  const range = rangeOf(t, tar([file('a', 'a'.repeat(100_000))]), gzipSync('before'))
  assert.equal(await leastBytes([{ range }, { range }], none), 2 * range.sizeBytes)
  assert.equal(await leastBytes([{ range }], lz4), Math.floor(range.sizeBytes / 255))
})

test('what is compressed, arrives, is not there or is nothing counts for nothing', async t => {
  const { none } = await drivers(t)
  const packed = rangeOf(t, gzipSync(randomBytes(5000)))
  const growing = { ...rangeOf(t, tar([file('a', 'a')])), growing: new SharedArrayBuffer(16) }
  const missing = { ...packed, path: `${packed.path}.missing` }
  const endless = { ...rangeOf(t, tar([file('a', 'a')])), sizeBytes: Number.POSITIVE_INFINITY }
  for (const range of [packed, growing, missing, endless]) assert.equal(await leastBytes([{ range }], none), 0)
  assert.equal(await leastBytes([{}], none), 0)
})

test('where only contents stay, they are what counts, and nobody looks for them where the tar would fit', async t => {
  const { directories } = await drivers(t)
  const many = Array.from({ length: 300 }, (_, at) => file(`d/${at}`, 'x'.repeat(at * 10)))
  const marks = [
    file('d/.wh.x', 'ignored'.repeat(1000)),
    file('.wh..wh..opq', ''),
    symlink('s', 'target'),
    hardlink('h', 'd/7'),
  ]
  const range = rangeOf(t, tar([dir('d/'), ...many, ...marks, file('large', Buffer.alloc(1_000_000))]), tar([]))
  // An inode may hold those of less than 1 KiB.
  const contents = 10 * ((299 * 300) / 2 - (102 * 103) / 2) + 1_000_000
  assert.equal(await leastBytes([{ range }, { range }], directories), 2 * contents)
  assert.equal(await leastBytes([{ range }, { range }], directories, 2 * range.sizeBytes - 1), 2 * contents)
  assert.equal(await leastBytes([{ range }, { range }], directories, 2 * range.sizeBytes), 0)
  const damaged = { ...range, offset: range.offset + 100 }
  assert.equal(await leastBytes([{ range: damaged }], directories), 0)
})

/** Zeros: nothing becomes smaller. */
test('no layer takes less than it is said to', async t => {
  for (const compression of ['none', 'lz4'] as const) {
    const store = await scratchStore(t, { compression })
    for (const content of [Buffer.alloc(5_000_000), randomBytes(300_000), Buffer.alloc(0)]) {
      const layer = tar([file('a', content)])
      const loading = store.load(archiveFile(t, legacyArchive([{ layers: [layer], tags: ['a:1'] }])))
      await loading
      const driver = (await drivers(t))[compression]
      const least = await leastBytes([{ range: rangeOf(t, layer) }], driver)
      assert.ok(loading.report.bytesWritten >= least, `${loading.report.bytesWritten} of ${least}`)
    }
  }
})
