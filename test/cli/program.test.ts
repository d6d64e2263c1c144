/**
 * The program itself, as it is shipped, in a process of its own: most tests of commands run within theirs. Signals and
 * archives whose reader leaves: load-save.test.ts; text whose reader leaves: ls-cat.test.ts.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { appArchive, motd } from '../build/app-archive.js'
import { ended, fileScratch, program, runPhyllo, runProcess, startPhyllo, storeWith } from '../build/cli.js'
import { layerTar, legacyArchive } from '../build/image.js'
import { compiledRoot } from '../build/repo.js'

const scratch = fileScratch()
const root = join(scratch, 'store')

before(() => storeWith(root, [legacyArchive([{ layers: [layerTar({ a: 'one' })], tags: ['one:v1'] }])]))

test('it is the bundle wherever one was built', () =>
  assert.equal(/[\\/]bundle[\\/]/.test(program), existsSync(join(compiledRoot, 'bundle'))))

test('what is piped in is loaded, and what is loaded comes out', async () => {
  const own = join(scratch, 'piped')
  const loaded = await runProcess(['load', '-q'], { root: own, input: appArchive() })
  assert.deepEqual([loaded.status, loaded.stdout, loaded.stderr], [0, 'Loaded image: app:v1\n', ''])
  const shown = await runProcess(['cat', 'app:v1', '/etc/motd'], { root: own })
  assert.deepEqual([shown.status, shown.stdout, shown.stderr], [0, motd, ''])
})

/** As it runs in a process, and within this one. */
for (const [name, words, status] of [
  ['done', ['images', '--no-trunc'], 0],
  ['of help', ['help'], 0],
  ['failed', ['inspect', 'nope'], 1],
  ['failed twice', ['history', 'A b'], 1],
  ['words that are wrong', ['images', '--nope'], 2],
  ['no such command', ['frobnicate'], 2],
] as const)
  test(`exit status ${status}: ${name}; the same as within the process`, async () => {
    const [outer, within] = [await runProcess(words, { root }), await runPhyllo(words, { root })]
    assert.equal(outer.status, status)
    assert.deepEqual(outer, within)
  })

test('nobody reads what it says on standard error: the exit status stands', async () => {
  const child = startPhyllo(['images', '--nope'], { root })
  child.stderr!.destroy()
  // Not 1, which a program that dies of it has, too
  assert.equal((await ended(child)).status, 2)
})
