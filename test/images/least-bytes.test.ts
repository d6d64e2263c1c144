import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { openRoot } from '../../src/disk/open-root.js'
import { PackedDriver } from '../../src/drivers/packed/packed-driver.js'
import { leastBytes } from '../../src/images/least-bytes.js'
import { legacyArchive } from '../build/image.js'
import { archiveFile, scratchDir, scratchStore } from '../build/store.js'
import { file, tar } from '../build/tar.js'

async function drivers(t: TestContext) {
  const root = await openRoot(join(scratchDir(t), 'store'), { durability: 'none' })
  t.after(() => root.close())
  return { none: new PackedDriver(root, { compression: 'none' }), lz4: new PackedDriver(root, { compression: 'lz4' }) }
}

function rangeOf(t: TestContext, bytes: Buffer, before = Buffer.alloc(0)) {
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
