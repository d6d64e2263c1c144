import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { PhylloError, StoreOptions } from '../../src/index.js'
import {
  archiveOf,
  blobArchive,
  digestOf,
  Layout,
  layerTar,
  legacyArchive,
  type Members,
  named,
  ociTypes,
} from '../build/image.js'
import { archiveFile, leftovers, published, scratchStore } from '../build/store.js'
import { file, tar } from '../build/tar.js'

const good = layerTar({ 'etc/hostname': 'good\n', 'usr/bin/true': 'x'.repeat(5000) })
const first = layerTar({ before: 'x' })
const other = layerTar({ 'etc/motd': 'other\n' })

/** The load fails with this code, names file and member, and leaves the store byte for byte as it was. */
async function refused(
  t: TestContext,
  archive: Members | Buffer,
  code: string,
  member?: RegExp,
  options: StoreOptions = {},
) {
  const store = await scratchStore(t, { workers: 2, ...options })
  await store.load(archiveFile(t, legacyArchive([{ layers: [first], tags: ['before:1'] }])))
  const before = published(store.root)
  const path = archiveFile(t, archive, 'bad.tar')
  await assert.rejects(Promise.resolve(store.load(path)), (error: PhylloError) => {
    assert.equal(error.code, code, `${error.code}: ${error.message}`)
    assert.match(error.message, /bad\.tar/)
    if (member !== undefined) assert.match(error.message, member)
    return true
  })
  assert.deepEqual(published(store.root), before)
  assert.deepEqual(leftovers(store.root), [])
  await store.load(archiveFile(t, legacyArchive([{ layers: [other], tags: ['after:1'] }])))
}

/** An archive whose second layer is not what the config promised. */
function lying(bytes: Buffer): Members {
  const members = legacyArchive([{ layers: [other, good], tags: ['bad:1'] }])
  const name = [...members.keys()].filter(key => key.endsWith('/layer.tar'))[1]!
  members.set(name, bytes)
  return members
}

test('F5 a layer that is another than the config says', t =>
  refused(t, lying(layerTar({ a: 'b' })), 'DIFF_ID_MISMATCH', /layer\.tar/))

test('a layer with one bit flipped', t => {
  const flipped = Buffer.from(good)
  flipped[flipped.indexOf('good')]! ^= 1
  return refused(t, lying(flipped), 'DIFF_ID_MISMATCH', /layer\.tar/)
})

test('a layer whose tar is cut', t => refused(t, lying(good.subarray(0, 700)), 'TAR_INVALID', /layer\.tar/))

test('E5 a layer whose gzip is cut', t =>
  refused(t, lying(gzipSync(good).subarray(0, -12)), 'COMPRESSION_INVALID', /layer\.tar/))

test('E6 a layer that is a bomb', t =>
  refused(t, lying(gzipSync(Buffer.alloc(9 * 1024 * 1024))), 'LIMIT_EXCEEDED', /layer\.tar/, {
    limits: { layerBytes: 8 * 1024 * 1024 },
  }))

test('A1 a layer with a name that climbs out', t =>
  refused(t, lying(tar([file('../victim', 'x')])), 'PATH_ESCAPE', /layer\.tar/))

test('B3 a layer with a whiteout of nothing', t =>
  refused(t, lying(tar([file('d/.wh.')])), 'WHITEOUT_INVALID', /layer\.tar/))

test('H1 a layer with too many entries', t =>
  refused(t, lying(tar([file('a'), file('b'), file('c')])), 'LIMIT_EXCEEDED', /layer\.tar/, {
    limits: { layerEntries: 2 },
  }))

test('an archive that is cut at any of many places', async t => {
  const whole = archiveOf(legacyArchive([{ layers: [other, good], tags: ['bad:1'] }]))
  const store = await scratchStore(t)
  const before = published(store.root)
  // The last thing in it is manifest.json: cut before that is complete, nothing can be loaded.
  const end = whole.lastIndexOf('bad:1')
  for (let cut = 0; cut < end; cut += 397) {
    await assert.rejects(
      Promise.resolve(store.load(archiveFile(t, whole.subarray(0, cut), 'cut.tar'))),
      (error: PhylloError) => {
        assert.ok(['TAR_INVALID', 'ARCHIVE_INVALID'].includes(error.code), `${cut}: ${error.code}: ${error.message}`)
        assert.match(error.message, /cut\.tar/)
        return true
      },
    )
  }
  assert.deepEqual(published(store.root), before)
  assert.deepEqual(leftovers(store.root), [])
})

test('E7 an OCI blob that is not as long as its descriptor says', t => {
  const layout = new Layout()
  const image = layout.image({ layers: [other] })
  const members = layout.done([named(image, 'bad:1')])
  members.set(`blobs/sha256/${digestOf(other).slice(7)}`, Buffer.concat([other, Buffer.alloc(512)]))
  return refused(t, members, 'SIZE_MISMATCH', /blobs\/sha256/)
})

test('an OCI blob that does not hash to its name', t => {
  const layout = new Layout()
  const image = layout.image({ layers: [other] }, gzipSync, ociTypes.gzip)
  const members = layout.done([named(image, 'bad:1')])
  const name = [...members.keys()].find(key => key === `blobs/sha256/${digestOf(gzipSync(other)).slice(7)}`)!
  // The same tar, compressed in another way, and made as long: the diffId is right, the digest is not.
  const bytes = gzipSync(other, { level: 1 })
  const same = gzipSync(other)
  members.set(name, bytes.length === same.length && !bytes.equals(same) ? bytes : flipHeader(same))
  return refused(t, members, 'DIGEST_MISMATCH', /blobs\/sha256/)
})

/** Another modification time in the gzip header: other bytes, the same content. */
function flipHeader(gzip: Buffer): Buffer {
  const bytes = Buffer.from(gzip)
  bytes[4]! ^= 1
  return bytes
}

test('one bad image among good ones: none of them is loaded', t => {
  const members = new Map([
    ...legacyArchive([
      { layers: [other], tags: ['fine:1'] },
      { layers: [layerTar({ b: 'c' })], tags: ['bad:1'] },
    ]),
  ])
  const name = [...members.keys()].filter(key => key.endsWith('/layer.tar'))[1]!
  members.set(name, layerTar({ b: 'd' }))
  return refused(t, members, 'DIFF_ID_MISMATCH', /layer\.tar/)
})

test('what is no archive at all', async t => {
  await refused(t, Buffer.from('hello, I am text\n'.repeat(100)), 'TAR_INVALID')
  await refused(t, Buffer.alloc(0), 'ARCHIVE_INVALID')
  await refused(t, tar([file('readme', 'no image here')]), 'ARCHIVE_INVALID')
})

test('a file that is not there, and a directory that is no layout', async t => {
  const store = await scratchStore(t)
  await assert.rejects(Promise.resolve(store.load('/nonexistent/app.tar')), { code: 'INPUT_IO' })
  await assert.rejects(Promise.resolve(store.load(store.root)), { code: 'ARCHIVE_INVALID' })
})

test('rot in a stored layer is never served: a flipped bit anywhere in the file is an error or without effect', async t => {
  const { writeFileSync, readdirSync } = await import('node:fs')
  const { join } = await import('node:path')
  const store = await scratchStore(t)
  await store.load(archiveFile(t, blobArchive([{ layers: [good], tags: ['app:v1'] }])))
  const path = join(store.root, 'packed', readdirSync(join(store.root, 'packed'))[0]!)
  const bytes = readFileSync(path)
  for (let at = 0; at < bytes.length; at += 13) {
    const rotten = Buffer.from(bytes)
    rotten[at]! ^= 1 << (at % 8)
    writeFileSync(path, rotten)
    try {
      const view = await store.view('app:v1')
      try {
        assert.equal(view.readFileSync('/etc/hostname', 'utf8'), 'good\n', `byte ${at}`)
        assert.equal(view.readFileSync('/usr/bin/true', 'utf8'), 'x'.repeat(5000), `byte ${at}`)
      } finally {
        await view.close()
      }
    } catch (error) {
      const { code } = error as { code?: string }
      assert.ok(['STORE_CORRUPT', 'STORE_VERSION', 'EIO'].includes(code ?? ''), `byte ${at}: ${error}`)
    }
  }
})
