/** Other people's programs on our files: lz4 tests and unpacks them, bsdtar lists them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import { scratch, writeLayer } from '../build/layerfile.js'
import { randomArchive } from '../build/random-tar.js'
import * as build from '../build/tar.js'

const archives: Readonly<Record<string, Buffer>> = {
  empty: build.tar([]),
  small: build.tar([build.dir('d/'), build.file('d/a', 'a'.repeat(5000)), build.symlink('l', 'd/a')]),
  mixed: build.tar(
    [10, 4000, 15_000, 100_000, 262_144, 1_000_000, 3].flatMap((size, i) => [
      build.file(`text${i}`, 'once more unto the breach '.repeat(size / 26 + 1)),
      build.file(`noise${i}`, randomBytes(size)),
    ]),
  ),
  random: randomArchive(7, { entries: 60, bodyBytes: 3000, xattrs: true }).bytes,
}

for (const [name, archive] of Object.entries(archives))
  for (const compression of ['lz4', 'none'] as const)
    test(`lz4 -t, lz4 -dc and bsdtar -t read it: ${name}, ${compression}`, async t => {
      const path = join(scratch(t), 'layer.tar.lz4')
      const { diffId } = await writeLayer(path, archive, { compression })
      execFileSync('lz4', ['-t', '-q', path])
      const unpacked = execFileSync('lz4', ['-d', '-c', '-q', path], { maxBuffer: 1 << 28 })
      assert.ok(unpacked.equals(archive))
      assert.equal(`sha256:${createHash('sha256').update(unpacked).digest('hex')}`, diffId)
      const listed = execFileSync('bsdtar', ['-tf', path], { maxBuffer: 1 << 28 })
      assert.ok(listed.equals(execFileSync('bsdtar', ['-tf', '-'], { input: archive, maxBuffer: 1 << 28 })))
    })
