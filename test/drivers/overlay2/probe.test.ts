/** What any user sees of the probe; what root sees is in probe.system.test.ts. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { probeOverlay2, probeOverlay2Reading, seesTrusted } from '../../../src/drivers/overlay2/probe.js'
import { loadSystemCalls } from '../../../src/native/load-system-calls.js'
import { onPlatform } from '../../build/on-platform.js'

const folder = mkdtempSync(join(tmpdir(), 'phyllo-probe-'))
after(() => rmSync(folder, { recursive: true }))
const calls = await loadSystemCalls()
const onLinux = process.platform === 'linux'

test('another system lacks Linux, and nothing else is asked', () => {
  onPlatform('darwin', () => {
    assert.deepEqual(probeOverlay2(join(folder, 'none'), undefined), { missing: ['Linux (this is darwin)'] })
    assert.deepEqual(probeOverlay2Reading(undefined), { missing: ['Linux (this is darwin)'] })
  })
})

test('without koffi it says so, for writing and for reading', () => {
  if (!onLinux) return
  for (const { missing } of [probeOverlay2(folder, undefined), probeOverlay2Reading(undefined)])
    assert.equal(missing.filter(words => words.includes('koffi')).length, 1)
})

test('who is not root is told so; nothing stays behind', () => {
  if (!onLinux) return
  const { missing } = probeOverlay2(folder, calls)
  const about = (word: string) => missing.some(words => words.startsWith(word))
  const user = process.geteuid?.()
  if (user !== 0) assert.ok(missing.includes(`root (this process runs as user ${user})`))
  if (user !== 0 && calls !== undefined) assert.ok(about('device nodes') && about('trusted.*') && about('owners'))
  assert.equal(about('types in directory entries'), false)
  assert.deepEqual(readdirSync(folder), [])
})

test('a place whose path overlay mounts cannot be told', () => {
  if (!onLinux) return
  for (const [name, separator] of [
    ['a:b', ':'],
    ['a,b', ','],
    ['a\\b', '\\'],
  ] as const) {
    const place = join(folder, name)
    mkdirSync(place)
    const { missing } = probeOverlay2(place, calls)
    assert.equal(missing.filter(words => words.startsWith(`a path without "${separator}"`)).length, 1, name)
    rmSync(place, { recursive: true })
  }
})

test('a directory that is not there is a phrase, not an error', () => {
  if (!onLinux) return
  const { missing } = probeOverlay2(join(folder, 'none'), calls)
  assert.ok(missing.includes('a directory to write to (ENOENT)'))
})

test('trusted xattrs are seen with CAP_SYS_ADMIN in the initial user namespace', () => {
  const status = (effective: string) =>
    `Name:\tnode\nCapInh:\t000001ffffffffff\nCapEff:\t${effective}\nCapBnd:\t000001ffffffffff\n`
  const initial = 'user:[4026531837]'
  // capabilities(7): CAP_SYS_ADMIN is number 21; docker run gives 00000000a80425fb.
  assert.equal(seesTrusted(status('000001ffffffffff'), initial), true)
  assert.equal(seesTrusted(status('0000000000200000'), initial), true)
  assert.equal(seesTrusted(status('000001ffffdfffff'), initial), false)
  assert.equal(seesTrusted(status('00000000a80425fb'), initial), false)
  assert.equal(seesTrusted(status('0000000000000000'), initial), false)
  assert.equal(seesTrusted(status('000001ffffffffff'), 'user:[4026532208]'), false)
  assert.equal(seesTrusted('Name:\tnode\n', initial), false)
})
