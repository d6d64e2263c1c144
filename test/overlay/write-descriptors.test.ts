/** Descriptors, handles and streams that write: the same scripts on a plain directory and on a container of the same tree. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { after, test } from 'node:test'
import { createView } from '../../src/overlay/face/view.js'
import { type Fs, failure, parityTree } from '../build/parity.js'
import { dump, outcomeOf, pair } from '../build/write-parity.js'

const roots: string[] = []
after(() => {
  for (const root of roots) fs.rmSync(root, { recursive: true, force: true })
})

type Script = (side: Fs, prefix: string) => unknown

/** What the script gives, and the tree that it leaves, are equal. */
async function sameOnBoth(script: Script): Promise<void> {
  const { twin: _, ...tree } = parityTree
  const { root, box } = pair(tree)
  roots.push(root)
  const ours = await script(box as unknown as Fs, '')
  const theirs = await script(fs, root)
  assert.deepEqual(ours, theirs)
  assert.deepEqual(dump(box as unknown as Fs, ''), dump(fs, root))
}

function attempt(prefix: string, run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return failure(error, prefix === '' ? '\0' : prefix)
  }
}

const { O_APPEND, O_CREAT, O_RDWR, O_TRUNC, O_WRONLY } = fs.constants

test('write: buffers, texts, options, positions, and misuse', () =>
  sameOnBoth((side, prefix) => {
    const fd = side.openSync(`${prefix}/file`, 'r+')
    const write = (...args: unknown[]) =>
      attempt(prefix, () => (side.writeSync as (...args: unknown[]) => number)(fd, ...args))
    const log = [
      write('ab'),
      write(Buffer.from('cdef'), 1, 2),
      write(Buffer.from('cdef'), 1),
      write(new Uint16Array([0x6767]), 0, 2, 10),
      write(Buffer.from('xyz'), { offset: 1, length: 1, position: 20 }),
      write(Buffer.from('xyz'), { offset: 2 }),
      write(Buffer.from('xyz'), null, null, null),
      write('at', 30),
      write('ff00', 40, 'hex'),
      write('ü', null, 'latin1'),
      write('far', 60),
      write(''),
      write(Buffer.alloc(0)),
      write(Buffer.from('neg'), 0, 3, -1),
      write(Buffer.from('big'), 0, 3, 5n),
      write(Buffer.from('abc'), 4),
      write(Buffer.from('abc'), 0, 4),
      write(Buffer.from('abc'), -1),
      write(Buffer.from('abc'), 0, -1),
      write(Buffer.from('abc'), 'x'),
      write(5),
      write({}),
      write('abc', 0, 'no-such-encoding'),
      write('abc', 0, 'hex'),
      attempt(prefix, () => side.writevSync(fd, [Buffer.from('one'), new Uint8Array([0x21])])),
      attempt(prefix, () => side.writevSync(fd, [Buffer.from('two')], 3)),
      attempt(prefix, () => side.writevSync(fd, [])),
      attempt(prefix, () => side.writevSync(fd, 'x' as never)),
      attempt(prefix, () => side.ftruncateSync(fd, 100)),
      attempt(prefix, () => side.ftruncateSync(fd, 'x' as never)),
      attempt(prefix, () => side.fchmodSync(fd, 0o600)),
      attempt(prefix, () => side.futimesSync(fd, 1_000_000_001, 1_000_000_002)),
      attempt(prefix, () => side.fchownSync(fd, -1, -1)),
      attempt(prefix, () => side.writeFileSync(fd, 'where it is')),
      attempt(prefix, () => side.fsyncSync(fd)),
      side.fstatSync(fd).size,
    ]
    side.closeSync(fd)
    log.push(
      write('closed'),
      attempt(prefix, () => side.fchmodSync(fd, 0)),
    )
    return log
  }))

test('flags say what a descriptor may do', () =>
  sameOnBoth((side, prefix) => {
    const buffer = Buffer.alloc(4)
    return [
      ...['r', 'r+', 'w', 'w+', 'a', 'a+', 'rs+', 'as', 'xw'],
      O_WRONLY,
      O_RDWR | O_APPEND,
      O_TRUNC,
      O_CREAT | O_WRONLY,
    ].map(flags => {
      const name = flags === 'xw' ? '/fresh' : '/file'
      side.writeFileSync(`${prefix}/file`, 'some content')
      const fd = side.openSync(`${prefix}${name}`, flags)
      const log = [
        flags,
        attempt(prefix, () => side.writeSync(fd, 'abc')),
        attempt(prefix, () => side.readSync(fd, buffer)),
        attempt(prefix, () => side.writeSync(fd, 'at', 1)),
        attempt(prefix, () => side.readSync(fd, buffer, 0, 4, 0)),
        attempt(prefix, () => side.readvSync(fd, [buffer], 0)),
        attempt(prefix, () => side.ftruncateSync(fd, 6)),
        attempt(prefix, () => side.appendFileSync(fd, 'more')),
        attempt(prefix, () => side.readFileSync(fd, 'latin1')),
        side.fstatSync(fd).size,
      ]
      side.closeSync(fd)
      return [log, side.readFileSync(`${prefix}${name}`, 'latin1')]
    })
  }))

test('a hole is zeros', () =>
  sameOnBoth((side, prefix) => {
    side.writeFileSync(`${prefix}/hole`, '')
    const fd = side.openSync(`${prefix}/hole`, 'w+')
    side.writeSync(fd, 'end', 10_000)
    side.ftruncateSync(fd, 10_001)
    side.ftruncateSync(fd, 20_000)
    const content = side.readFileSync(fd)
    side.closeSync(fd)
    return [content.length, content.findIndex(byte => byte !== 0), content.subarray(10_001).every(byte => byte === 0)]
  }))

test('P-71: open files go on after unlink, rename, replacement and removal of their directory', () =>
  sameOnBoth((side, prefix) => {
    const at = (path: string) => `${prefix}${path}`
    const below = side.openSync(at('/file'), 'r')
    const above = side.openSync(at('/file'), 'r+')
    side.writeSync(above, 'changed')
    side.unlinkSync(at('/file'))
    side.writeFileSync(at('/file'), 'another')
    side.writeSync(above, ' further')
    const log: unknown[] = [side.readFileSync(below, 'utf8'), side.fstatSync(above).nlink]
    side.fchmodSync(above, 0o600)
    log.push(side.fstatSync(below).mode, side.readFileSync(at('/file'), 'utf8'))
    const moved = side.openSync(at('/dir/a'), 'a+')
    side.renameSync(at('/dir'), at('/elsewhere'))
    side.writeSync(moved, '+')
    log.push(side.readFileSync(at('/elsewhere/a'), 'utf8'))
    side.renameSync(at('/file'), at('/elsewhere/a'))
    side.writeSync(moved, '-')
    side.rmSync(at('/elsewhere'), { recursive: true })
    side.writeSync(moved, '!')
    const buffer = Buffer.alloc(10)
    log.push(side.readSync(moved, buffer, 0, 10, 0), buffer.toString(), side.fstatSync(moved).nlink)
    for (const fd of [below, above, moved]) side.closeSync(fd)
    return log
  }))

test('P-71: a file of a layer that lost its name while it was open for reading does not come back when it is changed', async () => {
  const { root, box, union, upper } = pair(parityTree)
  roots.push(root)
  const fd = box.openSync('/file', 'r')
  const deep = await box.promises.open('/dir/sub/deep')
  box.unlinkSync('/file')
  box.rmSync('/dir', { recursive: true })
  box.fchmodSync(fd, 0o600)
  await deep.utimes(1, 2)
  assert.equal(box.fstatSync(fd).mode & 0o777, 0o600)
  assert.equal((await deep.stat()).mtimeMs, 2000)
  assert.equal(await deep.readFile('utf8'), 'D')
  // Nor is it there for who opens the upper anew
  for (const side of [box, createView([...union.lowers].reverse(), { upper })]) {
    assert.equal(side.existsSync('/file'), false)
    assert.equal(side.existsSync('/dir'), false)
  }
  box.closeSync(fd)
  await deep.close()
})

test('P-71: an open directory tells each name once at most, and each that was there all the time', () => {
  const { root, box } = pair(parityTree)
  roots.push(root)
  for (const side of [box as unknown as Fs, fs]) {
    const at = `${side === fs ? root : ''}/listed`
    side.mkdirSync(at)
    for (let n = 0; n < 40; n++) side.writeFileSync(`${at}/f${n}`, '')
    const directory = side.opendirSync(at)
    const seen = [directory.readSync()!.name]
    for (let n = 0; n < 40; n += 2) side.unlinkSync(`${at}/f${n}`)
    for (let n = 1; n < 40; n += 4) side.renameSync(`${at}/f${n}`, `${at}/g${n}`)
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) seen.push(entry.name)
    directory.closeSync()
    assert.equal(new Set(seen).size, seen.length)
    for (let n = 3; n < 40; n += 4) assert.ok(seen.includes(`f${n}`), `f${n}`)
    side.rmSync(at, { recursive: true })
  }
})

test('FileHandle: everything that changes', () =>
  sameOnBoth(async (side, prefix) => {
    const outcome = (run: () => unknown) => outcomeOf(prefix, run)
    const handle = await side.promises.open(`${prefix}/made`, 'w+', 0o640)
    const log = [
      await outcome(() => handle.write('text')),
      await outcome(() => handle.write(Buffer.from('bytes'), 1, 3, 10)),
      await outcome(() => handle.write(Buffer.from('bytes'), { offset: 2 } as never)),
      await outcome(() => handle.writev([Buffer.from('a'), Buffer.from('b')])),
      await outcome(() => handle.writeFile('whole')),
      await outcome(() => handle.appendFile(Buffer.from('appended'))),
      await outcome(() => handle.writeFile(Readable.from(['x', Buffer.from('y')]) as never)),
      await outcome(() => handle.truncate(30)),
      await outcome(() => handle.chmod(0o600)),
      await outcome(() => handle.chown(-1, -1)),
      await outcome(() => handle.utimes(1_000_000_001, 1_000_000_002)),
      await outcome(() => handle.sync()),
      await outcome(() => handle.datasync()),
      await outcome(() => handle.write(5 as never)),
      await outcome(() => handle.writeFile(5 as never)),
      await outcome(() => side.promises.writeFile(handle, 'by the function')),
      await outcome(() => side.promises.appendFile(handle, '!')),
      await outcome(() => handle.stat()),
    ]
    await handle.close()
    const stream = (await side.promises.open(`${prefix}/streamed`, 'w')).createWriteStream()
    await pipeline(Readable.from(['one', 'two']), stream)
    const reader = await side.promises.open(`${prefix}/made`)
    log.push(await outcome(() => reader.write('x')), await outcome(() => reader.truncate()))
    await reader.close()
    log.push(await outcome(() => reader.write('x')))
    return log
  }))

test('promises.writeFile takes iterables, streams and flags', () =>
  sameOnBoth(async (side, prefix) => {
    const { writeFile, appendFile } = side.promises
    await writeFile(`${prefix}/array`, ['a', 'b'])
    await writeFile(`${prefix}/stream`, Readable.from([Buffer.from('s'), 't']), { mode: 0o600 })
    await appendFile(`${prefix}/stream`, 'more', { flush: true } as object)
    async function* chunks() {
      yield 'c3'
      yield 'a4'
    }
    await writeFile(`${prefix}/encoded`, chunks(), 'hex')
    const failing = async function* () {
      yield 'first'
      throw new Error('no more')
    }
    return [
      await outcomeOf(prefix, () => writeFile(`${prefix}/failing`, failing())),
      await outcomeOf(prefix, () => writeFile(`${prefix}/nope/x`, ['a'])),
      await outcomeOf(prefix, () => writeFile(`${prefix}/new`, [1] as never)),
    ]
  }))

test('write streams: flags, start, encodings, errors', () =>
  sameOnBoth(async (side, prefix) => {
    const write = (path: string, options: object | string | undefined, ...chunks: unknown[]) =>
      outcomeOf(prefix, async () => {
        const stream = side.createWriteStream(`${prefix}${path}`, options as object)
        await pipeline(Readable.from(chunks), stream)
        return stream.bytesWritten
      })
    return [
      await write('/stream', undefined, 'some', Buffer.from('thing')),
      await write('/file', { flags: 'r+', start: 5 }, 'XYZ'),
      await write('/file', { flags: 'a', encoding: 'utf8' }, 'end'),
      await write('/exclusive', { flags: 'wx', mode: 0o600, flush: true }, 'x'),
      await write('/exclusive', { flags: 'wx' }, 'x'),
      await write('/dir', undefined, 'x'),
      await write('/nope/x', undefined, 'x'),
      await write('/many', { highWaterMark: 2 }, ...Array.from({ length: 50 }, (_, at) => `${at} `)),
    ]
  }))

test('mkdtemp makes a directory that only its owner may look into', () =>
  sameOnBoth(async (side, prefix) => {
    const made = [
      side.mkdtempSync(`${prefix}/tmp-`),
      await side.promises.mkdtemp(`${prefix}/tmp-`),
      side.mkdtempSync(`${prefix}/tmp-`, 'buffer').toString(),
    ]
    const modes = made.map(path => side.statSync(path).mode)
    for (const path of made) {
      assert.match(path, /\/tmp-[A-Za-z0-9]{6}$/)
      side.rmdirSync(path)
    }
    return [modes, new Set(made).size, attempt(prefix, () => side.mkdtempSync(`${prefix}/nope/x-`))]
  }))
