/** Contents: slices of large files, signals, FileHandle, web streams, blobs, devices that must not hang. */
import assert from 'node:assert/strict'
import type { EventEmitter } from 'node:events'
import fs from 'node:fs'
import { test } from 'node:test'
import { createView } from '../../src/overlay/face/view.js'
import { sliceBytes } from '../../src/overlay/union/content.js'
import { file, layersOf, node } from '../build/memory-layer.js'

function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at += 997) bytes[at] = at % 251
  return bytes
}

test('a large content is read in slices, several at once, and comes back whole', async () => {
  const large = pattern(sliceBytes * 5 + 123)
  const layers = layersOf({ large })
  const view = createView(layers)
  const read = await view.promises.readFile('/large')
  assert.ok(read.equals(large))
  assert.ok(layers[0]!.calls.read >= 6)
  assert.equal(layers[0]!.calls.readSync, 0)
  assert.ok(view.readFileSync('/large').equals(large))
})

test('an aborted read rejects with AbortError, whose cause is the reason', async () => {
  const view = createView(layersOf({ large: pattern(sliceBytes * 12), small: 'x' }))
  const controller = new AbortController()
  const reading = view.promises.readFile('/large', { signal: controller.signal })
  const reason = new Error('enough')
  setImmediate(() => controller.abort(reason))
  await assert.rejects(reading, {
    name: 'AbortError',
    code: 'ABORT_ERR',
    message: 'The operation was aborted',
    cause: reason,
  })
  await assert.rejects(view.promises.readFile('/small', { signal: AbortSignal.abort() }), { name: 'AbortError' })
  await assert.rejects(fs.promises.readFile(process.execPath, { signal: AbortSignal.abort() }), { name: 'AbortError' })
})

test('a failing layer is told, after every slice has ended', async () => {
  const layers = layersOf({ large: pattern(sliceBytes * 6) })
  const [layer] = layers
  let running = 0
  layer!.read = async (_, position) => {
    running++
    await new Promise(resolve => setTimeout(resolve, position === 0 ? 1 : 5))
    running--
    if (position === 0) throw new Error('damaged block')
    return sliceBytes
  }
  await assert.rejects(createView(layers).promises.readFile('/large'), { message: 'damaged block' })
  assert.equal(running, 0)
})

test('FileHandle: reads, stat, lines, streams, events; what writes fails as on a descriptor for reading', async () => {
  const view = createView(layersOf({ file: 'one\ntwo\nthree' }))
  const handle = await view.promises.open('/file')
  assert.deepEqual(await handle.read(Buffer.alloc(3), 0, 3, 4), { bytesRead: 3, buffer: Buffer.from('two') })
  assert.equal((await handle.read({ buffer: Buffer.alloc(4) })).bytesRead, 4)
  assert.equal(await handle.readFile('utf8'), 'two\nthree')
  assert.equal((await handle.read()).bytesRead, 0)
  assert.equal((await handle.stat({ bigint: true })).size, 13n)
  assert.equal((await handle.readv([Buffer.alloc(2), Buffer.alloc(2)], 0)).bytesRead, 4)
  for (const [name, code] of [
    ['write', 'EBADF'],
    ['writev', 'EBADF'],
    ['writeFile', 'EBADF'],
    ['appendFile', 'EBADF'],
    ['truncate', 'EINVAL'],
    ['chmod', 'EROFS'],
    ['chown', 'EROFS'],
    ['utimes', 'EROFS'],
  ] as const) {
    await assert.rejects((handle[name] as (...args: unknown[]) => Promise<unknown>)('x', 0), { code }, name)
  }
  await handle.sync()
  await handle.datasync()
  let closed = 0
  ;(handle as unknown as EventEmitter).on('close', () => closed++)
  await Promise.all([handle.close(), handle.close()])
  assert.equal(closed, 1)
  assert.equal(handle.fd, -1)
  await assert.rejects(handle.read(), { code: 'EBADF', message: 'file closed' })
  const lines: string[] = []
  for await (const line of (await view.promises.open('/file')).readLines()) lines.push(line)
  assert.deepEqual(lines, ['one', 'two', 'three'])
})

test('a handle’s read stream closes the handle; readableWebStream gives bytes', async () => {
  const view = createView(layersOf({ file: 'content' }))
  const handle = await view.promises.open('/file')
  const stream = handle.createReadStream({ start: 3, encoding: 'utf8' })
  let text = ''
  for await (const chunk of stream) text += chunk
  assert.equal(text, 'tent')
  assert.equal(handle.fd, -1)
  const web = await view.promises.open('/file')
  const chunks: Buffer[] = []
  for await (const chunk of web.readableWebStream() as AsyncIterable<Uint8Array>) chunks.push(Buffer.from(chunk))
  assert.equal(Buffer.concat(chunks).toString(), 'content')
  await web.close()
  const passed = await view.promises.open('/file')
  assert.equal(await view.promises.readFile(passed, 'utf8'), 'content')
})

test('two reads at once on one descriptor never give the same bytes', async () => {
  const view = createView(layersOf({ file: 'abcdef' }))
  const handle = await view.promises.open('/file')
  const reads = await Promise.all([1, 2, 3].map(() => handle.read(Buffer.alloc(2))))
  assert.deepEqual(reads.map(({ buffer }) => String(buffer)).sort(), ['ab', 'cd', 'ef'])
})

test('openAsBlob holds the content', async () => {
  const view = createView(layersOf({ file: 'content', dir: {} }))
  const blob = await view.openAsBlob('/file', { type: 'text/plain' })
  assert.equal(await blob.text(), 'content')
  assert.equal(blob.type, 'text/plain')
  await assert.rejects(view.openAsBlob('/dir'), { code: 'EISDIR' })
})

test('C15, C8: fifos, sockets and devices are facts, and opening them never waits', { timeout: 2000 }, async () => {
  const view = createView(
    layersOf({
      fifo: node(0o010644),
      sda: node(0o060660, { deviceMajor: 8, deviceMinor: 1 }),
      kmem: node(0o020640, { deviceMajor: 1, deviceMinor: 2 }),
      sock: node(0o140755),
      big: node(0o020600, { deviceMajor: 0x12345, deviceMinor: 0xabcde }),
      ok: file('x'),
    }),
  )
  assert.ok(view.statSync('/fifo').isFIFO())
  assert.equal(view.statSync('/sda').rdev, 0x801)
  assert.equal(view.statSync('/big', { bigint: true }).rdev, 0x12000abc345den)
  for (const name of ['fifo', 'sda', 'kmem', 'sock']) {
    const open = { code: 'ENXIO', syscall: 'open', path: `/${name}` }
    assert.throws(() => view.readFileSync(`/${name}`), open)
    await assert.rejects(view.promises.open(`/${name}`), open)
    const stream = view.createReadStream(`/${name}`)
    await assert.rejects(stream.toArray(), open)
  }
  const types = view.readdirSync('/', { withFileTypes: true })
  assert.ok(types.find(({ name }) => name === 'fifo')?.isFIFO())
  assert.ok(types.find(({ name }) => name === 'sda')?.isBlockDevice())
})

test('the same descriptor numbers are used again, and open handles do not disturb each other', () => {
  const view = createView(layersOf({ a: 'A', b: 'B' }))
  const first = view.openSync('/a', 'r')
  const second = view.openSync('/b', 'r')
  view.closeSync(first)
  const third = view.openSync('/b', 'r')
  assert.equal(third, first)
  assert.equal(view.readFileSync(second, 'utf8'), 'B')
  assert.equal(view.readFileSync(third, 'utf8'), 'B')
})
