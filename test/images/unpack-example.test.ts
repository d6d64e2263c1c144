/** examples/unpack.ts does what it says. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { compiledRoot } from '../build/repo.js'

test('the example of unpack runs', async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(compiledRoot, 'examples/unpack.js')])
  assert.equal(stderr, '')
  const missing = process.geteuid?.() === 0 ? [] : ['owners 4 / /etc /etc/motd /motd']
  assert.deepEqual(stdout.trimEnd().split('\n'), ['3 names; motd says hello', ...missing])
})
