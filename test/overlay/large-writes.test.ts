/** Large contents by the asynchronous forms: the event loop turns while they are written, in an order that is known, until an abort. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createContainerFace } from '../../src/overlay/face/container-face.js'
import { Union } from '../../src/overlay/union/union.js'
import { layersOf } from '../build/memory-layer.js'
import { memoryUpper } from '../build/memory-upper.js'

const MiB = 1024 * 1024
const large = 6 * MiB

function make() {
  const upper = memoryUpper()
  const union = new Union(layersOf({ low: Buffer.alloc(large, 'low.') }), { upper, label: 'box' })
  return { upper, box: createContainerFace(union), union }
}

/** How often the loop turned while something was under way. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0
  let over = false
  const count = () => {
    turns++
    if (!over) setImmediate(count)
  }
  setImmediate(count)
  await work()
  over = true
  return turns
}

const works: Record<string, (box: ReturnType<typeof make>['box']) => Promise<unknown>> = {
  writeFile: box => box.promises.writeFile('/new', Buffer.alloc(large, 'x')),
  appendFile: box => box.promises.appendFile('/new', Buffer.alloc(large, 'x')),
  'a write of one byte to what lies below': async box => {
    const handle = await box.promises.open('/low', 'r+')
    await handle.write('X', 1)
    await handle.close()
  },
  'truncate of what lies below': box => box.promises.truncate('/low', large - 1),
  writev: async box => {
    const handle = await box.promises.open('/new', 'w')
    await handle.writev([Buffer.alloc(large / 2, 'a'), Buffer.alloc(large / 2, 'b')])
    await handle.close()
  },
  'copyFile over what is there': async box => {
    box.writeFileSync('/new', '')
    await box.promises.copyFile('/low', '/new')
  },
}

for (const [name, work] of Object.entries(works)) {
  test(`the loop turns once a slice at least: ${name}`, async () => {
    const { box } = make()
    const turns = await turnsDuring(() => work(box))
    assert.ok(turns >= large / MiB, `${turns} turns`)
  })
}

test('what was copied and changed meanwhile is right', async () => {
  const { box } = make()
  const expected = box.readFileSync('/low')
  const handle = await box.promises.open('/low', 'r+')
  const other = await box.promises.open('/low', 'r')
  await handle.write(Buffer.from('X'), 0, 1, 1)
  expected[1] = 0x58
  assert.deepEqual(await box.promises.readFile('/low'), expected)
  assert.deepEqual(await other.readFile(), expected)
  await handle.close()
  await other.close()
})

test('large appends at the same time do not mix, and writes without a position do not overlap', async () => {
  const { box } = make()
  const [first, second] = await Promise.all([box.promises.open('/log', 'a'), box.promises.open('/log', 'a')])
  const size = 3 * MiB
  await Promise.all([first.write(Buffer.alloc(size, 'a')), second.write(Buffer.alloc(size, 'b'))])
  const log = box.readFileSync('/log', 'latin1')
  assert.deepEqual([log.length, new Set(log.slice(0, size)).size, new Set(log.slice(size)).size], [2 * size, 1, 1])
  const plain = await box.promises.open('/plain', 'w')
  await Promise.all([plain.write(Buffer.alloc(size, 'a')), plain.write(Buffer.alloc(size, 'b')), plain.write('end')])
  const text = box.readFileSync('/plain', 'latin1')
  assert.deepEqual([text.slice(0, 2), text.slice(size, size + 2), text.slice(2 * size)], ['aa', 'bb', 'end'])
  await Promise.all([first, second, plain].map(handle => handle.close()))
})

test('who cuts a file off waits for the end of a large write to it: truncate, open, writeFile, copyFile', async () => {
  const cuts: Record<string, (box: ReturnType<typeof make>['box']) => Promise<unknown>> = {
    truncate: box => box.promises.truncate('/new', 0),
    open: async box => (await box.promises.open('/new', 'w')).close(),
    'open with a callback': async box => {
      const fd = await new Promise<number>(resolve => box.open('/new', 'w', (_, opened) => resolve(opened)))
      box.closeSync(fd)
    },
    writeFile: box => box.promises.writeFile('/new', ''),
    'writeFile of chunks': box => box.promises.writeFile('/new', ['']),
    copyFile: box => box.promises.copyFile('/empty', '/new'),
  }
  for (const [name, cut] of Object.entries(cuts)) {
    const { box } = make()
    box.writeFileSync('/empty', '')
    const writing = box.promises.writeFile('/new', Buffer.alloc(large, 'x'))
    await Promise.all([writing, cut(box)])
    assert.equal(box.statSync('/new').size, 0, name)
  }
})

test('an unlinked file is written to the end, and then its content is given back', async () => {
  const { box, upper } = make()
  const handle = await box.promises.open('/low', 'r+')
  const writing = handle.write('X', 1)
  box.unlinkSync('/low')
  const closing = handle.close()
  assert.equal((await writing).bytesWritten, 1)
  await closing
  assert.equal(upper.contents.size, 0)
  assert.equal(upper.inodeCount, 1)
})

test('AbortSignal: before it begins, and between two slices', async () => {
  const { box } = make()
  const data = Buffer.alloc(large, 'x')
  const aborted = AbortSignal.abort()
  await assert.rejects(box.promises.writeFile('/never', data, { signal: aborted }), { name: 'AbortError' })
  assert.equal(box.existsSync('/never'), false)
  const controller = new AbortController()
  const writing = box.promises.writeFile('/some', data, { signal: controller.signal })
  setImmediate(() => controller.abort())
  await assert.rejects(writing, { name: 'AbortError', code: 'ABORT_ERR' })
  const { size } = box.statSync('/some')
  assert.ok(size > 0 && size < large, `${size} bytes`)
  const error = await new Promise<unknown>(resolve => box.writeFile('/never', data, { signal: aborted }, resolve))
  assert.ok(error instanceof Error && error.name === 'AbortError')
})

test('closing waits for what is being written', async () => {
  const { box, union } = make()
  const writing = box.promises.writeFile('/new', Buffer.alloc(large))
  let written = false
  const done = writing.then(() => (written = true))
  await new Promise(setImmediate)
  await union.close()
  await done
  assert.ok(written)
})
