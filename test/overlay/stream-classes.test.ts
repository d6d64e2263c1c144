/** ReadStream and WriteStream of a container used as classes, as Node's are, and what others do to Node's own. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { type TestContext, test } from 'node:test'
import { inherits } from 'node:util'
import { type ContainerFs, createContainerFace } from '../../src/overlay/face/container-face.js'
import { Union } from '../../src/overlay/union/union.js'
import { layersOf } from '../build/memory-layer.js'
import { memoryUpper } from '../build/memory-upper.js'
import { scratchDir } from '../build/store.js'

const makeBox = () => createContainerFace(new Union(layersOf({ file: 'content' }), { upper: memoryUpper() }))

/** The same file on a directory of this machine and in a container: node:fs, a container, and where it is. */
function sides(t: TestContext): (readonly [typeof fs | ContainerFs, string])[] {
  const directory = scratchDir(t)
  fs.writeFileSync(join(directory, 'file'), 'content')
  return [
    [fs, join(directory, 'file')],
    [makeBox(), '/file'],
  ]
}

type Classes = Pick<typeof fs, 'ReadStream' | 'WriteStream'>
type Call = (this: unknown, ...given: unknown[]) => fs.ReadStream

test('a class of streams is called without new, and inherited from in both ways', async t => {
  for (const [side, path] of sides(t)) {
    const { ReadStream, WriteStream } = side as Classes
    class Newer extends ReadStream {
      readonly extra = 1
    }
    function Older(this: object, ...given: unknown[]) {
      ;(ReadStream as unknown as Call).apply(this, given)
    }
    inherits(Older, ReadStream)
    const made = [
      new Newer(path as never),
      new (Older as unknown as typeof ReadStream)(path as never),
      (ReadStream as unknown as Call)(path),
    ]
    for (const stream of made) {
      assert.ok(stream instanceof ReadStream && stream instanceof fs.ReadStream)
      assert.equal(String((await stream.toArray())[0]), 'content')
    }
    assert.equal((made[0] as Newer).extra, 1)
    assert.ok(made[0] instanceof Newer && made[1] instanceof Older && !(made[2] instanceof Newer))
    class Writer extends WriteStream {
      readonly extra = 1
    }
    const writer = new Writer(path as never)
    assert.equal(writer.end('written').extra, 1)
    await finished(writer)
    assert.equal(side.readFileSync(path, 'utf8'), 'written')
    assert.deepEqual([ReadStream.name, ReadStream.length], ['ReadStream', 2])
  }
})

/** Puts classes into node:fs whose streams open files of the host by themselves, as graceful-fs does. Gives what was opened. */
function patchNode(t: TestContext): string[] {
  const opened: string[] = []
  for (const name of ['ReadStream', 'WriteStream'] as const) {
    const before = Object.getOwnPropertyDescriptor(fs, name)!
    const Host = fs[name] as unknown as Call
    function Patched(this: object, ...given: unknown[]) {
      Host.apply(this, given)
    }
    const open = { value: ({ path }: { path: string }) => opened.push(path) }
    Patched.prototype = Object.create(Host.prototype, { open })
    Object.defineProperty(fs, name, { value: Patched, configurable: true, enumerable: true, writable: true })
    t.after(() => Object.defineProperty(fs, name, before))
  }
  return opened
}

test('a stream of a container opens its file there, whatever classes somebody has put into node:fs', async t => {
  const before = makeBox()
  const opened = patchNode(t)
  for (const box of [before, makeBox()]) {
    const [chunk] = await box.createReadStream('/file').toArray()
    assert.equal(String(chunk), 'content')
    const writing = box.createWriteStream('/new')
    await finished(writing.end('new'))
    assert.equal(box.readFileSync('/new', 'utf8'), 'new')
    const handle = await box.promises.open('/new')
    assert.equal(String((await handle.createReadStream().toArray())[0]), 'new')
  }
  assert.deepEqual(opened, [])
})
