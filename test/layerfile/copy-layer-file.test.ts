/** A layer file out of another one: blocks as they are stored, and nothing else of it. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { loadChecksums } from '../../src/layerfile/checksum.js'
import { copyLayerFile } from '../../src/layerfile/copy-layer-file.js'
import { decodeFooter, encodeFooter, type Footer, footerBytes, type SectionName } from '../../src/layerfile/format.js'
import { openLayerTar } from '../../src/layerfile/layer-tar.js'
import { openLayerFile } from '../../src/layerfile/reader.js'
import { writeLayerFile } from '../../src/layerfile/writer.js'
import { defaultLimits, KiB } from '../../src/limits.js'
import { inChunks, scratch } from '../build/layerfile.js'
import * as build from '../build/tar.js'

const archive = build.tar([
  build.dir('d/', { mode: 0o711 }),
  ...Array.from({ length: 40 }, (_, i) => build.file(`d/${i}`, 'it was the best of times; '.repeat(i * 19))),
  build.file('noise', randomBytes(600 * KiB)),
  build.file('text', 'it was the worst of times; '.repeat(40_000)),
])
const label = 'it'
const limits = defaultLimits

async function written(t: TestContext, compression: 'lz4' | 'none', smallBlockBytes: number): Promise<string> {
  const path = join(scratch(t), 'layer')
  const fd = openSync(path, 'wx')
  await writeLayerFile(inChunks(archive, [1 << 20]), { fd, label, compression, limits, smallBlockBytes })
  closeSync(fd)
  return path
}

async function copied(t: TestContext, from: string): Promise<Buffer> {
  const path = join(scratch(t), 'copy')
  const fd = openSync(path, 'wx')
  const tar = await openLayerTar(from)
  try {
    const { tarBytes, fileBytes } = await copyLayerFile(tar, { fd, label, limits })
    const bytes = readFileSync(path)
    assert.deepEqual([tarBytes, fileBytes], [archive.length, bytes.length])
    return bytes
  } finally {
    tar.close()
    closeSync(fd)
  }
}

for (const compression of ['lz4', 'none'] as const)
  test(`${compression}: the copy is the file, wherever its blocks are cut`, async t => {
    const sizes = new Set<number>()
    for (const smallBlockBytes of [2 * KiB, 16 * KiB, 90 * KiB]) {
      const path = await written(t, compression, smallBlockBytes)
      const bytes = await copied(t, path)
      assert.ok(bytes.equals(readFileSync(path)))
      sizes.add(bytes.length)
    }
    assert.equal(sizes.size, 3)
  })

/** The file with a section changed, and every checksum right. */
async function forged(
  t: TestContext,
  path: string,
  name: SectionName,
  change: (bytes: Buffer) => void,
): Promise<string> {
  const { xxh64 } = await loadChecksums()
  const bytes = readFileSync(path)
  const at = bytes.length - footerBytes
  const footer = decodeFooter(bytes.subarray(at), path, xxh64)
  const section = footer.sections[name]
  const from = footer.indexOffset + section.offset
  change(bytes.subarray(from, from + section.length))
  const checksum = xxh64(bytes.subarray(from, from + section.length))
  const changed: Footer = { ...footer, sections: { ...footer.sections, [name]: { ...section, checksum } } }
  bytes.set(encodeFooter(changed, xxh64), at)
  const forgery = join(scratch(t), 'forged')
  writeFileSync(forgery, bytes)
  return forgery
}

test('an index that says something else than the tar, with all checksums right, is not copied', async t => {
  const path = await written(t, 'lz4', 16 * KiB)
  const forgery = await forged(t, path, 'uid', bytes => bytes.fill(1))
  const layer = await openLayerFile(forgery)
  assert.equal(layer.index.inode(1).uid, 0x01010101)
  await layer.close()
  assert.ok((await copied(t, forgery)).equals(readFileSync(path)))
})

test('a table of blocks that no writer can have written is STORE_CORRUPT', async t => {
  const path = await written(t, 'lz4', 16 * KiB)
  const row = 24
  for (const change of [
    (bytes: Buffer) => bytes.writeUInt32LE(300 * KiB, row),
    (bytes: Buffer) => bytes.writeUInt32LE(0, row),
    (bytes: Buffer) => bytes.writeUInt32LE(0xffff_0000, row + 8),
    (bytes: Buffer) => bytes.writeUInt32LE(0, row + 8),
  ]) {
    const forgery = await forged(t, path, 'blocks', change)
    await assert.rejects(copied(t, forgery), { code: 'STORE_CORRUPT', path: forgery })
  }
})
