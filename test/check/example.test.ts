/** examples/check.ts does what it says. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { compiledRoot } from '../build/repo.js'

test('the example of a check and a repair runs', async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(compiledRoot, 'examples/check.js')])
  assert.equal(stderr, '')
  assert.equal(stdout, 'found: layer-content of hello:v1\nhealed: 1 left: 0\nhello, hello, hello\n')
})
