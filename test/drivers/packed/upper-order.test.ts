/** In which order things get to the kernel and to the disk. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import type { ByteString } from '../../../src/byte-string.js'
import type { PackedUpper } from '../../../src/drivers/packed/packed-upper.js'
import { nodeUpperIo, type UpperIo } from '../../../src/drivers/packed/upper-io.js'
import { loadChecksums } from '../../../src/layerfile/checksum.js'
import { inDirectory } from '../../build/in-directory.js'
import { plainRoot } from '../../build/memory-upper.js'
import { packedUpper } from '../../build/packed-upper.js'

const checksums = await loadChecksums()

/** Tells the calls that change something: name of the call and of the file. */
function tellingIo(calls: string[]): UpperIo {
  const name = (path: string) => path.slice(path.lastIndexOf('/') + 1).replace(/^phyllo.*/, 'directory')
  const io = nodeUpperIo
  return {
    ...io,
    write(file, bytes, position) {
      calls.push(`write ${name(file.path)}`)
      return io.write(file, bytes, position)
    },
    truncate(file, sizeBytes) {
      calls.push(`truncate ${name(file.path)}`)
      io.truncate(file, sizeBytes)
    },
    rename(from, to) {
      calls.push(`rename ${name(to)}`)
      io.rename(from, to)
    },
    unlink(path) {
      calls.push(`unlink ${name(path)}`)
      io.unlink(path)
    },
    async sync(file) {
      await io.sync(file)
      calls.push(`sync ${name(file.path)}`)
    },
    async syncData(file) {
      await io.syncData(file)
      calls.push(`sync ${name(file.path)}`)
    },
    async syncDirectory(path) {
      await io.syncDirectory(path)
      calls.push(`sync ${name(path)}`)
    },
    syncNow(path) {
      io.syncNow(path)
      calls.push(`sync ${name(path)}`)
    },
  }
}

function withCalls(work: (upper: PackedUpper, calls: string[], directory: string) => Promise<void>) {
  return inDirectory(async directory => {
    const calls: string[] = []
    const upper = await packedUpper(directory, { root: plainRoot, checksums, io: tellingIo(calls) })
    calls.length = 0
    await work(upper, calls, directory)
    await upper.close()
  })
}

function write(upper: PackedUpper, name: string, bytes: number) {
  return upper.atomically(() => {
    const node = upper.create({ ...plainRoot, mode: 0o100644 })
    upper.place(upper.root, name as ByteString, node)
    upper.writeSync(node, 0, Buffer.alloc(bytes, 1))
    upper.release(node)
    return node
  })
}

test(
  'sync: contents, their directory, the journal; and nothing is removed before',
  withCalls(async (upper, calls) => {
    write(upper, 'large', 100_000)
    await upper.sync()
    calls.length = 0
    write(upper, 'small', 100)
    write(upper, 'large', 100_000)
    await upper.sync()
    // On a machine that has no time the first hand-over may come before the second change
    const begin = calls.findIndex(call => call.startsWith('sync'))
    const written = calls.slice(0, begin)
    assert.deepEqual([...new Set(written)].sort(), ['write content-1', 'write journal', 'write segment-0'])
    assert.equal(written.at(-1), 'write journal')
    assert.ok(written.indexOf('write segment-0') < written.indexOf('write journal'), `${written}`)
    assert.deepEqual(calls.slice(begin), [
      ...['sync content-1', 'sync segment-0', 'sync directory', 'sync journal'],
      ...['write journal', 'unlink content-0'],
    ])
    calls.length = 0
    await upper.sync()
    assert.deepEqual(calls, [])
  }),
)

test(
  'syncNow: contents, their directory and the journal, before it returns',
  withCalls(async (upper, calls) => {
    write(upper, 'small', 100)
    upper.syncNow()
    const syncs = calls.filter(call => call.startsWith('sync'))
    assert.deepEqual(syncs, ['sync segment-0', 'sync directory', 'sync journal'])
    assert.ok(calls.indexOf('write journal') < calls.indexOf('sync segment-0'))
  }),
)

test(
  'writing over what the journal knows: first what came before, and then at once the batch itself',
  withCalls(async (upper, calls) => {
    const node = write(upper, 'large', 100_000)
    await upper.sync()
    calls.length = 0
    write(upper, 'before', 10)
    upper.atomically(() => {
      upper.writeSync(node, 10, Buffer.alloc(10))
      upper.setAttributes(node, { mtime: { sec: 1, nsec: 1 } })
    })
    assert.deepEqual(calls, ['write segment-0', 'write journal', 'write content-0', 'write journal'])
    calls.length = 0
    upper.writeSync(node, 100_000, Buffer.alloc(10))
    assert.deepEqual(calls, ['write content-0'])
  }),
)

test(
  'a content is made shorter on the disk only when the journal is there',
  withCalls(async (upper, calls) => {
    const node = write(upper, 'large', 100_000)
    await upper.sync()
    calls.length = 0
    upper.truncateSync(node, 10)
    await upper.sync()
    assert.deepEqual(calls, ['write journal', 'sync journal', 'write journal', 'truncate content-0'])
  }),
)

test(
  'compaction: the new journal and its contents are on the disk before it gets the name',
  withCalls(async (upper, calls) => {
    write(upper, 'small', 100)
    await upper.compact()
    const rename = calls.indexOf('rename journal')
    assert.deepEqual(calls.slice(rename - 3), [
      ...['sync segment-0', 'sync directory', 'sync journal.next', 'rename journal', 'sync directory', 'sync journal'],
      'write journal',
    ])
  }),
)

test(
  'nothing waits: a program that never turns the event loop has handed over what is older than a moment',
  withCalls(async (upper, calls, directory) => {
    const until = performance.now() + 60
    for (let i = 0; performance.now() < until; i++) write(upper, `f${i % 10}`, 10)
    assert.ok(calls.includes('write journal'))
    assert.deepEqual(readdirSync(directory).sort(), ['journal', 'segment-0'])
  }),
)

test(
  'the event loop turns: what was done is handed over without any other call',
  withCalls(async (upper, calls) => {
    write(upper, 'small', 100)
    assert.deepEqual(calls, [])
    await new Promise(resolve => setTimeout(resolve, 50))
    assert.deepEqual(calls, ['write segment-0', 'write journal'])
  }),
)
