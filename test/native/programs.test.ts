import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, test } from 'node:test'
import { findProgram } from '../../src/native/programs.js'

const folder = mkdtempSync(join(tmpdir(), 'phyllo-programs-'))
after(() => rmSync(folder, { recursive: true }))

for (const name of ['first', 'second', 'third']) mkdirSync(join(folder, name))
const inFolder = (...names: string[]) => join(folder, ...names)
mkdirSync(inFolder('first', 'tool'))
writeFileSync(inFolder('second', 'tool'), '')
chmodSync(inFolder('second', 'tool'), 0o644)
writeFileSync(inFolder('third', 'tool'), '')
chmodSync(inFolder('third', 'tool'), 0o755)
symlinkSync('loop', inFolder('third', 'loop'))

async function findIn(path: string | undefined, name: string): Promise<string | undefined> {
  const before = process.env.PATH
  if (path === undefined) delete process.env.PATH
  else process.env.PATH = path
  try {
    return await findProgram(name)
  } finally {
    process.env.PATH = before
  }
}

test('the first executable file of the name; folders, other files and loops are passed over', async () => {
  const path = ['/nonexistent', ...['first', 'second', 'third'].map(name => inFolder(name))].join(':')
  assert.equal(await findIn(path, 'tool'), inFolder('third', 'tool'))
  assert.equal(await findIn(path, 'loop'), undefined)
  assert.equal(await findIn(path, 'absent'), undefined)
})

test('entries of PATH that are not absolute are passed over: they mean another file in another folder', async () => {
  assert.equal(await findIn(`:.:${relative(process.cwd(), inFolder('third'))}`, 'tool'), undefined)
})

test('without PATH, the usual folders', async () => {
  assert.match((await findIn(undefined, 'sh')) ?? '', /^\/.*\/sh$/)
})
