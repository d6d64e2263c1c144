/** A file that grows, and whoever reads it meanwhile. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { GrowingFile } from '../../src/disk/growing-file.js'
import { readRange } from '../../src/disk/read-range.js'

async function growing(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'phyllo-growing-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const file = await GrowingFile.create(join(folder, 'file'), 16)
  const range = { path: file.path, offset: 0, growing: file.counter }
  const read = (sizeBytes: number) => readRange({ ...range, sizeBytes }, 'it')
  return { file, folder, read }
}

async function next(chunks: AsyncIterator<Buffer>): Promise<string | undefined> {
  const { value, done } = await chunks.next()
  return done ? undefined : String(value)
}

test('with a size of Infinity a reader waits for what is to come, and ends where the writer does', async t => {
  const { file, read } = await growing(t)
  const chunks = read(Number.POSITIVE_INFINITY)
  const first = next(chunks)
  await file.append(Buffer.from('one and '))
  assert.equal(await first, 'one and ')
  const second = next(chunks)
  await file.append(Buffer.from('two'))
  await file.end()
  assert.equal(await second, 'two')
  assert.equal(await next(chunks), undefined)
})

test('what was gathered and is less than one write comes with the end', async t => {
  const { file, read } = await growing(t)
  const chunks = read(Number.POSITIVE_INFINITY)
  await file.append(new Uint8Array(0))
  const all = next(chunks)
  await file.end()
  assert.equal(await all, undefined)
})

test('a writer that fails is a failure of the reader, who has had what was there', async t => {
  const { file, read } = await growing(t)
  await file.append(Buffer.from('what was there'))
  await file.fail()
  const chunks = read(Number.POSITIVE_INFINITY)
  assert.equal(await next(chunks), 'what was there')
  await assert.rejects(next(chunks), { code: 'INPUT_IO', message: /it: the stream it comes from failed/ })
})

test('a writer that ends before the size that was told: SIZE_MISMATCH', async t => {
  const { file, read } = await growing(t)
  await file.append(Buffer.from('four'))
  await file.end()
  const chunks = read(5)
  assert.equal(await next(chunks), 'four')
  await assert.rejects(next(chunks), { code: 'SIZE_MISMATCH', message: 'it: ends after 4 of 5 bytes' })
})

test('a file that is there is taken up behind its beginning; whatever else it holds goes', async t => {
  const { file, folder } = await growing(t)
  await file.append(Buffer.from('beginning, and more'))
  await file.end()
  const again = await GrowingFile.takeUp(join(folder, 'file'), 9, 16)
  const range = { path: again.path, offset: 0, sizeBytes: 15, growing: again.counter }
  const chunks = readRange(range, 'it')
  assert.equal(await next(chunks), 'beginning')
  const rest = next(chunks)
  await again.append(Buffer.from(' and end'.slice(0, 6)))
  await again.end()
  assert.equal(await rest, ' and e')
  assert.equal(readFileSync(again.path, 'utf8'), 'beginning and e')
  await assert.rejects(GrowingFile.takeUp(join(folder, 'none'), 0), { code: 'STORE_IO' })
})

test('a writer that fails leaves all that it was given', async t => {
  const { file } = await growing(t)
  await file.append(Buffer.from('abc'))
  await file.fail()
  assert.equal(readFileSync(file.path, 'utf8'), 'abc')
})
