import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { LOCK_EX, LOCK_NB, LOCK_UN, loadLibc } from '../../src/native/libc.js'
import { loadKoffi, nativeEnabled } from '../../src/native/native.js'

const folder = mkdtempSync(join(tmpdir(), 'phyllo-libc-'))
after(() => rmSync(folder, { recursive: true }))
const libc = await loadLibc()

test('PHYLLO_NATIVE=0 switches native code off, at once', async () => {
  const before = process.env.PHYLLO_NATIVE
  try {
    process.env.PHYLLO_NATIVE = '0'
    assert.equal(nativeEnabled(), false)
    assert.equal(await loadKoffi(), undefined)
    assert.equal(await loadLibc(), undefined)
    delete process.env.PHYLLO_NATIVE
    assert.equal(nativeEnabled(), true)
  } finally {
    if (before === undefined) delete process.env.PHYLLO_NATIVE
    else process.env.PHYLLO_NATIVE = before
  }
})

test('errors are those of node:fs', async () => {
  if (libc === undefined) return assert.equal(nativeEnabled() && process.platform === 'linux', false)
  const expected = (syscall: string) => ({
    code: 'EBADF',
    errno: -9,
    syscall,
    message: `EBADF: bad file descriptor, ${syscall}`,
  })
  assert.throws(() => libc.flock(1_000_000, LOCK_EX | LOCK_NB), expected('flock'))
  if (libc.syncfs !== undefined) await assert.rejects(libc.syncfs(1_000_000), expected('syncfs'))
})

test('flock never waits', () => {
  if (libc !== undefined) assert.throws(() => libc.flock(0, LOCK_EX), TypeError)
})

test('flock: EAGAIN for the second, nothing after the first has let go; syncfs', async () => {
  if (libc === undefined) return
  const file = join(folder, 'lock')
  const [first, second] = [openSync(file, 'w'), openSync(file, 'w')]
  libc.flock(first, LOCK_EX | LOCK_NB)
  assert.throws(() => libc.flock(second, LOCK_EX | LOCK_NB), { code: 'EAGAIN', syscall: 'flock' })
  libc.flock(first, LOCK_UN)
  libc.flock(second, LOCK_EX | LOCK_NB)
  await libc.syncfs?.(first)
  closeSync(first)
  closeSync(second)
})

test('it works in a worker thread', async () => {
  const module = new URL('../../src/native/libc.js', import.meta.url).href
  const code = `
    import { parentPort } from 'node:worker_threads'
    const libc = await (await import(${JSON.stringify(module)})).loadLibc()
    try { libc?.flock(1000000, 4 | 2); parentPort.postMessage('none') } catch (error) { parentPort.postMessage(error.code) }`
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`))
  const answer = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  assert.equal(answer, libc === undefined ? 'none' : 'EBADF')
})
