/** walk: order, filters, contents; one layer alone; globs. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { createView, type View } from '../../src/overlay/face/view.js'
import { sliceBytes } from '../../src/overlay/union/content.js'
import { entriesOf } from '../../src/overlay/walk/entries.js'
import { globMatcher } from '../../src/overlay/walk/glob.js'
import { tarStream } from '../../src/overlay/walk/tar-stream.js'
import type { WalkOptions } from '../../src/overlay/walk/walk.js'
import { directory, hardlink, layersOf, MemoryLayer, opaque, symlink, whiteout } from '../build/memory-layer.js'

async function paths(view: View, options?: WalkOptions): Promise<string[]> {
  const found: string[] = []
  for await (const { path } of view.walk(options)) found.push(path)
  return found
}

const view = createView(
  layersOf(
    { usr: { lib: { 'b.so': 'B', 'a.so': 'A', '.hidden.so': 'H' } }, etc: { conf: 'old' }, zz: 'last' },
    { etc: { conf: 'new', gone: whiteout }, link: symlink('/etc/conf'), twin: 'T', usr: { twin2: hardlink('/twin') } },
  ),
)

test('path order: parents first, children by bytes, every type', async () => {
  assert.deepEqual(await paths(view), [
    '/',
    '/etc',
    '/etc/conf',
    '/link',
    '/twin',
    '/usr',
    '/usr/lib',
    '/usr/lib/.hidden.so',
    '/usr/lib/a.so',
    '/usr/lib/b.so',
    '/usr/twin2',
    '/zz',
  ])
})

test('stored order: regular files alone, base layer first, as they lie; hard links side by side', async () => {
  assert.deepEqual(await paths(view, { order: 'stored' }), [
    '/usr/lib/b.so',
    '/usr/lib/a.so',
    '/usr/lib/.hidden.so',
    '/zz',
    '/etc/conf',
    '/twin',
    '/usr/twin2',
  ])
})

test('match: glob, regular expression with a memory, function', async () => {
  const libraries = ['/usr/lib/.hidden.so', '/usr/lib/a.so', '/usr/lib/b.so']
  assert.deepEqual(await paths(view, { match: '**/*.so' }), libraries)
  assert.deepEqual(await paths(view, { match: '/usr/lib/*' }), libraries)
  assert.deepEqual(await paths(view, { match: /\.so$/g }), libraries)
  assert.deepEqual(await paths(view, { match: path => path.endsWith('.so') }), libraries)
})

test('contents in stored order: whole, each byte of tar read at most once, and only if asked', async () => {
  const files: Record<string, Buffer> = {}
  for (let n = 0; n < 300; n++) files[`f${n}`] = Buffer.alloc(n * 37, n)
  for (const size of [300_000, 5_000_000]) files[`large${size}`] = Buffer.alloc(size, 'L')
  const layers = layersOf(
    { ...files, f5: 'hidden', f6: 'hidden' },
    { f5: files.f5!, f6: files.f6!, copy: hardlink('/f5') },
  )
  const view = createView(layers)
  for await (const { path } of view.walk({ order: 'stored' })) assert.ok(path)
  const untouched = layers.map(({ calls }) => calls.readTar + calls.read + calls.readSync)
  assert.deepEqual(untouched, [0, 0])
  let seen = 0
  for await (const entry of view.walk({ order: 'stored' })) {
    const content = await entry.content()
    const want = entry.path === '/copy' ? files.f5! : files[entry.path.slice(1)]!
    assert.ok(content.equals(want), entry.path)
    assert.equal(await entry.content(), content)
    seen++
  }
  assert.equal(seen, Object.keys(files).length + 1)
  assert.ok(layers[0]!.calls.readTar <= 5, `${layers[0]!.calls.readTar} reads of the tar for 300 small files`)
  assert.equal(layers[1]!.calls.readTar, 1)
})

test('a large file with hard links is read once', async () => {
  for (const size of [5_000_000, 9_000_000]) {
    const layers = layersOf({ large: Buffer.alloc(size, 'L'), twin: hardlink('/large'), zz: 'after' })
    for await (const entry of createView(layers).walk({ order: 'stored' })) {
      assert.equal((await entry.content()).length, entry.sizeBytes)
    }
    assert.equal(layers[0]!.calls.read, Math.ceil(size / sliceBytes))
  }
})

test('contents asked late, in part, or after the end of the walk', async () => {
  const view = createView(layersOf(Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`f${n}`, `content ${n}`]))))
  const entries = []
  for await (const entry of view.walk({ order: 'stored' })) entries.push(entry)
  for (const entry of entries.reverse()) assert.equal(String(await entry.content()), `content ${entry.path.slice(2)}`)
  for await (const entry of view.walk({ order: 'stored' })) {
    if (entry.path !== '/f7') continue
    assert.equal(String(await entry.content()), 'content 7')
    break
  }
  for await (const entry of view.walk({ match: '/f9' })) assert.equal(String(await entry.content()), 'content 9')
})

test('contents that are kept stay as they are, whether they were awaited at once or at the end', async () => {
  const megabyte = 1_000_000
  const files = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`f${n}`, Buffer.alloc(megabyte + n, n + 1)]))
  for (const [awaited, slow] of [true, false].flatMap(awaited => [true, false].map(slow => [awaited, slow]))) {
    const layers = layersOf(files)
    const tar = Buffer.alloc(layers[0]!.tarBytes)
    assert.equal(await layers[0]!.readTar(0, tar), tar.length)
    layers[0]!.readTar = async (position, into) => {
      if (slow) await new Promise(resolve => setTimeout(resolve, 2))
      return tar.copy(into, 0, position, position + into.length)
    }
    const kept: [string, Promise<Buffer>][] = []
    for await (const entry of createView(layers).walk({ order: 'stored' })) {
      const content = entry.content()
      kept.push([entry.path.slice(1), content])
      if (awaited) await content
    }
    assert.equal(kept.length, 30)
    for (const [name, content] of kept) assert.ok(files[name]!.equals(await content), name)
  }
})

test('a tar that ends before a content does is an error', async () => {
  const layers = layersOf({ a: 'A', b: 'B' })
  layers[0]!.readTar = async () => 0
  for await (const entry of createView(layers).walk({ order: 'stored' })) {
    await assert.rejects(entry.content(), { code: 'STORE_CORRUPT' })
  }
})

test('a damaged layer fails the content that needs it, not the walk', async () => {
  const layers = layersOf({ a: 'A', b: 'B' })
  layers[0]!.readTar = async () => {
    throw new Error('damaged block')
  }
  for await (const entry of createView(layers).walk({ order: 'stored' })) {
    await assert.rejects(entry.content(), { message: 'damaged block' })
  }
})

test('one layer alone: whiteouts and opaque marks are entries', () => {
  const [layer] = layersOf({ b: { gone: whiteout, x: '1' }, a: opaque(), l: symlink('b') })
  const entries = [...entriesOf(layer!)]
  assert.deepEqual(
    entries.map(({ path, type }) => [path, type]),
    [
      ['/', 'directory'],
      ['/a', 'directory'],
      ['/b', 'directory'],
      ['/b/gone', 'whiteout'],
      ['/b/x', 'file'],
      ['/l', 'symlink'],
    ],
  )
  const [, a, , , , l] = entries
  assert.ok(a !== undefined && a.type === 'directory' && a.opaque)
  assert.ok(l !== undefined && l.type === 'symlink' && l.linkTarget === 'b')
})

test('the tar of a layer is its exact bytes, whatever slices the layer gives', async () => {
  const layer = new MemoryLayer(directory({ big: Buffer.alloc(3_000_000, 'x'), small: 'y' }))
  const readTar = layer.readTar.bind(layer)
  layer.readTar = (position, into) => readTar(position, into.subarray(0, 100_001))
  const hash = createHash('sha256')
  for await (const chunk of tarStream(layer)) hash.update(chunk as Buffer)
  assert.equal(`sha256:${hash.digest('hex')}`, layer.diffId)
})

test('a tar that ends early is an error; a stream that is left lets go of the layer first', async () => {
  const layer = new MemoryLayer({ big: Buffer.alloc(5_000_000) })
  let running = 0
  const readTar = layer.readTar.bind(layer)
  layer.readTar = async (position, into) => {
    running++
    await new Promise(resolve => setTimeout(resolve, 2))
    running--
    return readTar(position, into)
  }
  const stream = tarStream(layer)
  for await (const chunk of stream) {
    assert.ok(chunk)
    break
  }
  if (!stream.closed) await new Promise(resolve => stream.once('close', resolve))
  assert.equal(running, 0)
  layer.readTar = async () => 0
  await assert.rejects(tarStream(layer).toArray(), { code: 'STORE_CORRUPT' })
})

test('globs', () => {
  const cases: [string, string[], string[]][] = [
    ['*', ['a', '.b'], ['a/b', '']],
    ['**', ['a', 'a/b', ''], []],
    ['/usr/**/*.so', ['usr/a.so', '/usr/b/c/a.so'], ['usr.so', 'lib/a.so']],
    ['a/**/b', ['a/b', 'a/x/b', 'a/x/y/b'], ['ab', 'a/bb']],
    ['{a,b{c,d}}', ['a', 'bc', 'bd'], ['b', 'bcd']],
    ['[a-c]?[!x]', ['abc', 'c.y'], ['abx', 'dbc', 'ab']],
    ['a*b*c', ['abc', 'aXbYc', 'abbcc'], ['ab', 'acb']],
    ['\\*', ['*'], ['a']],
    ['[', ['['], ['a']],
  ]
  for (const [pattern, yes, no] of cases) {
    for (const path of yes) assert.ok(globMatcher(pattern)(path), `${pattern} matches ${path}`)
    for (const path of no) assert.ok(!globMatcher(pattern)(path), `${pattern} does not match ${path}`)
  }
  assert.ok(!globMatcher('**/*.js', { dot: false })('a/.b.js'))
  assert.ok(!globMatcher('**/*.js', { dot: false })('.a/b.js'))
  assert.ok(globMatcher('.a/*.js', { dot: false })('.a/b.js'))
})

test('H7: hostile patterns cost no more than pattern × path', () => {
  const started = process.cpuUsage().user
  assert.ok(!globMatcher(`${'a*'.repeat(100)}b`)('a'.repeat(200)))
  assert.ok(!globMatcher(`${'**/'.repeat(50)}x`)('a/'.repeat(500)))
  assert.throws(() => globMatcher('{a,b}'.repeat(30)), RangeError)
  // Exponential matching would take longer than the age of the universe; this is no bound on speed
  assert.ok(process.cpuUsage().user - started < 60_000_000)
})
