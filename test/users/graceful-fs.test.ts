/**
 * graceful-fs over a container, which calls the classes of streams on objects of its own; and over node:fs itself, as many programs
 * have it, where its classes and functions stand before those of Node that a container is built on.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import { promisify } from 'node:util'
import gracefulFs from 'graceful-fs'
import { scratchDir, scratchStore } from '../build/store.js'

type Graceful = Pick<
  typeof fs,
  'writeFile' | 'readdir' | 'copyFile' | 'rename' | 'createReadStream' | 'createWriteStream'
>

/** What it wraps, used once. */
async function use(graceful: Graceful, folder: string): Promise<string[]> {
  await promisify(graceful.writeFile)(join(folder, 'one'), 'one')
  await pipeline(graceful.createReadStream(join(folder, 'one')), graceful.createWriteStream(join(folder, 'two')))
  await promisify(graceful.copyFile)(join(folder, 'two'), join(folder, 'three'))
  await promisify(graceful.rename)(join(folder, 'three'), join(folder, 'four'))
  return promisify(graceful.readdir)(folder)
}

test('graceful-fs over a container', async t => {
  const store = await scratchStore(t, { workers: 0 })
  const box = await store.create('scratch')
  assert.deepEqual(await use(gracefulFs.gracefulify({ ...(box as typeof fs) }), '/'), ['four', 'one', 'two'])
  assert.equal(box.readFileSync('/four', 'utf8'), 'one')
})

test('a container in a program that has graceful-fs over node:fs', async t => {
  const store = await scratchStore(t, { workers: 0 })
  const before = await store.create('scratch')
  gracefulFs.gracefulify(fs)
  // A path that the host has, too, with other contents
  const folder = scratchDir(t)
  fs.writeFileSync(join(folder, 'one'), 'of the host')
  for (const box of [before, await store.create('scratch')]) {
    box.mkdirSync(folder, { recursive: true })
    assert.deepEqual(await use(box, folder), ['four', 'one', 'two'])
    assert.equal(box.readFileSync(join(folder, 'four'), 'utf8'), 'one')
  }
  assert.deepEqual(fs.readdirSync(folder), ['one'])
  assert.equal(fs.readFileSync(join(folder, 'one'), 'utf8'), 'of the host')
})
