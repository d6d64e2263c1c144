/** Layers mounted by the kernel: directories made by hand as the driver has them, and the tree that the kernel shows. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { mountLayers, unmountLayers } from '../../../src/drivers/overlay2/mount.js'
import { PhylloError } from '../../../src/errors.js'

interface Made {
  readonly home: string
  readonly cacheIds: string[]
  readonly target: string
}

/** Layers with these files, topmost first, below a directory of this name. A content of undefined is a whiteout. */
function made(t: TestContext, layers: readonly Readonly<Record<string, string | undefined>>[], name = 'r'): Made {
  const folder = mkdtempSync('/dev/shm/pm-')
  t.after(() => {
    // What a test that failed has left mounted
    if (readFileSync('/proc/mounts', 'utf8').includes(` ${join(folder, 'target')} `))
      execFileSync('umount', [join(folder, 'target')])
    rmSync(folder, { recursive: true, force: true })
  })
  const home = join(folder, name, 'overlay2')
  mkdirSync(join(home, 'l'), { recursive: true })
  const cacheIds = layers.map((files, index) => {
    const id = index.toString(16).padStart(64, '0')
    const diff = join(home, id, 'diff')
    mkdirSync(diff, { recursive: true })
    const link = index.toString(36).toUpperCase().padStart(26, 'A')
    writeFileSync(join(home, id, 'link'), link)
    symlinkSync(`../${id}/diff`, join(home, 'l', link))
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(join(diff, path, '..'), { recursive: true })
      if (content === undefined) execFileSync('mknod', [join(diff, path), 'c', '0', '0'])
      else writeFileSync(join(diff, path), content)
    }
    return id
  })
  const target = join(folder, 'target')
  mkdirSync(target)
  return { home, cacheIds, target }
}

async function withMounted({ home, cacheIds, target }: Made, look: () => void): Promise<void> {
  const scratch = () => readdirSync(tmpdir()).filter(name => name.startsWith('pm-'))
  const before = scratch()
  await mountLayers({ home, cacheIds }, target)
  assert.deepEqual(scratch(), before, 'nothing of the call is left')
  look()
  const options = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .filter(line => line.split(' ')[1] === target)
  assert.equal(options.length, 1)
  assert.match(options[0]!, /^phyllo:[0-9a-f]{64} \S+ overlay ro,nosuid,nodev/)
  assert.throws(() => writeFileSync(join(target, 'new'), ''), { code: 'EROFS' })
  await unmountLayers(target)
  assert.deepEqual(readdirSync(target), [])
}

test('three layers: what is on top, and no whiteouts', async t => {
  const layers = made(t, [
    { 'a/top': '3', gone: undefined },
    { 'a/both': '2', gone: 'x' },
    { 'a/both': '1', base: 'b' },
  ])
  await withMounted(layers, () => {
    assert.deepEqual(readdirSync(layers.target).sort(), ['a', 'base'])
    assert.deepEqual(readdirSync(join(layers.target, 'a')).sort(), ['both', 'top'])
    assert.equal(readFileSync(join(layers.target, 'a/both'), 'utf8'), '2')
  })
})

test('a base layer alone', async t => {
  const layers = made(t, [{ 'd/file': 'content', other: '' }])
  await withMounted(layers, () => {
    assert.deepEqual(readdirSync(layers.target).sort(), ['d', 'other'])
    assert.equal(readFileSync(join(layers.target, 'd/file'), 'utf8'), 'content')
  })
})

for (const [what, name] of [
  ['more than a page of paths', 'n'.repeat(200)],
  ['paths that mean something among options', 'a,b:c\\d'],
] as const)
  test(`125 layers, ${what}`, async t => {
    const layers = made(
      t,
      Array.from({ length: 125 }, (_, i) => ({ [`f${i}`]: `${i}`, same: `${i}` })),
      name,
    )
    await withMounted(layers, () => {
      assert.equal(readdirSync(layers.target).length, 126)
      assert.equal(readFileSync(join(layers.target, 'same'), 'utf8'), '0')
      assert.equal(readFileSync(join(layers.target, 'f124'), 'utf8'), '124')
    })
  })

test('a redirect in a layer is not followed', async t => {
  const layers = made(t, [{ 'moved/x': '' }, { 'secret/key': 'k' }])
  const moved = join(layers.home, layers.cacheIds[0]!, 'diff/moved')
  execFileSync('setfattr', ['-n', 'trusted.overlay.redirect', '-v', '/secret', moved])
  await withMounted(layers, () => assert.throws(() => readFileSync(join(layers.target, 'moved/key'))))
})

test('more layers than the kernel takes paths for, no directory, what others have mounted: typed errors', async t => {
  const layers = made(t, [{ a: '' }, { b: '' }])
  const many = { home: layers.home, cacheIds: Array.from({ length: 600 }, () => layers.cacheIds[0]!) }
  await assert.rejects(mountLayers(many, layers.target), { code: 'LIMIT_EXCEEDED' })
  const absent = (error: unknown) =>
    error instanceof PhylloError && error.code === 'MOUNT_FAILED' && error.errno === 'ENOENT'
  await assert.rejects(mountLayers(layers, join(layers.target, 'absent')), absent)
  await assert.rejects(unmountLayers(layers.target), { code: 'MOUNT_FAILED' })
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', layers.target])
  try {
    await assert.rejects(unmountLayers(layers.target), { code: 'MOUNT_FAILED' })
  } finally {
    execFileSync('umount', [layers.target])
  }
})
