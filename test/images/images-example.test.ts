/** examples/images.ts does what it says. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { compiledRoot } from '../build/repo.js'

test('the example of images runs', async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(compiledRoot, 'examples/images.js')])
  assert.equal(stderr, '')
  assert.deepEqual(stdout.trimEnd().split('\n'), [
    '-, out of nothing, 6 bytes',
    '["/hello"] {"team":"a"}',
    '0 without a name',
    '0 of other teams',
    ...['hello:v1', 'hello:v2', 'the image', 'its layer'],
    '6 bytes',
  ])
})
