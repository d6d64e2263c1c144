import assert from 'node:assert/strict'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { deleteTree } from '../../src/disk/delete-tree.js'

function trashOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'phyllo-trash-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'trash'))
  return join(folder, 'trash')
}

test('A23: a tree 4,000 directories deep, far longer than a path may be', async t => {
  const trash = trashOf(t)
  // Built from the bottom up, so that no path is ever long.
  const [tree, next] = [join(trash, 'tree'), join(trash, 'next')]
  mkdirSync(tree)
  for (let depth = 1; depth < 4000; depth++) {
    mkdirSync(next)
    renameSync(tree, join(next, 'directory-with-a-name'))
    renameSync(next, tree)
  }
  await deleteTree(tree)
  assert.deepEqual(readdirSync(trash), [])
})

test('A23: directories without permissions, names that are no text, links to what is not ours', async t => {
  const trash = trashOf(t)
  const outside = join(trash, '../outside')
  mkdirSync(outside)
  writeFileSync(join(outside, 'kept'), 'kept')
  const tree = join(trash, 'tree')
  mkdirSync(join(tree, 'closed/inner'), { recursive: true })
  writeFileSync(join(tree, 'closed/inner/new\nline'), '')
  writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0x66, 0xff])]), '')
  mkdirSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0x66, 0xfe])]))
  symlinkSync(outside, join(tree, 'link'))
  symlinkSync(outside, join(tree, 'closed/link'))
  for (const folder of ['closed/inner', 'closed', '.']) chmodSync(join(tree, folder), 0)
  await deleteTree(tree)
  assert.deepEqual(readdirSync(trash), [])
  assert.equal(readFileSync(join(outside, 'kept'), 'utf8'), 'kept')
})

test('two delete the same tree at once, and one that is gone is no error', async t => {
  const trash = trashOf(t)
  const tree = join(trash, 'tree')
  for (let n = 0; n < 50; n++) {
    mkdirSync(join(tree, `${n % 5}/${n}`), { recursive: true })
    writeFileSync(join(tree, `${n % 5}/${n}/file`), '')
  }
  await Promise.all([deleteTree(tree), deleteTree(tree)])
  await deleteTree(tree)
  for (const left of readdirSync(trash)) await deleteTree(join(trash, left))
  assert.deepEqual(readdirSync(trash), [])
})

test('a single file and a dangling link', async t => {
  const trash = trashOf(t)
  writeFileSync(join(trash, 'file'), '')
  symlinkSync('/no/such/file', join(trash, 'link'))
  await deleteTree(join(trash, 'file'))
  await deleteTree(join(trash, 'link'))
  assert.deepEqual(readdirSync(trash), [])
})

test('a large tree, which is handed to a program: nothing is left of it, and nothing else is touched', async t => {
  const trash = trashOf(t)
  const outside = join(trash, '../outside')
  mkdirSync(outside)
  writeFileSync(join(outside, 'kept'), 'kept')
  const tree = join(trash, 'tree')
  for (let n = 0; n < 600; n++) {
    mkdirSync(join(tree, `-rf ${n % 40}/${n}`), { recursive: true })
    for (let file = 0; file < 10; file++) writeFileSync(join(tree, `-rf ${n % 40}/${n}/${file}`), '')
    symlinkSync(outside, join(tree, `-rf ${n % 40}/${n}/link`))
  }
  for (let n = 0; n < 40; n++) chmodSync(join(tree, `-rf ${n}`), 0o500)
  await deleteTree(tree)
  assert.deepEqual(readdirSync(trash), [])
  assert.equal(readFileSync(join(outside, 'kept'), 'utf8'), 'kept')
})
