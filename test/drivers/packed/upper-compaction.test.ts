/** Compaction: space comes back, nothing changes, and what goes on meanwhile is there, too. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ByteString } from '../../../src/byte-string.js'
import type { PackedUpper } from '../../../src/drivers/packed/packed-upper.js'
import { loadChecksums } from '../../../src/layerfile/checksum.js'
import { inDirectory } from '../../build/in-directory.js'
import { plainRoot } from '../../build/memory-upper.js'
import { packedUpper } from '../../build/packed-upper.js'
import { isSame, stateOf } from '../../build/upper-sequence.js'

const options = { root: plainRoot, checksums: await loadChecksums() }

function withUpper(work: (upper: PackedUpper, directory: string) => Promise<void>) {
  return inDirectory(async directory => {
    const upper = await packedUpper(directory, options)
    await work(upper, directory)
    await upper.close()
  })
}

function write(upper: PackedUpper, name: string, bytes: Buffer) {
  return upper.atomically(() => {
    const node = upper.create({ ...plainRoot, mode: 0o100644 })
    upper.place(upper.root, name as ByteString, node)
    upper.writeSync(node, 0, bytes)
    upper.release(node)
    return node
  })
}

const bytesOf = (directory: string) =>
  readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)

async function assertReopens(directory: string, wanted: ReturnType<typeof stateOf>, used: number): Promise<void> {
  const again = await packedUpper(directory, options)
  assert.ok(isSame(stateOf(again), wanted))
  assert.equal(again.usedBytes, used)
  await again.close()
}

test(
  'the journal and the segments become as small as what is there',
  withUpper(async (upper, directory) => {
    for (let round = 0; round < 60; round++) {
      for (let i = 0; i < 50; i++) write(upper, `f${i}`, Buffer.alloc(3000, round))
      write(upper, 'large', Buffer.alloc(100_000, round))
      await new Promise(setImmediate)
    }
    await upper.sync()
    const wanted = stateOf(upper)
    const before = bytesOf(directory)
    await upper.compact()
    assert.ok(isSame(stateOf(upper), wanted))
    assert.ok(bytesOf(directory) < 300_000, `${bytesOf(directory)} of ${before}`)
    const used = upper.usedBytes
    assert.equal(used, 250_000)
    await upper.close()
    await assertReopens(directory, wanted, used)
  }),
)

test(
  'what happens while it goes on, and in a file that has no name, is in the new journal',
  withUpper(async (upper, directory) => {
    for (let i = 0; i < 400; i++) write(upper, `f${i}`, Buffer.alloc(2000, i))
    for (let i = 0; i < 380; i++) upper.remove(upper.root, `f${i}` as ByteString)
    const held = write(upper, 'held', Buffer.alloc(10, 1))
    upper.hold(held)
    upper.remove(upper.root, 'held' as ByteString)
    let done = false
    const compacting = upper.compact().then(() => {
      done = true
    })
    for (let i = 0; !done; i++) {
      write(upper, `g${i}`, Buffer.alloc(100 + (i % 500), i))
      upper.writeSync(held, 5, Buffer.alloc(i % 3000, i))
      if (i % 7 === 0) write(upper, 'large', Buffer.alloc(70_000, i))
      await new Promise(setImmediate)
    }
    await compacting
    upper.place(upper.root, 'named again' as ByteString, held)
    const wanted = stateOf(upper)
    const used = upper.usedBytes
    await upper.close()
    await assertReopens(directory, wanted, used)
  }),
)

test(
  'a journal that grows without end is compacted by itself',
  withUpper(async (upper, directory) => {
    const node = write(upper, 'file', Buffer.from('content'))
    let longest = 0
    for (let i = 0; i < 400; i++) {
      for (let j = 0; j < 400; j++) {
        const time = { sec: i, nsec: j }
        upper.setAttributes(node, { atime: time, mtime: time, ctime: { ...time, sec: 1 } })
      }
      await new Promise(resolve => setTimeout(resolve, i % 20 === 0 ? 25 : 0))
      longest = Math.max(longest, statSync(join(directory, 'journal')).size)
    }
    await upper.sync()
    assert.ok(statSync(join(directory, 'journal')).size < longest, `${longest}`)
  }),
)

test(
  'removed large files go with the next sync, and what an earlier process left goes at opening',
  withUpper(async (upper, directory) => {
    const contents = () => readdirSync(directory).filter(name => name.startsWith('content'))
    write(upper, 'large', Buffer.alloc(100_000, 1))
    upper.remove(upper.root, 'large' as ByteString)
    assert.equal(contents().length, 1)
    await upper.sync()
    assert.equal(contents().length, 0)
    await upper.close()
    for (const name of ['content-77', 'segment-5', 'journal.next']) writeFileSync(join(directory, name), 'left')
    writeFileSync(join(directory, 'somebody else’s'), 'left')
    await (await packedUpper(directory, options)).close()
    assert.deepEqual(readdirSync(directory).sort(), ['journal', 'somebody else’s'])
  }),
)

test(
  'the file of a content that was open without a name goes with the next sync, though nothing else has happened',
  withUpper(async (upper, directory) => {
    const node = write(upper, 'large', Buffer.alloc(100_000, 1))
    upper.hold(node)
    upper.remove(upper.root, 'large' as ByteString)
    await upper.sync()
    upper.release(node)
    await upper.sync()
    assert.deepEqual(readdirSync(directory), ['journal'])
  }),
)

test(
  'ids are not used again after a compaction',
  withUpper(async (upper, directory) => {
    const { id } = write(upper, 'f', Buffer.from('1'))
    upper.remove(upper.root, 'f' as ByteString)
    await upper.compact()
    await upper.close()
    const again = await packedUpper(directory, options)
    assert.ok(again.create(plainRoot).id > id)
    await again.close()
  }),
)

test(
  'a journal is missing: contents without one are not taken for a new container',
  withUpper(async (upper, directory) => {
    write(upper, 'f', Buffer.from('1'))
    await upper.close()
    const journal = join(directory, 'journal')
    const bytes = readFileSync(journal)
    rmSync(journal)
    await assert.rejects(packedUpper(directory, options), { code: 'STORE_CORRUPT', path: journal })
    writeFileSync(journal, bytes)
  }),
)

test(
  'a large file: written in place, with gaps that take no space',
  withUpper(async (upper, directory) => {
    const node = write(upper, 'large', Buffer.alloc(100_000, 1))
    const GiB = 2 ** 30
    upper.writeSync(node, 5 * GiB, Buffer.from('end'))
    assert.equal(upper.usedBytes, 5 * GiB + 3)
    const [name] = readdirSync(directory).filter(each => each.startsWith('content'))
    const before = statSync(join(directory, name!))
    upper.writeSync(node, 50_000, Buffer.from('middle'))
    const after = statSync(join(directory, name!))
    assert.equal(after.ino, before.ino)
    assert.equal(after.size, 5 * GiB + 3)
    assert.ok(after.blocks * 512 < 10_000_000)
    const into = Buffer.alloc(10)
    assert.equal(await upper.read(node.id, 5 * GiB - 2, into), 5)
    assert.deepEqual(into.subarray(0, 5), Buffer.from('\0\0end'))
    upper.truncateSync(node, 50_003)
    upper.truncateSync(node, 50_010)
    assert.equal(upper.readSync(node.id, 49_999, into), 10)
    assert.deepEqual(into, Buffer.from('\u0001mid\0\0\0\0\0\0'))
    await upper.sync()
    assert.equal(statSync(join(directory, name!)).size, 50_010)
    assert.equal(upper.usedBytes, 50_010)
  }),
)

test(
  '100,000 records: what was done is there again',
  withUpper(async (upper, directory) => {
    for (let i = 0; i < 20_000; i++) {
      const node = upper.create({ ...plainRoot, mode: 0o100644 })
      upper.place(upper.root, `file ${i}` as ByteString, node)
      upper.setAttributes(node, { uid: i })
      upper.setAttributes(node, { mtime: { sec: i, nsec: i } })
      upper.setAttributes(upper.root, { mtime: { sec: i, nsec: i } })
      upper.release(node)
    }
    await upper.close()
    const again = await packedUpper(directory, options)
    assert.equal(again.usedEntries, 20_001)
    for (const i of [0, 777, 19_999]) assert.equal(again.node(again.lookup(0, `file ${i}` as ByteString)).uid, i)
    await again.close()
  }),
)
