/** Refusals in every form, against what the kernel said when it was asked (`read-only-facts.ts`): P-48. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { createView } from '../../src/overlay/face/view.js'
import { layersOf, symlink } from '../build/memory-layer.js'
import { kernelCodes } from '../build/read-only-facts.js'
import { codesOf, links, outcomes } from '../build/read-only-operations.js'

const view = createView(
  layersOf(
    { dir: {}, low: 'low' },
    {
      dir: { sub: {}, x: 'x' },
      file: 'hi',
      ...Object.fromEntries(links.map(([name, target]) => [name, symlink(target)])),
    },
  ),
)

test('codes of every refusal, in every place', () => {
  assert.deepEqual(codesOf(outcomes(view as unknown as typeof fs, '')), kernelCodes)
})

const erofs = { code: 'EROFS', errno: -30 }

test('callbacks and promises refuse with the same errors', async () => {
  await assert.rejects(view.promises.writeFile('/file', 'x'), {
    ...erofs,
    syscall: 'open',
    path: '/file',
    message: "EROFS: read-only file system, open '/file'",
  })
  await assert.rejects(view.promises.rename('/file', '/new'), {
    ...erofs,
    syscall: 'rename',
    path: '/file',
    dest: '/new',
    message: "EROFS: read-only file system, rename '/file' -> '/new'",
  })
  await assert.rejects(view.promises.rename('/no/x', '/new'), { code: 'ENOENT' })
  await assert.rejects(view.promises.lchmod('/file', 0o644), erofs)
  await assert.rejects(view.promises.mkdtemp('/tmp-'), { ...erofs, path: '/tmp-XXXXXX' })
  const error = await new Promise<unknown>(resolve => view.mkdir('/new', resolve))
  assert.ok(error instanceof Error && 'code' in error && error.code === 'EROFS')
})

test('what changes nothing succeeds: mkdir -p of a directory, rm -f of nothing, fsync', async () => {
  assert.equal(view.mkdirSync('/dir/sub', { recursive: true }), undefined)
  assert.equal(view.mkdirSync('/dirlink', { recursive: true }), undefined)
  assert.throws(() => view.mkdirSync('/new/deep', { recursive: true }), erofs)
  assert.throws(() => view.mkdirSync('/file', { recursive: true }), { code: 'EEXIST' })
  view.rmSync('/nothing', { force: true })
  assert.throws(() => view.rmSync('/nothing'), { code: 'ENOENT', syscall: 'lstat' })
  assert.throws(() => view.rmSync('/file', { force: true }), { ...erofs, syscall: 'unlink' })
  assert.throws(() => view.rmSync('/dir'), { code: 'ERR_FS_EISDIR' })
  assert.throws(() => view.rmSync('/dir', { recursive: true, force: true }), { ...erofs, syscall: 'rmdir' })
  const fd = view.openSync('/file', 'r')
  view.fsyncSync(fd)
  view.closeSync(fd)
  assert.throws(() => view.fsyncSync(fd), { code: 'EBADF', syscall: 'fsync' })
})

test('copying: a missing source first, then the target', () => {
  assert.throws(() => view.copyFileSync('/nope', '/new'), { code: 'ENOENT', syscall: 'copyfile', dest: '/new' })
  assert.throws(() => view.copyFileSync('/file', '/new'), erofs)
  assert.throws(() => view.cpSync('/nope', '/new'), { code: 'ENOENT', syscall: 'lstat' })
  assert.throws(() => view.cpSync('/dir', '/new'), { code: 'ERR_FS_EISDIR' })
  assert.throws(() => view.cpSync('/dir', '/new', { recursive: true }), erofs)
})

test('misuse of refused functions is named as node:fs names it', () => {
  for (const name of [
    'renameSync',
    'linkSync',
    'symlinkSync',
    'copyFileSync',
    'mkdirSync',
    'unlinkSync',
    'chmodSync',
    'mkdtempSync',
  ] as const) {
    const ofTwo = ['renameSync', 'linkSync', 'symlinkSync', 'copyFileSync'].includes(name)
    for (const args of ofTwo ? [[], [5], ['/file', 5], ['nul\0', '/x']] : [[], [5], ['nul\0']]) {
      const error = (side: typeof fs) => {
        try {
          ;(side[name] as (...args: unknown[]) => unknown)(...args)
          return 'none'
        } catch (thrown) {
          return (thrown as Error).message
        }
      }
      // What it is not asked to do on the host, it cannot do there: these arguments never get as far
      assert.equal(error(view as unknown as typeof fs), error(fs), `${name} ${JSON.stringify(args)}`)
    }
  }
})

test('a write stream fails when it opens', async () => {
  const stream = view.createWriteStream('/new')
  const error = await new Promise<unknown>(resolve => stream.once('error', resolve))
  assert.ok(stream instanceof fs.WriteStream)
  assert.ok(error instanceof Error && 'code' in error && error.code === 'EROFS')
})

test('watchers take a path that is there, never fire, and close', async () => {
  const watcher = view.watch('/dir', () => assert.fail('nothing changes'))
  watcher.close()
  assert.throws(() => view.watch('/nope'), { code: 'ENOENT', syscall: 'watch' })
  view.watchFile('/nope', () => assert.fail('nothing changes')).unref()
  view.unwatchFile('/nope')
  const controller = new AbortController()
  const iterator = view.promises.watch('/dir', { signal: controller.signal })[Symbol.asyncIterator]()
  const next = iterator.next()
  controller.abort()
  await assert.rejects(next, { name: 'AbortError' })
})
