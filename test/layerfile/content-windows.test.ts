/** Contents through windows: whatever is expected, asked for, and in whatever order, the bytes are those of the archive. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { ContentWindows } from '../../src/layerfile/content-windows.js'
import { openLayerFile } from '../../src/layerfile/reader.js'
import { KiB } from '../../src/limits.js'
import { scratch, writeLayer } from '../build/layerfile.js'
import * as build from '../build/tar.js'

const sizes = [0, 1, 700, 20_000, 0, 3000, 300 * KiB, 256 * KiB, 512, 100_000, 9000, 2, 600 * KiB, 5]

function contentsOf(seed: string): Buffer[] {
  return sizes.map((size, i) => (i % 2 === 0 ? randomBytes(size) : Buffer.alloc(size, `${seed} ${i} `)))
}

test('any contents of two layers, expected or not', async t => {
  const dir = scratch(t)
  const contents = [contentsOf('one'), contentsOf('two')]
  const layers = await Promise.all(
    contents.map(async (bodies, at) => {
      const path = join(dir, `layer${at}`)
      await writeLayer(path, build.tar(bodies.map((body, i) => build.file(`f${i}`, body))), { compression: 'lz4' })
      return openLayerFile(path)
    }),
  )
  t.after(() => Promise.all(layers.map(layer => layer.close())))
  const inodeOf = (source: number, which: number) => layers[source]!.index.lookup(0, `f${which}` as never)
  const one = fc.record({ source: fc.nat(1), which: fc.nat(sizes.length - 1) })
  const many = fc.array(one, { maxLength: 40 })
  fc.assert(
    fc.property(many, many, fc.boolean(), (expected, asked, inOrder) => {
      const windows = new ContentWindows(layers)
      const all = inOrder ? sizes.flatMap((_, which) => [{ source: 0, which }]) : expected
      windows.expect(all.map(({ source, which }) => ({ source, inode: inodeOf(source, which) })))
      for (const { source, which } of inOrder ? all : asked) {
        const content = { source, inode: inodeOf(source, which) }
        const whole = contents[source]![which]!
        for (let at = 0; at < whole.length; ) {
          const bytes = windows.bytes(content, at)
          assert.ok(bytes.length > 0)
          assert.ok(bytes.equals(whole.subarray(at, at + bytes.length)), `${source} ${which} at ${at}`)
          at += bytes.length
        }
        assert.equal(windows.bytes(content, whole.length).length, 0)
      }
    }),
    { numRuns: 50 },
  )
})
