/** The two ways to lock, flock(2) through koffi and flock(1), exclude each other, and flock(1) of anybody else. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Flock, flockProtocol } from '../../src/native/flock.js'
import { loadLiblz4 } from '../../src/native/liblz4.js'
import { loadLibzstd } from '../../src/native/libzstd.js'

const folder = mkdtempSync(join(tmpdir(), 'phyllo-flock-'))
after(() => rmSync(folder, { recursive: true }))

async function protocolWith(native: '0' | '1'): Promise<Flock> {
  const before = process.env.PHYLLO_NATIVE
  process.env.PHYLLO_NATIVE = native
  try {
    const flock = await flockProtocol()
    assert.ok(flock !== undefined)
    return flock
  } finally {
    if (before === undefined) delete process.env.PHYLLO_NATIVE
    else process.env.PHYLLO_NATIVE = before
  }
}

const byLibc = await protocolWith('1')
const byProgram = await protocolWith('0')

test('both ways are there, and the libraries of this machine', async () => {
  assert.equal(byLibc.via, 'libc')
  assert.equal(byProgram.via, 'flock(1)')
  if (process.env.PHYLLO_NATIVE === '0') return
  assert.equal((await loadLiblz4())?.name, 'liblz4')
  assert.equal((await loadLibzstd()) === undefined, process.versions.zstd !== undefined)
})

const tool = (path: string, option: string) => spawnSync('flock', ['-n', option, path, 'true']).status

for (const [mine, other] of [
  [byLibc, byProgram],
  [byProgram, byLibc],
  [byProgram, byProgram],
] as const) {
  test(`${mine.via} against ${other.via}`, async () => {
    const path = join(folder, 'lock')
    const [first, second] = [openSync(path, 'w'), openSync(path, 'w')]
    assert.equal(await mine.tryExclusive(first), true)
    assert.equal(await other.tryExclusive(second), false)
    assert.equal(await other.tryShared(second), false)
    assert.equal(tool(path, '-s'), 1)
    await mine.unlock(first)
    assert.equal(tool(path, '-x'), 0)
    assert.equal(await other.tryShared(second), true)
    assert.equal(await mine.tryShared(first), true)
    assert.equal(tool(path, '-s'), 0)
    assert.equal(tool(path, '-x'), 1)
    assert.equal(await mine.tryExclusive(first), false)
    // One way may give back what the other has taken: it is one lock of one open file.
    await mine.unlock(second)
    assert.equal(await mine.tryExclusive(first), true)
    closeSync(first)
    assert.equal(await other.tryExclusive(second), true)
    closeSync(second)
  })
}
