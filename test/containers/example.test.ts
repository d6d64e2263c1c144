/** examples/container.ts does what it says. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { compiledRoot } from '../build/repo.js'

test('the example of a container runs', async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(compiledRoot, 'examples/container.js')])
  assert.equal(stderr, '')
  assert.deepEqual(stdout.split('\n').slice(0, 5), [
    'committed app:v1 1 layer',
    'C /srv',
    'D /srv/app',
    'A /srv/old',
    'A /srv/old/index.js',
  ])
})
