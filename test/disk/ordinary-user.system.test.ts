/** What root's permissions would hide: the tests of disk and layers once more, as an ordinary user. Needs root. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { compiledRoot } from '../build/repo.js'

const nobody = 65534

for (const native of ['1', '0']) {
  test(`as an ordinary user, PHYLLO_NATIVE=${native}`, t => {
    const folder = mkdtempSync(join(tmpdir(), 'phyllo-nobody-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    chownSync(folder, nobody, nobody)
    const files = ['disk', 'layers'].flatMap(room => {
      const directory = join(compiledRoot, 'test', room)
      return readdirSync(directory).map(name => join(directory, name))
    })
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--test', ...files.filter(file => /(?<!system|interleavings)\.test\.js$/.test(file))],
      {
        uid: nobody,
        gid: nobody,
        encoding: 'utf8',
        env: { ...environment, TMPDIR: folder, HOME: folder, PHYLLO_NATIVE: native },
      },
    )
    assert.equal(status, 0, stdout + stderr)
  })
}
