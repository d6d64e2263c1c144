/** config.json of one user, written by root. */
import assert from 'node:assert/strict'
import { chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { DockerConfig } from '../../src/registry/docker-config.js'

test('a config.json that root writes stays whose it was', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'phyllo-docker-'))
  t.after(() => rm(folder, { recursive: true }))
  const path = join(folder, 'config.json')
  await writeFile(path, '{}', { mode: 0o640 })
  await chown(path, 1234, 1235)
  await new DockerConfig({ folder, environment: {} }).set('a', {
    kind: 'password',
    username: 'alice',
    password: 'secret',
  })
  const { uid, gid, mode } = await stat(path)
  assert.deepEqual([uid, gid, mode & 0o777], [1234, 1235, 0o640])
})
