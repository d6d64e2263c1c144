import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { flockProtocol } from '../../src/native/flock.js'

const folder = mkdtempSync(join(tmpdir(), 'phyllo-flock-'))
after(() => rmSync(folder, { recursive: true }))
const flock = await flockProtocol()

function openTwice(name: string): [number, number] {
  const path = join(folder, name)
  return [openSync(path, 'w'), openSync(path, 'w')]
}

/** A process that locks the file, says so, and stays until it is killed. */
async function holder(path: string): Promise<ChildProcess> {
  const module = new URL('../../src/native/flock.js', import.meta.url).href
  const code = `
    const { openSync } = await import('node:fs')
    const { flockProtocol } = await import(${JSON.stringify(module)})
    console.log(await (await flockProtocol()).tryExclusive(openSync(${JSON.stringify(path)}, 'w')))
    setInterval(() => {}, 1e6)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  assert.equal(line.toString().trim(), 'true')
  return child
}

test('exclusive excludes, shared shares', async () => {
  if (flock === undefined) return
  const [first, second] = openTwice('one')
  assert.equal(await flock.tryExclusive(first), true)
  assert.equal(await flock.tryExclusive(second), false)
  assert.equal(await flock.tryShared(second), false)
  await flock.unlock(first)
  assert.equal(await flock.tryShared(second), true)
  assert.equal(await flock.tryShared(first), true)
  assert.equal(await flock.tryExclusive(first), false)
  closeSync(second)
  assert.equal(await flock.tryExclusive(first), true)
  closeSync(first)
})

test('closing the file gives the lock back', async () => {
  if (flock === undefined) return
  const [first, second] = openTwice('two')
  assert.equal(await flock.tryExclusive(first), true)
  closeSync(first)
  assert.equal(await flock.tryExclusive(second), true)
  closeSync(second)
})

test('the lock of another process is seen, and goes away when it is killed', async () => {
  if (flock === undefined) return
  const child = await holder(join(folder, 'three'))
  const [fd, other] = openTwice('three')
  assert.equal(await flock.tryExclusive(fd), false)
  assert.equal(await flock.tryShared(fd), false)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal(await flock.tryExclusive(fd), true)
  closeSync(fd)
  closeSync(other)
})

test('a descriptor that is none is an error, not a lock that is taken', async () => {
  if (flock === undefined) return
  await assert.rejects(flock.tryExclusive(1_000_000))
})
