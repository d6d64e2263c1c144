/** A layer that real threads help to write. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRing, HelperEnd, ringBell } from '../../src/compression/block-ring.js'
import { lz4Codec } from '../../src/layerfile/block-codec.js'
import { openLayerFile } from '../../src/layerfile/reader.js'
import { writeLayerFile } from '../../src/layerfile/writer.js'
import { defaultLimits, MiB } from '../../src/limits.js'
import { Pool } from '../../src/pool/pool.js'
import { standIn } from '../build/block-helpers.js'
import { inChunks, scratch } from '../build/layerfile.js'
import * as build from '../build/tar.js'

const text = (bytes: number, seed: string) => Buffer.alloc(bytes, `${seed}: to be or not to be, that is the question; `)

/** Some 40 MiB of everything: small files, noise that is given up on, text behind it. */
const archive = build.tar([
  ...Array.from({ length: 600 }, (_, i) => build.file(`small/${i}`, text(((i * 7919) % 400) * 100, `${i}`))),
  build.file('noise', Buffer.concat([randomBytes(6 * MiB), text(5 * MiB, 'after'), randomBytes(2 * MiB)])),
  build.file('text', text(9 * MiB, 'long')),
  ...Array.from({ length: 40 }, (_, i) => build.file(`noise-${i}`, randomBytes((i % 20) * 10_000))),
])

async function write(path: string, ring?: SharedArrayBuffer) {
  const fd = openSync(path, 'w')
  try {
    const options = { fd, label: 'test.tar', compression: 'lz4', limits: defaultLimits, ...(ring && { ring }) } as const
    return await writeLayerFile(inChunks(archive, [MiB]), options)
  } finally {
    closeSync(fd)
  }
}

for (const engine of ['liblz4 if there is one', 'lz4-napi'])
  test(`${engine}: the same file with no helper, with one, and with two`, async t => {
    const before = process.env.PHYLLO_NATIVE
    if (engine === 'lz4-napi') process.env.PHYLLO_NATIVE = '0'
    t.after(() => {
      if (before === undefined) delete process.env.PHYLLO_NATIVE
      else process.env.PHYLLO_NATIVE = before
    })
    await using pool = new Pool({ workers: 2 })
    const files: Buffer[] = []
    for (const helpers of [0, 1, 2]) {
      const ring = createRing()
      const options = { memory: () => ring, onLeave: () => ringBell(ring) }
      const help = Array.from({ length: helpers }, () => pool.run('compress-blocks', { codec: 'lz4' }, options))
      const joined = new Int32Array(ring)
      while (joined[48]! < helpers) await sleep(5)
      const path = join(scratch(t), 'layer')
      const { diffId } = await write(path, ring)
      assert.equal(diffId, `sha256:${createHash('sha256').update(archive).digest('hex')}`)
      files.push(readFileSync(path))
      // They leave by themselves: the writer has closed the ring.
      const bytes = (await Promise.all(help)).reduce((sum, answer) => sum + answer.bytes, 0)
      assert.ok(helpers === 0 ? bytes === 0 : bytes > MiB, `${bytes}`)
      const layer = await openLayerFile(path)
      const tar = Buffer.alloc(layer.tarBytes)
      for (let at = 0; at < tar.length; ) at += await layer.readTar(at, tar.subarray(at))
      await layer.close()
      assert.ok(tar.equals(archive))
    }
    for (const file of files) assert.ok(file.equals(files[0]!))
  })

test('a helper that dies with a block in its hands: the same file', async t => {
  const folder = scratch(t)
  await write(join(folder, 'alone'))
  const ring = createRing()
  const helper = new HelperEnd(ring, lz4Codec(standIn()))
  helper.join()
  const writing = write(join(folder, 'helped'), ring)
  while (helper.claim() === undefined) await sleep(1)
  await writing
  assert.ok(readFileSync(join(folder, 'helped')).equals(readFileSync(join(folder, 'alone'))))
})
