import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createReadStream, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Store } from '../../src/index.js'
import { legacyArchive } from '../build/image.js'
import { archiveFile, leftovers, published, scratchDir, scratchStore } from '../build/store.js'
import { file, tar } from '../build/tar.js'

/** Large enough to be caught in the middle. */
const layers = Array.from({ length: 3 }, (_, i) =>
  tar([file(`f${i}`, randomBytes(8_000_000)), file(`z${i}`, 'z'.repeat(3_000_000))]),
)

function bigArchive(t: TestContext): string {
  return archiveFile(t, legacyArchive([{ layers, tags: ['big:1'] }]), 'big.tar')
}

for (const workers of [0, 1, 2]) {
  test(`workers: ${workers}: aborted at any time, a load leaves nothing behind`, async t => {
    const archive = bigArchive(t)
    const store = await scratchStore(t, { workers })
    const before = published(store.root)
    const reason = new Error('changed my mind')
    let aborted = 0
    for (const delayMs of [0, 1, 5, 10, 20, 40, 60, 80, 120, 160]) {
      const abort = new AbortController()
      const input = delayMs % 20 === 0 ? archive : createReadStream(archive)
      const load = store.load(input, { signal: abort.signal })
      setTimeout(() => abort.abort(reason), delayMs)
      const outcome = await load.then(
        () => 'done',
        error => error,
      )
      if (outcome === 'done') break
      aborted++
      assert.equal(outcome, reason)
      assert.deepEqual(leftovers(store.root), [], `after ${delayMs} ms`)
      assert.deepEqual(published(store.root), before)
    }
    assert.ok(aborted > 2, `only ${aborted} loads were caught`)
    await sleep(50)
    assert.deepEqual(leftovers(store.root), [])
    const [image] = await store.load(archive)
    assert.equal(image?.layers.length, 3)
  })
}

test('an aborted save leaves no file', async t => {
  const store = await scratchStore(t, { workers: 2 })
  await store.load(bigArchive(t))
  for (const format of ['docker-archive', 'oci-archive'] as const) {
    for (const delayMs of [0, 2, 10, 20]) {
      const dir = scratchDir(t)
      const abort = new AbortController()
      const save = store.save('big:1', join(dir, 'out.tar'), { format, signal: abort.signal })
      setTimeout(() => abort.abort(), delayMs)
      const done = await save.then(
        () => true,
        () => false,
      )
      assert.deepEqual(readdirSync(dir), done ? ['out.tar'] : [])
    }
  }
})

/** Another process that loads the archive into the store; it says `loaded` when it has. */
function loader(root: string, archive: string): ChildProcess {
  const index = fileURLToPath(new URL('../../src/index.js', import.meta.url))
  const script = `const { Store } = await import(${JSON.stringify(index)})
    const store = await Store.open(${JSON.stringify(root)}, { workers: 1 })
    console.log('open')
    await store.load(${JSON.stringify(archive)})
    await store.close()
    console.log('loaded')`
  return spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise(done => child.once('exit', code => done(code)))
}

test('two processes load the same archive at once: both succeed, one copy', async t => {
  const archive = bigArchive(t)
  const store = await scratchStore(t)
  const children = [loader(store.root, archive), loader(store.root, archive)]
  const codes = await Promise.all([...children.map(exitOf), store.load(archive).then(() => 0)])
  assert.deepEqual(codes, [0, 0, 0])
  assert.equal(readdirSync(join(store.root, 'packed')).length, 3)
  assert.equal((await store.images()).length, 1)
  assert.deepEqual(leftovers(store.root), [])
})

test('what a killed process leaves is cleaned by the next open', async t => {
  const archive = bigArchive(t)
  let caught = 0
  for (let i = 0; i < 12 && caught < 3; i++) {
    const root = join(scratchDir(t), 'store')
    const child = loader(root, archive)
    const exit = exitOf(child)
    await new Promise(open => child.stdout?.once('data', open))
    await sleep(15 + 10 * i)
    child.kill('SIGKILL')
    await exit
    if (leftovers(root).length > 0) caught++
    const store = await Store.open(root, { workers: 1, durability: 'none' })
    assert.deepEqual(
      leftovers(root).filter(name => !name.startsWith('trash/')),
      [],
    )
    const [image] = await store.load(archive)
    assert.equal(image?.tags[0], 'big:1')
    await store.close()
    assert.deepEqual(leftovers(root), [])
    assert.ok(existsSync(join(root, 'image/packed/repositories.json')))
  }
  assert.ok(caught > 0, 'no kill came in the middle')
})
