/** GNU tar extracts what we write, as it was. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { lstatSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ByteString } from '../../src/byte-string.js'
import { endOfArchive, entryHeader, type LayerEntry, paddingOf } from '../../src/tar/layer-writer.js'
import { scratch } from '../build/layerfile.js'

const none = '' as ByteString
const owner = { uid: 0, gid: 0, deviceMajor: 0, deviceMinor: 0, xattrs: [] }
const base = { type: 'file', linkName: none, mode: 0o640, sizeBytes: 0, mtimeSec: 1_000_000_000, ...owner } as const

test('GNU tar extracts long names, bytes that are no text, owners, times, links, devices and xattrs', t => {
  const dir = scratch(t)
  const long = `d/${'n'.repeat(200)}`
  const content = 'content\n'.repeat(100)
  const entries: LayerEntry[] = [
    { ...base, type: 'directory', name: 'd' as ByteString, mode: 0o1777 },
    { ...base, name: long as ByteString, sizeBytes: content.length, uid: 3_000_000, gid: 4_000_000 },
    {
      ...base,
      type: 'hardlink',
      name: 'hard' as ByteString,
      linkName: long as ByteString,
      uid: 3_000_000,
      gid: 4_000_000,
    },
    { ...base, type: 'symlink', name: 'link' as ByteString, linkName: 'x/'.repeat(200) as ByteString, mode: 0o777 },
    { ...base, name: 'caf\xe9' as ByteString, mtimeSec: -5 },
    { ...base, type: 'char', name: 'null' as ByteString, deviceMajor: 1, deviceMinor: 3 },
    { ...base, name: 'x' as ByteString, xattrs: [{ name: 'user.k' as ByteString, value: Buffer.from('v') }] },
  ]
  const parts = entries.flatMap(entry => {
    const body = entry.sizeBytes > 0 ? content : ''
    return [entryHeader(entry), Buffer.from(body), Buffer.alloc(paddingOf(entry.sizeBytes))]
  })
  writeFileSync(join(dir, 'a.tar'), Buffer.concat([...parts, endOfArchive]))
  const list = execFileSync('tar', ['--numeric-owner', '-tf', 'a.tar'], { cwd: dir, encoding: 'latin1' })
  assert.equal(list.split('\n').filter(Boolean).length, entries.length)
  execFileSync('tar', ['--numeric-owner', '--xattrs', '-xpf', 'a.tar'], { cwd: dir })
  assert.equal(lstatSync(join(dir, 'd')).mode, 0o41777)
  const stats = lstatSync(join(dir, long))
  assert.deepEqual([stats.uid, stats.gid, stats.nlink, stats.mtimeMs], [3_000_000, 4_000_000, 2, 1e12])
  assert.equal(readFileSync(join(dir, 'hard'), 'utf8'), content)
  assert.equal(readlinkSync(join(dir, 'link')), 'x/'.repeat(200))
  assert.equal(lstatSync(Buffer.concat([Buffer.from(`${dir}/caf`), Buffer.from([0xe9])])).mtimeMs, -5000)
  assert.equal(lstatSync(join(dir, 'null')).rdev, 0x103)
})
