/** Descriptors, open directories and streams: the same scripts through node:fs on a plain directory and on a view of the same tree. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, test } from 'node:test'
import { createView } from '../../src/overlay/face/view.js'
import { type Fs, failure, outcome, parityTree } from '../build/parity.js'
import { plainDirectory, plainLayer } from '../build/plain-tree.js'

const root = plainDirectory(parityTree)
after(() => fs.rmSync(root, { recursive: true, force: true }))
const view = createView([plainLayer(parityTree, root)])

test('reading through a descriptor: positions, ranges, vectors, the end', () => {
  const script = (side: Fs, prefix: string) => {
    const fd = side.openSync(`${prefix}/file`, 'r')
    const log: unknown[] = []
    const read = (...args: unknown[]) => {
      const buffer = Buffer.alloc(8, '.')
      try {
        log.push([(side.readSync as (...args: unknown[]) => number)(fd, buffer, ...args), buffer.toString()])
      } catch (error) {
        log.push(failure(error, prefix))
      }
    }
    read()
    read(2, 3)
    read(0, 8, 1)
    read(0, 8, null)
    read(0, 8, 1000)
    read(0, 0)
    read({ offset: 1, length: 2, position: 3 })
    read(0, 8, 5n)
    read(9, 1)
    read(0, 9)
    read(-1)
    read(0, 8, 'x')
    read(0, 8, -1)
    const pair = [Buffer.alloc(3), Buffer.alloc(4)]
    log.push(side.readvSync(fd, pair, 2), pair.map(String))
    log.push(side.readFileSync(fd, 'utf8'), side.readFileSync(fd, 'utf8'))
    side.closeSync(fd)
    try {
      side.fstatSync(fd)
    } catch (error) {
      log.push(failure(error, prefix))
    }
    for (const bad of [-1, 1.5, '1', 2 ** 31, undefined]) {
      try {
        side.closeSync(bad as number)
      } catch (error) {
        log.push(failure(error, prefix))
      }
    }
    return log
  }
  assert.deepEqual(script(view as unknown as Fs, ''), script(fs, root))
})

test('opendir: entries, path, closing twice', async () => {
  const script = async (side: Fs, prefix: string) => {
    const dir = await side.promises.opendir(`${prefix}/dir`)
    const names: string[] = []
    for await (const entry of dir) names.push(entry.name)
    const again = side.opendirSync(`${prefix}/dir`)
    const first = again.readSync() !== null
    again.closeSync()
    const closedTwice = await outcome(prefix, () => again.closeSync())
    const readClosed = await outcome(prefix, () => again.readSync())
    return { names: names.sort(), first, path: again.path.replace(prefix, ''), closedTwice, readClosed }
  }
  assert.deepEqual(await script(view as unknown as Fs, ''), await script(fs, root))
})

test('streams: ranges, encodings, errors', async () => {
  const script = async (side: Fs, prefix: string) => {
    const collect = async (path: string, options?: object | string) => {
      const stream = side.createReadStream(`${prefix}${path}`, options as object)
      assert.ok(stream instanceof fs.ReadStream)
      let text = ''
      for await (const chunk of stream) text += String(chunk)
      return text
    }
    const handle = await side.promises.open(`${prefix}/file`)
    const lines: string[] = []
    for await (const line of handle.readLines()) lines.push(line)
    return [
      await outcome(prefix, () => collect('/file')),
      await outcome(prefix, () => collect('/file', { start: 2, end: 6, encoding: 'utf8' })),
      await outcome(prefix, () => collect('/file', 'base64')),
      await outcome(prefix, () => collect('/file', { highWaterMark: 3 })),
      await outcome(prefix, () => collect('/nope')),
      await outcome(prefix, () => collect('/dir')),
      await outcome(prefix, () => collect('/file', { start: 5, end: 1 })),
      lines,
      handle.fd,
    ]
  }
  assert.deepEqual(await script(view as unknown as Fs, ''), await script(fs, root))
})
