/** Rot of every class of files of a store of driver packed: found, never shown, healed. More of it, and overlay2: rot.system.test.ts. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { filesByClass, findingsOf } from '../build/rot.js'
import type { Bounds } from '../build/rot-store.js'
import { rotTests } from '../build/rot-tests.js'

/** Why some damage is not told: docs/check.md. */
const decided: Readonly<Record<string, Bounds>> = {
  'store.json': {},
  lock: { untold: ['delete'] },
  reserve: { untold: ['flip', 'cut', 'delete'] },
  repositories: { untold: ['flip', 'delete'] },
  config: {},
  'image parent': { untold: ['delete'], shownAsItIs: true },
  'image time': { untold: ['flip', 'cut', 'delete'] },
  diff: {},
  size: { depth: 'structure' },
  'cache-id': {},
  parent: {},
  'mount-id': {},
  'mount parent': {},
  'layer file': { depth: 'full' },
  // One that ends where a frame does, or within its last one, is that of a container that ended sooner
  journal: { untold: ['cut'], depth: 'structure', notInArchive: true, read: journalChanges },
  segment: { depth: 'full', notInArchive: true },
  'large content': { untold: ['flip'], depth: 'structure', notInArchive: true },
  container: { untold: ['delete'], notInArchive: true },
}

/**
 * The frames of a journal up to the last that holds changes (docs/container.md): the one behind it is empty, says how much is on the
 * disk, and counts for nothing when it is damaged.
 */
function journalChanges(bytes: Buffer): Buffer {
  let end = 32
  for (let at = end; at + 32 <= bytes.length && bytes.toString('latin1', at + 8, at + 12) === 'PhUF'; ) {
    const payloadBytes = bytes.readUInt32LE(at + 12)
    at += 32 + payloadBytes
    if (payloadBytes > 0 && at <= bytes.length) end = at
  }
  return bytes.subarray(0, end)
}

const store = rotTests({
  driver: 'packed',
  decided,
  choose: (told, random) => told.slice(Math.floor(random() * told.length)).slice(0, 1),
})

test('a class of files that nobody has decided on is told', () => {
  const strange = join(store().scratch, 'strange/phyllo')
  mkdirSync(strange, { recursive: true })
  writeFileSync(join(strange, 'new.json'), '{}')
  assert.throws(() => filesByClass(join(store().scratch, 'strange')), /nobody has decided/)
})

test('every byte of a layer file counts: a bit of each part of it', async () => {
  const [place] = store().classes.get('layer file')!
  const bytes = readFileSync(join(store().root, place!))
  const footer = bytes.subarray(-496)
  const [index, frame] = [Number(footer.readBigUInt64LE(64)), Number(footer.readBigUInt64LE(80))]
  const last = bytes.length - 1
  // Magic, flags, content size, header check; length word; end mark; header of the index and its padding; sections; the footer
  for (const at of [
    0,
    4,
    6,
    14,
    15,
    20,
    frame - 1,
    frame,
    frame + 5,
    index - 1,
    index,
    index + 30,
    last - 495,
    last - 100,
    last,
  ]) {
    const found = await findingsOf(store().damaged(place!, { bit: at * 8 + 3 }))
    assert.ok(Array.isArray(found) && found.some(({ path }) => path.endsWith(place!)), `byte ${at}`)
  }
})

test('rot: a damaged mark at the end of a journal is none; a bit of any frame with changes is told', async () => {
  const [place] = store().classes.get('journal')!
  const bytes = readFileSync(join(store().root, place!))
  const end = journalChanges(bytes).length
  assert.equal(bytes.length - end, 32)
  for (const at of [end, end + 13, bytes.length - 1])
    assert.deepEqual(await findingsOf(store().damaged(place!, { bit: 8 * at }), 'full'), [], `byte ${at}`)
  for (const at of [32, 40, 45, 50, 60, end - 1])
    assert.notDeepEqual(await findingsOf(store().damaged(place!, { bit: 8 * at }), 'structure'), [], `byte ${at}`)
})
