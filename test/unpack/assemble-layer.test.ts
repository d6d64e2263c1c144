/** Layers taken apart, and put together again out of a directory. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  closeSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { fromText } from '../../src/byte-string.js'
import { defaultLimits, KiB, MiB } from '../../src/limits.js'
import type { DiffId } from '../../src/oci/digest.js'
import { countTarBytes, type SplitLayer } from '../../src/unpack/assemble-layer.js'
import { AssembledTar } from '../../src/unpack/assembled-tar.js'
import { checkDirectory } from '../../src/unpack/check-directory.js'
import { LayerContents } from '../../src/unpack/layer-contents.js'
import { recordedTarBytes } from '../../src/unpack/split-file.js'
import { oddArchive, oddityNames, plainKinds } from '../build/odd-archive.js'
import { assembled, splitLayer, type TellOptions } from '../build/split-layer.js'
import { scratchDir } from '../build/store.js'
import * as build from '../build/tar.js'

/** Taken apart, unpacked, and put together again. */
async function roundTrip(t: TestContext, tar: Buffer, options: TellOptions = {}): Promise<SplitLayer> {
  const layer = await splitLayer(scratchDir(t), tar, options)
  assert.ok((await assembled(layer)).equals(tar))
  assert.equal(await countTarBytes(layer.tarSplit), tar.length)
  return layer
}

test('random archives, each with something odd, come back byte for byte', async t => {
  const first = Number(process.env.PHYLLO_SEED ?? Math.floor(Math.random() * 2 ** 30))
  t.diagnostic(`PHYLLO_SEED=${first}`)
  const met = new Set<string>()
  for (let seed = first; seed < first + 60; seed++) {
    const { bytes, oddities, real } = oddArchive(seed, { kinds: plainKinds })
    for (const oddity of oddities) met.add(oddity)
    const layer = await splitLayer(scratchDir(t), bytes, { real })
    assert.ok((await assembled(layer)).equals(bytes), `PHYLLO_SEED=${seed}`)
    assert.equal(await countTarBytes(layer.tarSplit), bytes.length)
  }
  assert.ok(met.size > oddityNames.length / 2)
})

test('symlinks on the way are followed inside of the layer, absolute ones as well', async t => {
  const tar = build.tar([
    build.symlink('bin', '/usr/bin'),
    build.dir('usr/'),
    build.symlink('usr/bin', '../../../opt/./bin/'),
    build.dir('opt/'),
    build.dir('opt/bin/'),
    build.file('bin/tool', 'inside'),
    build.file('usr/bin/other', 'inside, too'),
    // Docker cleans a name before it looks at symlinks.
    build.file('usr/bin/../lib', 'beside'),
  ])
  const real = (name: string) =>
    ({ 'bin/tool': 'opt/bin/tool', 'usr/bin/other': 'opt/bin/other', 'usr/bin/../lib': 'usr/lib' })[name] ?? name
  await roundTrip(t, tar, { real })
})

test('a name that climbs is held at the root of the layer', async t => {
  const tar = build.tar([build.file('up/../../../etc/hostname', 'of the layer')])
  // The scanner lets it pass; only whoever unpacks refuses it.
  await roundTrip(t, tar, { real: () => 'etc/hostname' })
})

test('what cannot be read again is told as raw bytes, and no file is looked at', async t => {
  const tar = build.tar([build.file('bin/tool', 'x'.repeat(3000)), build.file('plain', 'x')])
  const layer = await roundTrip(t, tar, { asRaw: ({ name }) => name === 'bin/tool' })
  unlinkSync(join(layer.diff, 'bin/tool'))
  assert.ok((await assembled(layer)).equals(tar))
})

test('contents of several buffers', async t => {
  await roundTrip(t, build.tar([build.file('large', Buffer.alloc(3 * MiB + 7, 'large ')), build.file('next', 'x')]))
})

const tar = build.tar([build.dir('d/'), build.file('d/f', 'hello\n'), build.file('d/g', 'x'.repeat(2 * KiB))])

/** What is done to the directory of the layer, and what the error says. */
const damages: readonly (readonly [string, (diff: string) => void, RegExp])[] = [
  ['a byte of a content', diff => writeFileSync(join(diff, 'd/f'), 'hellO\n'), /diff\/d\/f: its checksum/],
  ['a file that is shorter', diff => truncateSync(join(diff, 'd/f'), 5), /diff\/d\/f: has 5 bytes, not 6/],
  ['a file that is longer', diff => truncateSync(join(diff, 'd/f'), 7), /diff\/d\/f: has 7 bytes, not 6/],
  ['a file that is gone', diff => unlinkSync(join(diff, 'd/f')), /diff\/d\/f: is not there/],
  ['a directory that is gone', diff => rmSync(join(diff, 'd'), { recursive: true }), /diff\/d\/f: .* not a directory/],
  ['a symlink instead of a file', diff => replace(join(diff, 'd/f'), path => symlinkSync('g', path)), /regular file/],
  ['a directory instead of a file', diff => replace(join(diff, 'd/f'), path => mkdirSync(path)), /regular file/],
  ['a file instead of a directory', diff => replace(join(diff, 'd'), path => writeFileSync(path, '')), /directory/],
  ['a loop of symlinks', diff => replace(join(diff, 'd'), path => symlinkSync('/d', path)), /more than 40 symlinks/],
  ['a symlink to nowhere', diff => replace(join(diff, 'd'), path => symlinkSync('../no', path)), /no of the layer/],
]

function replace(path: string, make: (path: string) => void): void {
  rmSync(path, { recursive: true })
  make(path)
}

for (const [what, damage, message] of damages)
  test(`${what}: STORE_CORRUPT, naming the file`, async t => {
    const layer = await splitLayer(scratchDir(t), tar)
    damage(layer.diff)
    const path = join(layer.diff, 'd/f')
    await assert.rejects(assembled(layer), { code: 'STORE_CORRUPT', path, entry: 'd/f', message })
  })

test('nothing outside of the layer is read, whatever its symlinks say', async t => {
  const outside = scratchDir(t)
  writeFileSync(join(outside, 'f'), 'hello\n')
  for (const target of [outside, `../../../../../../../../..${outside}`]) {
    const layer = await splitLayer(scratchDir(t), tar)
    replace(join(layer.diff, 'd'), path => symlinkSync(target, path))
    await assert.rejects(assembled(layer), { code: 'STORE_CORRUPT', message: /of the layer is not a directory/ })
  }
})

/** Lines of somebody else's making. */
async function assembledFrom(t: TestContext, lines: string): Promise<Buffer> {
  const dir = scratchDir(t)
  writeFileSync(join(dir, 'split'), gzipSync(lines))
  mkdirSync(join(dir, 'diff'))
  return assembled({ tarSplit: join(dir, 'split'), diff: join(dir, 'diff') })
}

test('names that are none of a file are STORE_CORRUPT', async t => {
  for (const name of ['', '/', '.', '..', 'd/..', 'x\\u0000y'])
    await assert.rejects(
      assembledFrom(t, `{"type":1,"name":"${name}","size":1,"payload":"YUw+7uLYEAA=","position":0}\n`),
      { code: 'STORE_CORRUPT', message: /no name of a file/ },
    )
})

test('a tar-split that is damaged, cut off, no gzip, or not there', async t => {
  const layer = await splitLayer(scratchDir(t), tar)
  const bytes = readFileSync(layer.tarSplit)
  const cut = { code: 'STORE_CORRUPT', path: layer.tarSplit }
  for (const damaged of [bytes.subarray(0, bytes.length - 9), Buffer.from('plain'), gzipSync('{"type":2')]) {
    writeFileSync(layer.tarSplit, damaged)
    await assert.rejects(assembled(layer), cut)
    await assert.rejects(countTarBytes(layer.tarSplit), cut)
  }
  unlinkSync(layer.tarSplit)
  await assert.rejects(assembled(layer), { code: 'STORE_IO', path: layer.tarSplit, operation: 'read' })
})

test('the gzip header says how large the tar is: gzip passes over it, and what is damaged in it is STORE_CORRUPT', async t => {
  const layer = await splitLayer(scratchDir(t), tar)
  const bytes = readFileSync(layer.tarSplit)
  assert.equal(recordedTarBytes(layer.tarSplit), tar.length)
  assert.equal(execFileSync('gzip', ['-dc', layer.tarSplit]).length, gunzipSync(bytes).length)
  const sizes = 16
  for (let at = sizes; at < sizes + 16; at++)
    for (const bit of [1, 128]) {
      const damaged = Buffer.from(bytes)
      damaged[at]! ^= bit
      writeFileSync(layer.tarSplit, damaged)
      assert.throws(() => recordedTarBytes(layer.tarSplit), { code: 'STORE_CORRUPT', path: layer.tarSplit })
    }
})

test('where the header says nothing, the lines do', async t => {
  const layer = await splitLayer(scratchDir(t), tar)
  for (const lines of [gzipSync(gunzipSync(readFileSync(layer.tarSplit))), Buffer.from('short'), Buffer.alloc(0)]) {
    writeFileSync(layer.tarSplit, lines)
    assert.equal(recordedTarBytes(layer.tarSplit), undefined)
  }
  unlinkSync(layer.tarSplit)
  assert.equal(recordedTarBytes(layer.tarSplit), undefined)
})

test('a header that says another size than the lines is damage', async t => {
  const layer = await splitLayer(scratchDir(t), tar)
  const other = await splitLayer(scratchDir(t), build.tar([build.file('other', 'x'.repeat(5000))]))
  const [mine, its] = [readFileSync(layer.tarSplit), readFileSync(other.tarSplit)]
  writeFileSync(layer.tarSplit, Buffer.concat([its.subarray(0, 32), mine.subarray(32)]))
  const diffId = `sha256:${createHash('sha256').update(tar).digest('hex')}` as DiffId
  const options = { diffId, full: false, pace: async () => undefined, limits: defaultLimits }
  const { damage } = await checkDirectory(layer, options)
  assert.deepEqual(
    damage.map(({ part, path }) => ({ part, path })),
    [{ part: 'tar-split', path: layer.tarSplit }],
  )
})

test('names at the top are found there, whatever came before them', async t => {
  const mixed = build.tar([
    build.dir('etc/'),
    build.dir('etc/deep/'),
    build.symlink('bin', 'etc'),
    build.file('etc/f', 'in etc'),
    build.file('f', 'at the top'),
    build.file('etc/deep/../g', 'in etc, too'),
    build.file('g', 'at the top, too'),
  ])
  const layer = await roundTrip(t, mixed)
  const diffId = `sha256:${createHash('sha256').update(mixed).digest('hex')}` as DiffId
  const options = { diffId, full: true, pace: async () => undefined, limits: defaultLimits }
  assert.deepEqual((await checkDirectory(layer, options)).damage, [])
})

test('a name that leads nowhere does not lead the next one astray', async t => {
  const layer = await splitLayer(
    scratchDir(t),
    build.tar([build.dir('a/'), build.dir('a/b/'), build.file('a/b/f', 'x'), build.dir('c/'), build.file('c/x', 'y')]),
  )
  const contents = new LayerContents(layer.diff)
  const name = (text: string) => fromText(text)
  closeSync(contents.open(name('a/b/f'), 1))
  assert.throws(() => contents.open(name('c/x/y/z'), 1), { code: 'STORE_CORRUPT' })
  closeSync(contents.open(name('a/b/f'), 1))
})

test('sizes that no tar has are STORE_CORRUPT, and not a number', async t => {
  const layer = await splitLayer(scratchDir(t), tar)
  const line = '{"type":1,"name":"f","size":9007199254740991,"payload":"YUw+7uLYEAA=","position":0}\n'
  writeFileSync(layer.tarSplit, gzipSync(line.repeat(3)))
  await assert.rejects(countTarBytes(layer.tarSplit), { code: 'STORE_CORRUPT' })
})

test('read by position: in order, together, again from the beginning, and past the end', async t => {
  const large = build.tar([build.file('f', Buffer.alloc(3 * MiB, 'read by position ')), build.file('g', 'x')])
  const read = new AssembledTar(await splitLayer(scratchDir(t), large))
  const part = async (position: number, length: number) => {
    const into = Buffer.alloc(length)
    let have = 0
    for (let got = -1; got !== 0 && have < length; have += got)
      got = await read.read(position + have, into.subarray(have))
    return into.subarray(0, have)
  }
  for (const [position, length] of [
    [0, 1000],
    [large.length - 700, 1000],
    [512, 2 * MiB],
    [large.length, 10],
    [large.length + 9999, 10],
    [3, 4],
  ] as const)
    assert.ok((await part(position, length)).equals(large.subarray(position, position + length)))
  const buffers = [0, 1, 2].map(() => Buffer.alloc(MiB))
  await Promise.all(buffers.map((buffer, i) => read.read(i * MiB, buffer)))
  assert.ok(Buffer.concat(buffers).equals(large.subarray(0, 3 * MiB)))
  await read.close()
  assert.ok((await part(0, 10)).equals(large.subarray(0, 10)))
  await read.close()
})

test('read by position: a failure is told, and the next read begins again', async t => {
  const layer = await splitLayer(scratchDir(t), tar)
  const read = new AssembledTar(layer)
  unlinkSync(join(layer.diff, 'd/f'))
  await assert.rejects(read.read(0, Buffer.alloc(10)), { code: 'STORE_CORRUPT' })
  writeFileSync(join(layer.diff, 'd/f'), 'hello\n')
  assert.equal(await read.read(0, Buffer.alloc(10)), 10)
  await read.close()
})
