/** examples/copy.ts does what it says. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { compiledRoot } from '../build/repo.js'

test('the example of a copy runs', async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(compiledRoot, 'examples/copy.js')])
  assert.equal(stderr, '')
  assert.equal(stdout, 'copied hello:v1 to packed\n1 layer, the same image: true\nhello\n')
})
