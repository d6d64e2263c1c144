import assert from 'node:assert/strict'
import { existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openRoot } from '../../src/disk/open-root.js'
import { PhylloError } from '../../src/errors.js'
import { type ImageId, sha256Digest } from '../../src/oci/digest.js'
import { type Call, newRoot, watchedIo } from '../build/stores.js'

const image = sha256Digest<ImageId>('config')

async function watchedRoot(t: TestContext, durability: 'full' | 'none') {
  const calls: string[] = []
  let before = (_call: Call): void => undefined
  const io = watchedIo(call => {
    calls.push(`${call.operation} ${call.path}`)
    before(call)
  })
  const root = await openRoot(newRoot(t), { durability, io })
  await root.sweep()
  t.after(() => root.close())
  calls.length = 0
  return { root, calls, onCall: (hook: typeof before) => (before = hook) }
}

test('content is flushed before it gets its name, and the directory after', async t => {
  const { root, calls } = await watchedRoot(t, 'full')
  const final = root.paths.imageConfig(image)
  assert.equal(await root.publishBytes(final, 'config', 0o600), true)
  const staged = calls[0]!.split(' ')[1]!
  assert.deepEqual(calls, [
    `writeNew ${staged}`,
    `chmod ${staged}`,
    `sync ${staged}`,
    `link ${final}`,
    `sync ${root.paths.imageConfigs}`,
    `unlink ${staged}`,
  ])
  assert.equal(lstatSync(final).mode & 0o7777, 0o600)
})

test('who is second keeps what is there, drops its own, and flushes what it relies on', async t => {
  const { root, calls } = await watchedRoot(t, 'full')
  const final = root.paths.imageConfig(image)
  await root.publishBytes(final, 'first', 0o600)
  const { ino } = lstatSync(final)
  calls.length = 0
  assert.equal(await root.publishBytes(final, 'second', 0o600), false)
  assert.equal(readFileSync(final, 'utf8'), 'first')
  assert.equal(lstatSync(final).ino, ino)
  assert.deepEqual(calls.slice(-2), [`sync ${final}`, `sync ${root.paths.imageConfigs}`])
  assert.deepEqual(await root.io.readdir(root.paths.stages), [])
})

test('durability none never calls fsync', async t => {
  const { root, calls } = await watchedRoot(t, 'none')
  await root.publishBytes(root.paths.imageConfig(image), 'config', 0o600)
  await root.replaceFile(root.paths.repositories, '{}', 0o600)
  const stage = await root.stage()
  await root.publishDirectory(stage.path, join(root.paths.layers, 'x'))
  assert.deepEqual(
    calls.filter(call => call.startsWith('sync')),
    [],
  )
})

test('a directory is published once; an empty one in its place is replaced', async t => {
  const { root } = await watchedRoot(t, 'full')
  const final = join(root.paths.layers, 'x')
  mkdirSync(final)
  for (const [text, first] of [
    ['first', true],
    ['second', false],
  ] as const) {
    const stage = await root.stage()
    await root.writeStaged(stage.file('diff'), text, 0o644)
    assert.equal(await root.publishDirectory(stage.path, final), first)
    assert.equal(existsSync(stage.path), false)
  }
  assert.equal(readFileSync(join(final, 'diff'), 'utf8'), 'first')
  assert.equal(lstatSync(join(final, 'diff')).mode & 0o7777, 0o644)
  assert.deepEqual(await root.io.readdir(root.paths.trash), [])
})

test('each stage is somebody’s own: what one drops is not another’s', async t => {
  const { root } = await watchedRoot(t, 'none')
  await using kept = await root.stage()
  {
    await using dropped = await root.stage()
    await root.writeStaged(dropped.file('half'), 'x', 0o644)
  }
  await root.writeStaged(kept.file('half'), 'y', 0o644)
  assert.deepEqual(await root.io.readdir(kept.path), ['half'])
})

test('replaceFile flushes the bytes, renames, flushes the directory', async t => {
  const { root, calls } = await watchedRoot(t, 'full')
  const final = root.paths.repositories
  writeFileSync(final, 'old')
  await root.replaceFile(final, 'new', 0o600)
  assert.equal(readFileSync(final, 'utf8'), 'new')
  assert.equal(lstatSync(final).mode & 0o7777, 0o600)
  assert.deepEqual(calls.slice(1), [`rename ${final}`, `sync ${root.paths.image}`])
})

test('directories that are made when first needed get their modes', async t => {
  const { root } = await watchedRoot(t, 'full')
  await root.replaceFile(join(root.paths.imageMetadata(image), 'parent'), image, 0o600)
  assert.equal(lstatSync(root.paths.imageMetadata(image)).mode & 0o7777, 0o700)
  await root.replaceFile(join(root.paths.mount('0'.repeat(64)), 'mount-id'), 'x', 0o644)
  assert.equal(lstatSync(root.paths.mount('0'.repeat(64))).mode & 0o7777, 0o755)
})

const errno = (operation: string, path: string, code: string) =>
  new PhylloError('STORE_IO', `${operation} ${path}: ${code}`, { operation, path, errno: code })

test('without hard links a rename under the root lock does the same', async t => {
  const { root, calls, onCall } = await watchedRoot(t, 'full')
  onCall(({ operation, path }) => {
    if (operation === 'link') throw errno(operation, path, 'EPERM')
  })
  const final = root.paths.imageConfig(image)
  assert.equal(await root.publishBytes(final, 'first', 0o600), true)
  assert.ok(calls.indexOf(`openLock ${root.paths.lock}`) < calls.indexOf(`rename ${final}`))
  const both = [root.publishBytes(final, 'second', 0o600), root.publishBytes(final, 'third', 0o600)]
  assert.deepEqual(await Promise.all(both), [false, false])
  assert.equal(readFileSync(final, 'utf8'), 'first')
  assert.deepEqual(await root.io.readdir(root.paths.stages), [])
})

for (const operation of ['writeNew', 'sync', 'link', 'rename'] as const) {
  for (const code of ['ENOSPC', 'EIO', 'EDQUOT', 'EROFS']) {
    test(`${code} of ${operation} leaves the store as it was`, async t => {
      const { root, onCall } = await watchedRoot(t, 'full')
      await root.replaceFile(root.paths.repositories, 'old', 0o600)
      onCall(call => {
        if (call.operation === operation) throw errno(operation, call.path, code)
      })
      const work = () =>
        operation === 'rename'
          ? root.replaceFile(root.paths.repositories, 'new', 0o600)
          : root.publishBytes(root.paths.imageConfig(image), 'config', 0o600)
      await assert.rejects(work, { code: 'STORE_IO', errno: code, operation })
      assert.equal(readFileSync(root.paths.repositories, 'utf8'), 'old')
      assert.equal(existsSync(root.paths.imageConfig(image)), false)
      assert.deepEqual(await root.io.readdir(root.paths.stages), [])
      onCall(() => undefined)
      await work()
    })
  }
}

test('a system call that fails says which, where and why', async t => {
  const { root } = await watchedRoot(t, 'none')
  const missing = join(root.paths.root, 'no/such/file')
  await assert.rejects(root.io.readFile(missing, 10), (error: PhylloError) => {
    assert.deepEqual([error.code, error.operation, error.path, error.errno], ['STORE_IO', 'read', missing, 'ENOENT'])
    assert.equal((error.cause as NodeJS.ErrnoException).syscall, 'open')
    return true
  })
})

test('metadata is never read through a symlink', async t => {
  const { root } = await watchedRoot(t, 'none')
  const { symlinkSync } = await import('node:fs')
  symlinkSync('/etc/passwd', root.paths.repositories)
  await assert.rejects(root.io.readFile(root.paths.repositories, 1 << 20), { code: 'STORE_IO', errno: 'ELOOP' })
})
