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
  journal: { untold: ['cut'], depth: 'structure', notInArchive: true },
  segment: { depth: 'full', notInArchive: true },
  'large content': { untold: ['flip'], depth: 'structure', notInArchive: true },
  container: { untold: ['delete'], notInArchive: true },
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
