/** The scanner as a machine: chunks, skipping, offsets, ends, errors of others. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PhylloError } from '../../src/errors.js'
import { defaultLimits } from '../../src/limits.js'
import type { TarEntry } from '../../src/tar/entry.js'
import { type TarGlobal, TarScanner } from '../../src/tar/scanner.js'
import { type ModelEntry, randomArchive } from '../build/random-tar.js'
import { refusal, scan } from '../build/scan.js'
import { dir, end, file, globalPax, header, join, longName, padded, pax, symlink, tar } from '../build/tar.js'

const seed = Number(process.env.PHYLLO_TEST_SEED ?? 20_240_607)
const limits = defaultLimits

/** A layer with every kind of entry and of meta header, ten entries. */
const ten = tar([
  globalPax({ comment: 'ten' }),
  dir('d/'),
  file('d/a', 'x'.repeat(700)),
  file('n'.repeat(130), 'y'),
  file('g'.repeat(130), 'z'.repeat(512), { magic: 'gnu' }),
  symlink('l', '/etc'),
  symlink('m', 't'.repeat(120), { magic: 'gnu' }),
  join([pax({ size: '5' }), header('0', 's', { size: 0 }), padded('12345')]),
  file('t', '', { mtime: 1.25, xattrs: { 'user.a': 'b' } }),
  file('u', '', { uid: 3_000_000, magic: 'gnu' }),
  file('\0', '', { prefix: 'p' }),
])

test('D32 every split point, and one byte at a time, gives the same', () => {
  const expected = scan(ten)
  assert.equal(expected.length, 10)
  assert.deepEqual(scan(ten, { chunkBytes: 1 }), expected)
  for (let at = 1; at < ten.length; at++) {
    const entries: TarEntry[] = []
    const scanner = new TarScanner({ limits, onEntry: entry => entries.push(entry) })
    scanner.push(ten.subarray(0, at))
    scanner.push(new Uint8Array(ten.subarray(at)))
    scanner.end()
    assert.deepEqual(entries, expected, `split at ${at}`)
  }
})

test('chunks of any size and alignment give the same', () => {
  const expected = scan(ten)
  for (const chunkBytes of [2, 3, 7, 511, 512, 513, 1023, 1024, 4096])
    assert.deepEqual(scan(ten, { chunkBytes }), expected)
  for (let shift = 0; shift < 8; shift++) {
    const memory = Buffer.alloc(ten.length + 8)
    ten.copy(memory, shift)
    const entries: TarEntry[] = []
    const scanner = new TarScanner({ limits, onEntry: entry => entries.push(entry) })
    scanner.push(memory.subarray(shift, shift + ten.length))
    scanner.end()
    assert.deepEqual(entries, expected)
  }
})

function modelOf(entry: TarEntry, archive: Buffer): ModelEntry {
  const { contentOffset, sizeBytes } = entry
  return {
    type: entry.type,
    name: entry.name,
    linkName: entry.linkName,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    mtimeSec: entry.mtimeSec,
    mtimeNsec: entry.mtimeNsec,
    major: entry.deviceMajor,
    minor: entry.deviceMinor,
    body: Buffer.from(archive.subarray(contentOffset, contentOffset + sizeBytes)),
    xattrs: entry.xattrs.map(xattr => [xattr.name, xattr.value]),
  }
}

test(`random archives are what they were made of (seed ${seed})`, () => {
  for (let i = 0; i < 150; i++) {
    const archive = randomArchive(seed + i, {
      binaryNames: true,
      xattrs: true,
      ...(i % 3 === 0 ? { magic: 'v7' } : {}),
    })
    const entries = scan(archive.bytes, i % 5 === 0 ? { chunkBytes: 1 + (i % 77) } : {})
    assert.deepEqual(
      entries.map(entry => modelOf(entry, archive.bytes)),
      archive.entries,
      `seed ${seed + i}`,
    )
  }
})

test('offsets: meta headers belong to the entry, global headers do not', () => {
  const globals: TarGlobal[] = []
  const entries: TarEntry[] = []
  const scanner = new TarScanner({
    limits,
    onGlobal: global => globals.push(global),
    onEntry: entry => {
      assert.equal(scanner.offset, entry.contentOffset)
      entries.push(entry)
    },
  })
  scanner.push(join([globalPax({ comment: 'x' }), longName(`${'n/'.repeat(300)}n`), file('n', 'abc'), file('b')]))
  scanner.end()
  assert.deepEqual(globals, [{ name: 'PaxHeaders.0/x', headerOffset: 0, bodyEnd: 512 + 13, nextOffset: 1024 }])
  assert.deepEqual(
    entries.map(entry => [entry.headerOffset, entry.contentOffset]),
    [
      [1024, 1024 + 512 + 1024 + 512],
      [3584, 4096],
    ],
  )
})

test('content can be skipped, in parts, and never more of it than there is', () => {
  const bytes = tar([file('a', 'x'.repeat(700)), file('b', 'y'), dir('c')])
  const seen: string[] = []
  const scanner = new TarScanner({ limits, onEntry: entry => seen.push(entry.name) })
  let at = 0
  while (at < bytes.length) {
    if (scanner.skippable > 1) {
      const bytesToSkip = scanner.skippable - 1
      assert.throws(() => scanner.skip(scanner.skippable + 1), RangeError)
      assert.throws(() => scanner.skip(-1), RangeError)
      assert.throws(() => scanner.skip(0.5), RangeError)
      scanner.skip(bytesToSkip)
      at += bytesToSkip
    }
    scanner.push(bytes.subarray(at, at + 1))
    at++
    assert.equal(scanner.offset, at)
  }
  scanner.end()
  assert.deepEqual(seen, ['a', 'b', 'c'])
})

test('a skipped content that never came is a truncation', () => {
  const scanner = new TarScanner({ limits, onEntry: () => undefined })
  scanner.push(header('0', 'a', { size: 1000 }))
  assert.equal(scanner.skippable, 1024)
  scanner.skip(1000)
  const error = refusal(() => scanner.end())
  assert.deepEqual([error.code, error.entry, error.offset], ['TAR_INVALID', 'a', 0])
})

test('errors name the entry and the offset, and the scanner stays dead', () => {
  const scanner = new TarScanner({ limits, onEntry: () => undefined })
  const bad = join([file('a', 'x'), file('b/c', '', { uid: 2 ** 33, magic: 'gnu' })])
  const first = refusal(() => scanner.push(bad))
  assert.deepEqual([first.code, first.offset, first.entry], ['METADATA_INVALID', 1024, 'b/c'])
  assert.match(first.message, /^b\/c \(tar header at offset 1024\): the uid 8589934592 is not in the range/)
  assert.equal(
    refusal(() => scanner.push(end())),
    first,
  )
  assert.equal(
    refusal(() => scanner.end()),
    first,
  )
})

test('errors do not repeat a name of a megabyte', () => {
  const error = refusal(() => scan(tar([pax({ path: 'n'.repeat(2 ** 20 - 100) }), file('a')])))
  assert.equal(error.code, 'LIMIT_EXCEEDED')
  assert.ok(error.message.length < 500)
})

test('errors of onEntry get the same facts, others pass through as they are', () => {
  const throwing = (error: unknown): TarScanner =>
    new TarScanner({
      limits,
      onEntry: () => {
        throw error
      },
    })
  const error = refusal(() => throwing(new PhylloError('PATH_ESCAPE', 'reason')).push(file('../x')))
  assert.deepEqual([error.code, error.entry, error.offset], ['PATH_ESCAPE', '../x', 0])
  const other = new TypeError('other')
  assert.throws(() => throwing(other).push(file('x')), other)
  assert.equal(other.message, 'other')
})

test('after end() there is nothing more to say', () => {
  const scanner = new TarScanner({ limits, onEntry: () => undefined })
  scanner.end()
  assert.throws(() => scanner.push(Buffer.alloc(1)), TypeError)
  assert.throws(() => scanner.end(), TypeError)
})

test('a size claim alone takes no memory', () => {
  const before = process.memoryUsage().arrayBuffers
  const scanners = Array.from({ length: 100 }, () => {
    const scanner = new TarScanner({ limits, onEntry: () => undefined })
    scanner.push(header('x', 'm', { size: 2 ** 20 }))
    scanner.push(Buffer.from('1'))
    return scanner
  })
  assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 20)
  assert.equal(scanners.length, 100)
})
