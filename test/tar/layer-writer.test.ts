/** The headers that we write, read by our scanner and by tar-stream, and compared with Docker's bytes (facts: docker-store 7.8). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { extract } from 'tar-stream'
import type { ByteString } from '../../src/byte-string.js'
import { endOfArchive, entryHeader, isWritableXattr, type LayerEntry, paddingOf } from '../../src/tar/layer-writer.js'
import { scan } from '../build/scan.js'

const bytes = (text: string) => text as ByteString

function entry(fields: Omit<Partial<LayerEntry>, 'name'> & { readonly name: string }): LayerEntry {
  return {
    type: 'file',
    linkName: bytes(''),
    mode: 0o644,
    uid: 0,
    gid: 0,
    sizeBytes: 0,
    mtimeSec: 1,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: [],
    ...fields,
    name: bytes(fields.name),
  }
}

/** The size of the content is said, and the content left out, where `body` is absent. */
function archive(entries: readonly LayerEntry[]): Buffer {
  const parts = entries.flatMap(each => [
    entryHeader(each),
    Buffer.alloc(each.sizeBytes, 0x78),
    Buffer.alloc(paddingOf(each.sizeBytes)),
  ])
  return Buffer.concat([...parts, endOfArchive])
}

const text = (block: Buffer, from: number, to: number) => block.toString('latin1', from, to).replace(/\0+$/, '')
const blocksOf = (each: LayerEntry) => {
  const header = entryHeader(each)
  return {
    header,
    records: header.length === 512 ? '' : text(header, 512, header.length - 512),
    main: header.subarray(-512),
  }
}

test('what fits is one ustar header', () => {
  const { header } = blocksOf(entry({ type: 'directory', name: 'a', mode: 0o1777, uid: 3, gid: 4 }))
  assert.equal(header.length, 512)
  assert.equal(text(header, 0, 100), 'a/')
  assert.equal(text(header, 100, 108), '0001777')
  assert.equal(text(header, 108, 124), '0000003\x000000004')
  assert.equal(text(header, 136, 148), '00000000001')
  assert.equal(String.fromCharCode(header[156]!), '5')
  assert.equal(header.toString('latin1', 257, 265), 'ustar\x0000')
  assert.equal(text(header, 265, 329), '')
  assert.equal(text(header, 329, 345), '0000000\x000000000')
  assert.equal(text(header, 345, 500), '')
})

test("docker's golden headers: when PAX records are there, and what they say", () => {
  const records = (fields: Omit<Partial<LayerEntry>, 'name'> & { readonly name: string }) =>
    blocksOf(entry(fields)).records
  assert.equal(records({ name: 'foo/x', mtimeSec: -5 }), '12 mtime=-5\n')
  assert.equal(records({ name: 'foo-bar', uid: 3_000_000, gid: 3_000_000 }), '15 gid=3000000\n15 uid=3000000\n')
  assert.equal(records({ name: 'foo-bar', uid: 2_097_151, gid: 2_097_151, mtimeSec: 8 ** 11 - 1 }), '')
  assert.equal(records({ name: 'm', mtimeSec: 8 ** 11 }), '20 mtime=8589934592\n')
  assert.equal(records({ name: 's', sizeBytes: 8 ** 11 - 1 }), '')
  assert.equal(records({ name: 's', sizeBytes: 8 ** 11 }), '19 size=8589934592\n')
  const long = 'n'.repeat(150)
  assert.equal(records({ name: long }), `160 path=${long}\n`)
  assert.equal(records({ type: 'symlink', name: 'ls', linkName: bytes(long) }), `164 linkpath=${long}\n`)
  assert.equal(records({ name: 'n'.repeat(100) }), '')
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex')
  const xattrs = [{ name: bytes('security.capability'), value: capability }]
  assert.match(records({ name: 'opq/z', xattrs }), /^57 SCHILY\.xattr\.security\.capability=/)
})

test('a name that is not ASCII stands in a record, as its bytes', () => {
  const { header, records, main } = blocksOf(entry({ name: '\xc3\xa9' }))
  assert.equal(records, '11 path=\xc3\xa9\n')
  assert.equal(text(header, 0, 100), 'PaxHeaders.0')
  assert.equal(text(main, 0, 100), '')
  assert.equal(text(blocksOf(entry({ name: `d/${'n'.repeat(120)}` })).header, 0, 16), 'd/PaxHeaders.0/n')
})

test('records stand in the order of their keys, whatever the order of xattrs', () => {
  const xattr = (name: string) => ({ name: bytes(name), value: Buffer.from('v') })
  const one = entry({ name: 'x', uid: 9_999_999, xattrs: [xattr('user.b'), xattr('user.a')] })
  const other = entry({ name: 'x', uid: 9_999_999, xattrs: [xattr('user.a'), xattr('user.b')] })
  assert.deepEqual(entryHeader(one), entryHeader(other))
  const keys = [...blocksOf(one).records.matchAll(/\d+ ([^=]+)=/g)].map(match => match[1])
  assert.deepEqual(keys, ['SCHILY.xattr.user.a', 'SCHILY.xattr.user.b', 'uid'])
})

test('xattrs whose names would end a record early cannot be written', () => {
  assert.ok(isWritableXattr('user.a b'))
  for (const name of ['user.a=b', '', 'user.\0']) assert.ok(!isWritableXattr(name))
})

const component = fc
  .uint8Array({ minLength: 1, maxLength: 120 })
  .map(chars => Buffer.from(chars).toString('latin1').replace(/[/\0]/g, '_'))
  .filter(name => name !== '.' && name !== '..')
const names = fc.array(component, { minLength: 1, maxLength: 4 }).map(parts => parts.join('/'))
const ids = fc.oneof(fc.nat(70_000), fc.nat(2 ** 32 - 2))
const arbitrary = fc
  .record({
    type: fc.constantFrom('file', 'directory', 'symlink', 'hardlink', 'char', 'block', 'fifo'),
    name: names,
    link: names,
    mode: fc.nat(0o7777),
    uid: ids,
    gid: ids,
    sizeBytes: fc.nat(3000),
    mtimeSec: fc.integer({ min: -(2 ** 33), max: 2 ** 33 - 1 }),
    deviceMajor: fc.nat(4095),
    deviceMinor: fc.nat(2 ** 20 - 1),
    xattrs: fc.uniqueArray(
      fc.record({ name: fc.stringMatching(/^user\.[a-z ]{1,9}$/), value: fc.uint8Array({ maxLength: 40 }) }),
      { maxLength: 3, selector: ({ name }) => name },
    ),
  })
  .map(({ link, xattrs, ...fields }): LayerEntry => {
    const { type } = fields
    const device = type === 'char' || type === 'block'
    return {
      ...fields,
      type: type as LayerEntry['type'],
      name: bytes(fields.name),
      linkName: bytes(type === 'symlink' || type === 'hardlink' ? link : ''),
      sizeBytes: type === 'file' ? fields.sizeBytes : 0,
      deviceMajor: device ? fields.deviceMajor : 0,
      deviceMinor: device ? fields.deviceMinor : 0,
      xattrs: xattrs
        .map(({ name, value }) => ({ name: bytes(name), value: Buffer.from(value) }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
    }
  })

test('P-59: what our scanner reads is what was written, and writing that gives the same bytes', () => {
  fc.assert(
    fc.property(fc.array(arbitrary, { maxLength: 5 }), entries => {
      const written = archive(entries)
      const read = scan(written).map(({ headerOffset, contentOffset, mtimeNsec, name, ...rest }): LayerEntry => {
        assert.equal(mtimeNsec, 0)
        return { ...rest, name: (rest.type === 'directory' ? name.slice(0, -1) : name) as ByteString }
      })
      assert.deepEqual(read, entries)
      assert.deepEqual(archive(read), written)
    }),
  )
})

test('tar-stream reads the same', async () => {
  const ascii = fc.sample(arbitrary, { numRuns: 60, seed: 7 }).filter(({ name, linkName }) => {
    return !/[^\x20-\x7e]|^_|\s$/.test(name + linkName)
  })
  const plain = [entry({ name: 'n'.repeat(150), sizeBytes: 700 }), entry({ type: 'directory', name: 'd/e' }), ...ascii]
  const unpack = extract()
  const found: [string, number | undefined, number | undefined][] = []
  unpack.on('entry', (header, stream, next) => {
    found.push([header.name.replace(/\/$/, ''), header.size, header.mode])
    stream.resume().on('end', next)
  })
  const done = new Promise((resolve, reject) => unpack.on('finish', () => resolve(undefined)).on('error', reject))
  unpack.end(archive(plain))
  await done
  assert.deepEqual(
    found,
    plain.map(({ name, sizeBytes, mode }) => [name, sizeBytes, mode]),
  )
})
