/** `phyllo copy`: where to, what it says, and what it refuses. */
import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { fileScratch, linesOf, runPhyllo } from '../build/cli.js'
import { archiveOf, imageIdOf, layerTar, legacyArchive, type MadeImage } from '../build/image.js'
import { published } from '../build/store.js'

const scratch = fileScratch()
const [root, to] = [join(scratch, 'from'), join(scratch, 'to')]
const first: MadeImage = { layers: [layerTar({ a: '1\n' })], tags: ['first:v1', 'first:v2'] }
const unnamed: MadeImage = { layers: [layerTar({ u: '3' })] }

before(async () => {
  writeFileSync(join(scratch, 'images.tar'), archiveOf(legacyArchive([first, unnamed])))
  await linesOf(['load', '-q', '-i', join(scratch, 'images.tar')], { root })
})

test('copy makes the other store, and says what it copied', async () => {
  const untouched = published(root)
  const { status, stdout, stderr } = await runPhyllo(['copy', '--to', to, 'first'], { root })
  assert.deepEqual([status, stdout], [0, 'Copied image: first:v1\nCopied image: first:v2\n'], stderr)
  assert.match(stderr, /^[0-9a-f]{12}: Loaded layer\n$/)
  assert.deepEqual(published(root), untouched)
  assert.deepEqual(await linesOf(['cat', 'first:v2', '/a'], { root: to }), ['1'])
  assert.deepEqual(await linesOf(['image', 'copy', '-q', '--to', to, imageIdOf(unnamed)], { root }), [
    `Copied image ID: ${imageIdOf(unnamed)}`,
  ])
})

test('copy --format json says ids, tags and cost, and nothing else', async () => {
  const words = ['copy', '--to', join(scratch, 'json'), '--compression', 'none', '--format', 'json', 'first:v1']
  const { stdout, stderr } = await runPhyllo(words, { root })
  assert.equal(stderr, '')
  const { images, tags, report } = JSON.parse(stdout)
  assert.deepEqual([images, tags], [[imageIdOf(first)], ['first:v1']])
  assert.ok(report.bytesRead > 0 && report.bytesWritten > 0)
})

test('copy refuses in one line: no target, no such driver, another driver than the store has, no such image', async () => {
  for (const [words, status, said] of [
    [['first'], 2, /^phyllo: copy: say where to, by --to DIR\n$/],
    [['--to', to], 2, /^phyllo: copy takes at least 1 argument\./],
    [['--to', to, '--to-driver', 'vfs', 'first'], 2, /^phyllo: copy: --to-driver is packed or overlay2, not vfs\n$/],
    [['--to', to, '--to-driver', 'overlay2', 'first'], 1, /^phyllo: DRIVER_MISMATCH: [^\n]*\n$/],
    [['--to', join(scratch, 'none'), 'nope'], 1, /^phyllo: IMAGE_NOT_FOUND: No such image: nope:latest\n$/],
  ] as const) {
    const ran = await runPhyllo(['copy', '-q', ...words], { root })
    assert.deepEqual([ran.status, ran.stdout], [status, ''], ran.stderr)
    assert.match(ran.stderr, said)
  }
  assert.ok(!existsSync(join(scratch, 'vfs')))
})
