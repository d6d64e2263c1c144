/** dev, ino, nlink, times; names that are bytes. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { byteString } from '../../src/byte-string.js'
import { createView } from '../../src/overlay/face/view.js'
import { directory, file, hardlink, layersOf, MemoryLayer, whiteout } from '../build/memory-layer.js'

test('inode numbers: unique in a view, shared by hard links, the same whatever is put on top', () => {
  const layers = layersOf({ a: 'x', b: hardlink('/a'), d: { f: '' } }, { c: 'x', d: { g: '' } })
  const view = createView(layers)
  const ino = (path: string) => view.statSync(path).ino
  assert.equal(ino('/a'), ino('/b'))
  assert.equal(view.statSync('/a').nlink, 2)
  const others = ['/', '/a', '/c', '/d', '/d/f', '/d/g'].map(ino)
  assert.equal(new Set(others).size, others.length)
  assert.ok(others.every(number => number > 0))
  const taller = createView([...layers, new MemoryLayer({ e: '' })])
  for (const path of ['/a', '/c', '/d', '/d/f']) assert.equal(taller.statSync(path).ino, ino(path))
  assert.equal(view.statSync('/a').dev, view.statSync('/d').dev)
  assert.notEqual(view.statSync('/a').dev, fs.statSync('/').dev)
})

test('the same layer twice in one image: two identities', () => {
  const layer = new MemoryLayer({ d: { x: '1' } })
  const view = createView([layer, new MemoryLayer({ d: whiteout }), layer])
  assert.equal(view.readFileSync('/d/x', 'utf8'), '1')
  assert.equal(view.entry('/d/x')?.layer, 2)
})

test('directories count their subdirectories, as on a plain file system', () => {
  const view = createView(layersOf({ d: { a: {}, b: {}, f: '' } }, { d: { b: whiteout, c: {} } }))
  assert.equal(view.statSync('/d').nlink, 4)
  assert.equal(view.statSync('/d/a').nlink, 2)
})

test('attributes of a merged directory are those of its topmost member', () => {
  const base = directory({ f: '' }, { mode: 0o700, uid: 5, mtimeSec: 5 })
  const top = directory({}, { mode: 0o1777, uid: 7, mtimeSec: 9, mtimeNsec: 500_000_000 })
  const stats = createView(layersOf({ d: base }, { d: top })).statSync('/d')
  assert.deepEqual([stats.mode, stats.uid, stats.mtimeMs], [0o041777, 7, 9500])
})

test('times: nanoseconds, before 1970 too; all four are the modification time', () => {
  const view = createView(
    layersOf({
      now: file('', { mtimeSec: 1_600_000_000, mtimeNsec: 123_456_789 }),
      old: file('', { mtimeSec: -1, mtimeNsec: 250_000_000 }),
    }),
  )
  const big = view.statSync('/now', { bigint: true })
  assert.equal(big.mtimeNs, 1_600_000_000_123_456_789n)
  assert.equal(big.atimeNs, big.mtimeNs)
  assert.equal(big.birthtimeNs, big.mtimeNs)
  assert.equal(big.mtimeMs, 1_600_000_000_123n)
  assert.ok(big.mtime instanceof Date)
  assert.equal(view.statSync('/old').mtimeMs, -750)
  assert.equal(view.statSync('/now').ctime.getTime(), 1_600_000_000_123)
  assert.ok(big.isFile())
  assert.ok(!big.isDirectory())
})

test('a BigIntStats has the fields, the dates and the class name of Node’s', () => {
  const view = createView(layersOf({ f: '' }))
  const [mine, nodes] = [view.statSync('/f', { bigint: true }), fs.statSync('/', { bigint: true })]
  assert.deepEqual(Object.keys(mine), Object.keys(nodes))
  assert.equal(mine.constructor.name, nodes.constructor.name)
  assert.ok(mine.mtime instanceof Date && nodes.mtime instanceof Date)
  assert.deepEqual(Object.keys(view.statfsSync('/')), Object.keys(fs.statfsSync('/')))
  const instant = 'mtimeInstant' as keyof fs.Stats
  assert.equal(typeof view.statSync('/f')[instant], typeof fs.statSync('/')[instant])
})

test('a fresh Stats each time', () => {
  const view = createView(layersOf({ f: 'x' }))
  const first = view.statSync('/f')
  first.size = 99
  assert.equal(view.statSync('/f').size, 1)
  assert.notEqual(view.statSync('/f'), view.statSync('/f'))
})

test('J3, J4: names are bytes; two that read alike as text are two files', () => {
  const [ff, fe] = [byteString(Buffer.from('f\xff', 'latin1')), byteString(Buffer.from('f\xfe', 'latin1'))]
  const strange = [
    'con',
    'a.',
    'a b',
    'a:b',
    'a\\b',
    'C:x',
    '-rf',
    '~',
    '\n',
    '\t\u001b',
    '__proto__',
    'ﬁ',
    'e\u0301',
    'é',
  ]
  const view = createView(
    layersOf({
      d: new Map([
        [ff, 'FF'],
        [fe, 'FE'],
      ]),
      s: Object.fromEntries(strange.map(name => [name, name])),
    }),
  )
  const names = view.readdirSync('/d', 'buffer')
  assert.deepEqual(
    names.map(name => name.toString('latin1')),
    ['f\xfe', 'f\xff'],
  )
  for (const name of names) {
    const path = Buffer.concat([Buffer.from('/d/'), name])
    assert.equal(view.readFileSync(path, 'utf8'), name[1]!.toString(16).toUpperCase())
    assert.ok(view.realpathSync.native(path, 'buffer').equals(path))
    assert.ok(view.realpathSync(path, 'buffer').equals(path))
  }
  assert.equal(view.existsSync('/d/f\ufffd'), false)
  // What was looked up as bytes is not remembered as the text that it resembles
  assert.equal(view.existsSync('/d/f\ufffd'), false)
  for (const name of strange.filter(name => name !== '__proto__'))
    assert.equal(view.readFileSync(`/s/${name}`, 'utf8'), name)
})

test('entry: layer, marks, xattrs, link target', () => {
  const xattrs = [{ name: byteString(Buffer.from('user.x')), value: Buffer.from([0, 10]) }]
  const view = createView(
    layersOf(
      { d: directory({}, { mode: 0o700 }), f: file('content', { xattrs }) },
      { d: directory({ x: '' }, { implied: true }) },
    ),
  )
  const entry = view.entry('/d/../f')!
  assert.equal(entry.path, '/f')
  assert.equal(entry.layer, 0)
  assert.deepEqual(entry.xattrs, xattrs)
  assert.equal(entry.sizeBytes, 7)
  assert.deepEqual(view.entry('/d')?.layers, [1, 0])
  assert.equal(view.entry('/d')?.implied, true)
  assert.equal(view.entry('/nope'), undefined)
  assert.equal(view.entry('/f/x'), undefined)
  assert.throws(() => view.entry('a'.repeat(5000)), { code: 'ENAMETOOLONG' })
})
