/** The manners of a guest: one test a sentence. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { Pool, Store } from '../../src/index.js'
import { appArchive } from '../build/app-archive.js'
import { repoRoot } from '../build/repo.js'
import { archiveFile, scratchDir, scratchStore } from '../build/store.js'

const index = new URL('../../src/index.js', import.meta.url)

/** Runs a module script in a process of its own, with `phyllo`, `root` and `archive` at hand. */
async function inProcess(t: TestContext, body: string, entry: URL = index): Promise<string> {
  const dir = scratchDir(t)
  const script = join(dir, 'guest.mjs')
  const archive = archiveFile(t, appArchive())
  writeFileSync(
    script,
    `import { readdirSync } from 'node:fs'
     const threads = () => readdirSync('/proc/self/task').length
     const [root, archive] = ${JSON.stringify([join(dir, 'store'), archive])}
     const entry = ${JSON.stringify(entry.href)}
     ${body}`,
  )
  // One test has a loader of its own, which Node 26 would have made by registerHooks: Node 20 has none.
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--disable-warning=DEP0205', script], {
    timeout: 30_000,
  })
  assert.equal(stderr, '')
  return stdout
}

test('no thread before the first job', async t => {
  const out = await inProcess(
    t,
    `const { Store } = await import(entry)
     await import('node:fs/promises').then(fs => fs.readdir('/'))
     const before = threads()
     const store = await Store.open(root, { workers: 2 })
     await store.images()
     console.log(threads() - before)
     await store.load(archive)
     await store.close()`,
  )
  assert.equal(out, '0\n')
})

test('workers: 0 runs jobs inline', async t => {
  const out = await inProcess(
    t,
    `const { Worker } = await import('node:worker_threads')
     const { Store } = await import(entry)
     const store = await Store.open(root, { workers: 0 })
     process.on('worker', () => console.log('a thread was started'))
     await store.load(archive)
     const view = await store.view('app:v1')
     process.stdout.write(view.readFileSync('/etc/motd', 'utf8'))
     await view.close()
     await store.close()`,
  )
  assert.equal(out, 'from the second layer\n')
})

test('a pool can be shared, and is not closed by a store', async t => {
  await using pool = new Pool({ workers: 1 })
  const archive = archiveFile(t, appArchive())
  for (let i = 0; i < 2; i++) {
    const store = await scratchStore(t, { pool })
    await store.load(archive)
    await store.close()
  }
})

test('works inside a worker thread', async t => {
  const out = await inProcess(
    t,
    `import { Worker } from 'node:worker_threads'
     const code = \`
       const { Store } = await import(\${JSON.stringify(entry)})
       const store = await Store.open(\${JSON.stringify(root)}, { workers: 1 })
       await store.load(\${JSON.stringify(archive)})
       const view = await store.view('app:v1')
       const { parentPort } = await import('node:worker_threads')
       parentPort.postMessage(view.readFileSync('/etc/motd', 'utf8'))
       await store.close()\`
     const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(code)))
     worker.on('message', text => process.stdout.write(text))
     await new Promise((done, fail) => worker.once('exit', done).once('error', fail))`,
  )
  assert.equal(out, 'from the second layer\n')
})

test('a program that forgets close() still exits', async t => {
  const out = await inProcess(
    t,
    `const { Store } = await import(entry)
     const store = await Store.open(root, { workers: 2 })
     await store.load(archive)
     const view = await store.view('app:v1')
     await view.promises.open('/etc/motd')
     console.log('end of main')`,
  )
  assert.equal(out, 'end of main\n')
})

test('no signal or process handlers, no output, no change of cwd or umask, no global state', async t => {
  const out = await inProcess(
    t,
    `const look = () => JSON.stringify({
       handlers: process.eventNames().map(name => [String(name), process.listenerCount(name)]),
       cwd: process.cwd(), umask: process.umask(), globals: Object.getOwnPropertyNames(globalThis).sort(),
     })
     const before = look()
     const { Store } = await import(entry)
     const store = await Store.open(root, { workers: 1 })
     await store.load(archive)
     await store.save('app:v1', root + '.tar')
     const view = await store.view('app:v1')
     view.readFileSync('/etc/motd')
     await view.close()
     const during = look()
     await store.close()
     const after = look()
     if (during !== before) console.log('during', before, during)
     if (after !== before) console.log('after', before, after)`,
  )
  assert.equal(out, '')
})

test('two stores in one process, also of two versions, do not know each other', async t => {
  const built = fileURLToPath(new URL('../../', import.meta.url))
  const copy = scratchDir(t)
  for (const name of ['src', 'workers']) cpSync(join(built, name), join(copy, 'built', name), { recursive: true })
  mkdirSync(join(copy, 'built'), { recursive: true })
  symlinkSync(join(repoRoot, 'node_modules'), join(copy, 'node_modules'))
  writeFileSync(join(copy, 'package.json'), '{"type":"module"}')
  const second = pathToFileURL(join(copy, 'built', relative(built, dirname(fileURLToPath(index))), 'index.js'))
  const out = await inProcess(
    t,
    `const [a, b] = await Promise.all([import(entry), import(${JSON.stringify(second.href)})])
     console.log(a.Store === b.Store)
     const [one, two, three] = await Promise.all([a.Store.open(root), b.Store.open(root), a.Store.open(root + '2')])
     await Promise.all([one.load(archive), two.load(archive), three.load(archive)])
     await Promise.all([one.tag('app:v1', 'one:1'), two.tag('app:v1', 'two:1')])
     console.log((await one.images())[0].tags.join(), (await three.images())[0].tags.join())
     await one.close()
     const view = await two.view('two:1')
     process.stdout.write(view.readFileSync('/etc/motd', 'utf8'))
     await Promise.all([two.close(), three.close()])`,
  )
  assert.equal(out, 'false\napp:v1,one:1,two:1 app:v1\nfrom the second layer\n')
})

test('importing phyllo, opening a store and listing load no piscina, koffi, undici or codec before they are needed', async t => {
  const out = await inProcess(
    t,
    `import { createRequire, register } from 'node:module'
     const code = 'export async function resolve(name, context, next) { const found = await next(name, context); console.log("loaded " + found.url); return found }'
     register('data:text/javascript,' + encodeURIComponent(code))
     const { Store } = await import(entry)
     const store = await Store.open(root, { readOnly: true })
     await store.images()
     await store.close()
     const loaded = Object.keys(createRequire(import.meta.url).cache)
     for (const path of loaded) console.log('loaded ' + path)`,
  )
  const heavy = out
    .split('\n')
    .filter(line => /node_modules\/(@koromix|koffi|piscina|undici|lz4-napi|hash-wasm|tar-stream|fs-extra)/.test(line))
  assert.deepEqual(heavy, [])
  assert.match(out, /loaded .*src\/store\.js/)
})

test('close is idempotent, ends views, and what is used afterwards says so', async t => {
  const store = await scratchStore(t)
  await store.load(archiveFile(t, appArchive()))
  const view = await store.view('app:v1')
  await Promise.all([store.close(), store.close()])
  await store.close()
  assert.throws(() => view.readFileSync('/etc/motd'))
  await view.close()
  await assert.rejects(store.view('app:v1'), { code: 'STORE_CLOSED' })
  assert.throws(() => store.load('x.tar'), { code: 'STORE_CLOSED' })
  assert.throws(() => view.readFileSync('/etc/motd'))
})

test('Store.temporary() is gone after close', async t => {
  const { existsSync } = await import('node:fs')
  const store = await Store.temporary({ workers: 1 })
  await store.load(archiveFile(t, appArchive()))
  assert.ok(existsSync(store.root))
  await store.close()
  assert.equal(existsSync(store.root), false)
})
