/** store.unpack, as whoever runs the tests: what the view shows, where it may go, and what is left when it does not come to its end. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import fs, {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { PhylloError, type Store } from '../../src/index.js'
import { program, runPhyllo } from '../build/cli.js'
import { legacyArchive } from '../build/image.js'
import { archiveFile, scratchDir, scratchStore } from '../build/store.js'
import { dir, fifo, file, hardlink, symlink, tar } from '../build/tar.js'
import { walkedLayers } from '../build/walked-image.js'

async function storeOf(t: TestContext, layers: readonly Buffer[], workers = 1): Promise<Store> {
  const store = await scratchStore(t, { workers })
  await store.load(archiveFile(t, legacyArchive([{ layers, tags: ['image:v1'] }])))
  return store
}

const folderOf = (t: TestContext) => realpathSync(scratchDir(t))

type Face = Pick<typeof fs, 'lstatSync' | 'readdirSync' | 'readlinkSync' | 'readFileSync'>

/** Everything but owners, which an ordinary user cannot give away: path, type and mode, time, hard links, content or target. */
function linesOf(face: Face, top: string): string[] {
  const inodes = new Map<bigint, string>()
  const lines: string[] = []
  const visit = (path: Buffer) => {
    const stats = face.lstatSync(path, { bigint: true })
    const name = JSON.stringify(path.toString('latin1').slice(top.length))
    const first = inodes.get(stats.ino) ?? name
    inodes.set(stats.ino, first)
    const content = stats.isFile() ? face.readFileSync(path).toString('base64') : ''
    const target = stats.isSymbolicLink()
      ? (face.readlinkSync(path, { encoding: 'buffer' }) as Buffer).toString('latin1')
      : ''
    lines.push(
      `${name} ${stats.mode.toString(8)} ${stats.mtimeNs / 1000n} ${first === name ? '' : first} ${content}${target}`,
    )
    if (!stats.isDirectory()) return
    const children = face.readdirSync(path, { encoding: 'buffer' }) as unknown as Buffer[]
    for (const child of children.sort(Buffer.compare)) visit(Buffer.concat([path, Buffer.from('/'), child]))
  }
  visit(Buffer.from(`${top}/.`))
  return lines
}

async function assertShown(store: Store, directory: string): Promise<void> {
  const view = await store.view('image:v1')
  assert.deepEqual(linesOf(fs, directory), linesOf(view as unknown as Face, ''))
  await view.close()
}

for (const workers of [0, 1, 2])
  test(`workers: ${workers}: the directory is what the view shows`, async t => {
    const store = await storeOf(t, walkedLayers, workers)
    const folder = folderOf(t)
    const operation = store.unpack('image:v1', join(folder, 'tree'))
    const report = await operation
    await assertShown(store, join(folder, 'tree'))
    const view = await store.view('image:v1')
    const shown = { entries: -1, bytes: 0 }
    for await (const entry of view.walk()) {
      shown.entries++
      if (entry.type === 'file') shown.bytes += entry.sizeBytes
    }
    await view.close()
    const { directory, entries, bytes, shared } = report
    assert.deepEqual({ directory, entries, bytes, shared }, { directory: join(folder, 'tree'), ...shown, shared: 0 })
    assert.equal(operation.report.bytesWritten, shown.bytes)
    assert.deepEqual(readdirSync(folder), ['tree'])
  })

test('hostile names and links stay in the directory', async t => {
  const folder = folderOf(t)
  const outside = join(folder, 'outside')
  mkdirSync(outside)
  const bytes = (name: string) => Buffer.from(name, 'latin1')
  const layers = [
    tar([
      symlink('out', outside),
      symlink('up', '../../../../../../../../..'),
      symlink('self', '.'),
      file('..hidden', 'a'),
      file('-rf', 'b'),
      file('new\nline', 'c'),
      file(bytes('\xff\xfe'), 'd'),
      file('%s%n', 'e'),
      file(`${'n'.repeat(255)}`, 'f'),
      file(`${'deep/'.repeat(200)}end`, 'g'),
      file('tree.part', 'h'),
      symlink('target-of-bytes', bytes('\xff')),
    ]),
    // A real directory of a higher layer where a symlink of a lower one led outside
    tar([dir('out/'), file('out/file', 'inside'), file('up/file', 'inside'), hardlink('second', 'out/file')]),
  ]
  const store = await storeOf(t, layers)
  await store.unpack('image:v1', join(folder, 'tree'))
  await assertShown(store, join(folder, 'tree'))
  assert.deepEqual(readdirSync(outside), [])
  assert.equal(lstatSync(join(folder, 'tree/out')).isDirectory(), true)
  assert.equal(readFileSync(join(folder, 'tree/up/file'), 'utf8'), 'inside')
  assert.deepEqual(readdirSync(folder).sort(), ['outside', 'tree'])
})

test('an image without layers is an empty directory', async t => {
  const store = await storeOf(t, [])
  const folder = folderOf(t)
  const { entries } = await store.unpack('image:v1', join(folder, 'tree'))
  assert.equal(entries, 0)
  assert.deepEqual(readdirSync(join(folder, 'tree')), [])
  assert.equal(lstatSync(join(folder, 'tree')).mode & 0o7777, 0o755)
})

test('an empty directory is replaced, also behind a symlink; anything else is refused and stays as it is', async t => {
  const store = await storeOf(t, walkedLayers)
  const folder = folderOf(t)
  const at = (name: string) => join(folder, name)
  mkdirSync(at('empty'))
  await store.unpack('image:v1', at('empty'))
  await assertShown(store, at('empty'))
  mkdirSync(at('behind'))
  symlinkSync('behind', at('link'))
  const { directory } = await store.unpack('image:v1', at('link'))
  assert.equal(directory, at('behind'))
  await assertShown(store, at('behind'))
  mkdirSync(at('full'))
  writeFileSync(at('full/file'), 'mine')
  writeFileSync(at('file'), 'mine')
  symlinkSync('nowhere', at('dangling'))
  const before = readdirSync(folder).sort()
  for (const [name, code] of [
    ['full', 'OUTPUT_EXISTS'],
    ['file', 'OUTPUT_EXISTS'],
    ['dangling', 'OUTPUT_IO'],
    ['absent/tree', 'OUTPUT_IO'],
    ['file/tree', 'OUTPUT_IO'],
  ] as const)
    await assert.rejects(
      async () => store.unpack('image:v1', at(name)),
      (error: PhylloError) => error instanceof PhylloError && error.code === code && typeof error.path === 'string',
      name,
    )
  await assert.rejects(async () => store.unpack('image:v1', '.'), { code: 'OUTPUT_EXISTS' })
  await assert.rejects(async () => store.unpack('nothing:v1', at('tree')), { code: 'IMAGE_NOT_FOUND' })
  assert.deepEqual(readdirSync(folder).sort(), before)
  assert.equal(readFileSync(at('full/file'), 'utf8'), 'mine')
})

test('a directory that was filled meanwhile is not replaced', async t => {
  const store = await storeOf(t, walkedLayers)
  const folder = folderOf(t)
  mkdirSync(join(folder, 'tree'))
  const operation = store.unpack('image:v1', join(folder, 'tree'))
  while (!readdirSync(folder).some(name => name.endsWith('.part'))) await sleep(1)
  writeFileSync(join(folder, 'tree/mine'), 'mine')
  await assert.rejects(async () => operation, { code: 'OUTPUT_EXISTS' })
  assert.deepEqual(readdirSync(folder), ['tree'])
  assert.deepEqual(readdirSync(join(folder, 'tree')), ['mine'])
})

/** Large enough to be caught in the middle. */
const large = tar([
  ...Array.from({ length: 600 }, (_, i) => file(`d${i % 20}/f${i}`, randomBytes(20_000))),
  dir('shut/', { mode: 0o700 }),
  file('shut/in', 'i'),
])

for (const workers of [0, 1, 2])
  test(`workers: ${workers}: aborted at any time, it leaves nothing`, async t => {
    const store = await storeOf(t, [large], workers)
    const folder = folderOf(t)
    const reason = new Error('changed my mind')
    let aborted = 0
    for (const delayMs of [0, 1, 3, 6, 10, 20, 30, 50, 80]) {
      const abort = new AbortController()
      const unpack = store.unpack('image:v1', join(folder, `tree${delayMs}`), { signal: abort.signal })
      setTimeout(() => abort.abort(reason), delayMs)
      const outcome = await unpack.then(
        () => 'done',
        error => error,
      )
      if (outcome === 'done') break
      aborted++
      assert.equal(outcome, reason)
      assert.deepEqual(readdirSync(folder), [], `after ${delayMs} ms`)
    }
    assert.ok(aborted > 1, `only ${aborted} were caught`)
  })

test('killed, it leaves nothing under the name, and the next one is whole', async t => {
  const store = await storeOf(t, [large])
  const folder = folderOf(t)
  const tree = join(folder, 'tree')
  let caught = 0
  for (let delayMs = 0; delayMs < 300 && caught < 2; delayMs += 10) {
    const args = [program, '--root', store.root, '--workers', '1', 'unpack', 'image:v1', tree]
    const child = spawn(process.execPath, args, { stdio: 'ignore' })
    const exit = once(child, 'exit')
    while (child.exitCode === null && readdirSync(folder).length === 0) await sleep(1)
    await sleep(delayMs)
    child.kill('SIGKILL')
    await exit
    const left = readdirSync(folder)
    if (left.includes('tree')) break
    assert.match(left.join(), /^\.tree\.[0-9a-f]{12}\.part$/)
    caught++
    fs.rmSync(join(folder, left[0]!), { recursive: true })
  }
  assert.ok(caught > 0, 'no kill came in the middle')
  fs.rmSync(tree, { recursive: true, force: true })
  await store.unpack('image:v1', tree)
  await assertShown(store, tree)
})

test('the command line says what it could not set, and refuses wrong words', async t => {
  const store = await storeOf(t, [tar([file('f', 'f'), fifo('pipe')])])
  const root = store.root
  await store.close()
  const folder = folderOf(t)
  const ran = await runPhyllo(['unpack', 'image:v1', join(folder, 'tree')], { root, env: { PHYLLO_NATIVE: '0' } })
  assert.equal(ran.status, 0)
  assert.equal(ran.stdout, '')
  assert.match(ran.stderr, /^1 named pipes, not made: \/pipe$/m)
  assert.deepEqual(readdirSync(join(folder, 'tree')), ['f'])
  const again = await runPhyllo(['unpack', 'image:v1', join(folder, 'tree')], { root })
  assert.equal(again.status, 1)
  assert.match(again.stderr, /^phyllo: OUTPUT_EXISTS: .*tree: is not empty/)
  const wrong = await runPhyllo(['unpack', '--links', 'soft', 'image:v1', join(folder, 'other')], { root })
  assert.equal(wrong.status, 2)
  const mounted = await runPhyllo(['mount', 'image:v1', folder], { root })
  assert.equal(mounted.status, 1)
  assert.match(mounted.stderr, /^phyllo: DRIVER_MISMATCH: .*unpack the image/)
  assert.ok(!existsSync(join(folder, 'other')))
})
