/** watch, watchFile and promises.watch of a container: what inotify tells node:fs of the same changes, and when it stops. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type Fs, parityTree } from '../build/parity.js'
import { pair } from '../build/write-parity.js'

const roots: string[] = []
after(() => {
  for (const root of roots) fs.rmSync(root, { recursive: true, force: true })
})

function fresh() {
  const made = pair(parityTree)
  roots.push(made.root)
  return made
}

type Change = (side: Fs, at: (path: string) => string) => void

/** Each alone: what node:fs tells of it is what its watcher got until a mark that was made after it. */
const changes: Record<string, Change> = {
  'a new file': (side, at) => side.writeFileSync(at('/dir/new'), 'x'),
  'an empty new file': (side, at) => side.writeFileSync(at('/dir/new'), ''),
  'a new directory': (side, at) => side.mkdirSync(at('/dir/new')),
  'a removed file': (side, at) => side.unlinkSync(at('/dir/a')),
  'a removed directory': (side, at) => side.rmdirSync(at('/dir/none')),
  'a rename within': (side, at) => side.renameSync(at('/dir/a'), at('/dir/c')),
  'a rename out': (side, at) => side.renameSync(at('/dir/a'), at('/c')),
  'a rename into': (side, at) => side.renameSync(at('/file'), at('/dir/c')),
  'a mode': (side, at) => side.chmodSync(at('/dir/a'), 0o600),
  times: (side, at) => side.utimesSync(at('/dir/a'), 1, 1),
  'more content': (side, at) => side.appendFileSync(at('/dir/a'), 'x'),
  'a truncation': (side, at) => side.truncateSync(at('/dir/a'), 0),
  'a link': (side, at) => side.linkSync(at('/file'), at('/dir/hard')),
  'a symlink': (side, at) => side.symlinkSync('x', at('/dir/soft')),
  'something below': (side, at) => side.writeFileSync(at('/dir/sub/new'), 'x'),
}

/** The events of a watcher until its mark comes. */
async function eventsOf(side: Fs, prefix: string, watched: string, change: Change): Promise<string[]> {
  const at = (path: string) => `${prefix}${path}`
  const events: string[] = []
  let seen: () => void = () => undefined
  const marked = new Promise<void>(resolve => (seen = resolve))
  const watcher = side.watch(at(watched), (type, name) => {
    if (name === 'mark') seen()
    else events.push(`${type} ${String(name)}`)
  })
  change(side, at)
  side.mkdirSync(at(`${watched}/mark`))
  await marked
  watcher.close()
  return events
}

for (const [name, change] of Object.entries(changes)) {
  test(`watch of a directory tells as inotify does: ${name}`, async () => {
    const { root, box } = fresh()
    assert.deepEqual(await eventsOf(box as unknown as Fs, '', '/dir', change), await eventsOf(fs, root, '/dir', change))
  })
}

test('watch of a file: its own changes under its own name', async () => {
  const { box } = fresh()
  const events: unknown[] = []
  const watcher = box.watch('/file', (type, name) => void events.push([type, name]))
  box.appendFileSync('/file', 'x')
  box.appendFileSync('/file', 'x')
  assert.deepEqual(events, [])
  await new Promise(setImmediate)
  assert.deepEqual(events, [['change', 'file']])
  box.unlinkSync('/file')
  await new Promise(setImmediate)
  assert.deepEqual(events.at(-1), ['rename', 'file'])
  watcher.close()
  await new Promise(resolve => watcher.once('close', resolve))
  box.writeFileSync('/file', 'x')
  await new Promise(setImmediate)
  assert.equal(events.length, 2)
})

test('watch: recursive gives paths, encoding buffers, and a signal ends it', async () => {
  const { box } = fresh()
  const controller = new AbortController()
  const events: unknown[] = []
  const watcher = box.watch('/', { recursive: true, encoding: 'buffer', signal: controller.signal }, (type, name) => {
    events.push([type, String(name), Buffer.isBuffer(name)])
  })
  box.mkdirSync('/dir/sub/new')
  await new Promise(setImmediate)
  assert.deepEqual(events, [['rename', 'dir/sub/new', true]])
  const closed = new Promise(resolve => watcher.once('close', resolve))
  controller.abort()
  await closed
  box.mkdirSync('/dir/sub/newer')
  await new Promise(setImmediate)
  assert.equal(events.length, 1)
})

test('promises.watch gives the events, and ends with an AbortError', async () => {
  const { box } = fresh()
  const controller = new AbortController()
  const events: unknown[] = []
  const watching = (async () => {
    for await (const { eventType, filename } of box.promises.watch('/dir', { signal: controller.signal })) {
      events.push([eventType, filename])
      if (events.length === 2) controller.abort()
    }
  })()
  box.writeFileSync('/dir/new', 'x')
  await assert.rejects(watching, { name: 'AbortError' })
  assert.deepEqual(events, [
    ['rename', 'new'],
    ['change', 'new'],
  ])
})

test('watchFile tells the stats before and after, and of what is not there zeros once', async () => {
  const { box } = fresh()
  const told: number[][] = []
  box.watchFile('/watched', (now, before) => void told.push([now.size, before.size, now.nlink, before.nlink]))
  await new Promise(setImmediate)
  box.writeFileSync('/watched', 'four')
  await new Promise(setImmediate)
  box.writeFileSync('/other', 'x')
  await new Promise(setImmediate)
  box.unlinkSync('/watched')
  await new Promise(setImmediate)
  box.unwatchFile('/watched')
  box.writeFileSync('/watched', 'x')
  await wait(1)
  assert.deepEqual(told, [
    [0, 0, 0, 0],
    [4, 0, 1, 0],
    [0, 4, 0, 1],
  ])
})
