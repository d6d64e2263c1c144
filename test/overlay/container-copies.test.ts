/** cp, copyFile and names of a container where node:fs is no measure: bytes in names, links into the source, failures half way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createContainerFace } from '../../src/overlay/face/container-face.js'
import { Union, type UnionOptions } from '../../src/overlay/union/union.js'
import { layersOf, symlink } from '../build/memory-layer.js'
import { memoryUpper } from '../build/memory-upper.js'

function make(options: UnionOptions = {}) {
  const upper = memoryUpper()
  const layers = layersOf({ dir: { sub: { deep: 'D' }, a: 'A' }, into: symlink('dir/sub'), file: 'file' })
  const union = new Union(layers, { upper, label: 'box', ...options })
  return { upper, union, box: createContainerFace(union) }
}

test('a directory is not copied into itself through a symlink', async () => {
  const { box } = make()
  const into = { code: 'ERR_FS_CP_EINVAL', path: '/into/copy' }
  assert.throws(() => box.cpSync('/dir', '/into/copy', { recursive: true }), into)
  await assert.rejects(box.promises.cp('/dir', '/into/copy', { recursive: true }), into)
  assert.deepEqual(box.readdirSync('/dir/sub'), ['deep'])
})

test('names that are no text are copied as they are', () => {
  const { box } = make()
  const name = Buffer.from([0x2f, 0x64, 0x69, 0x72, 0x2f, 0xff, 0xfe])
  box.writeFileSync(name, 'bytes')
  box.cpSync('/dir', '/copy', { recursive: true })
  assert.deepEqual((box.readdirSync('/copy', 'buffer') as Buffer[]).at(-1), Buffer.from([0xff, 0xfe]))
})

test('a copy that fails at the bound leaves no new file, and its error is that of the copy', async () => {
  const { box } = make({ maxBytes: 10 })
  box.writeFileSync('/own', 'eightby.')
  const fails = { code: 'EDQUOT', syscall: 'copyfile', path: '/own', dest: '/new' }
  assert.throws(() => box.copyFileSync('/own', '/new'), fails)
  await assert.rejects(box.promises.copyFile('/own', '/new'), fails)
  assert.equal(box.existsSync('/new'), false)
})

test('a directory is no source of copyFile, and the target stays as it was', () => {
  const { box } = make()
  assert.throws(() => box.copyFileSync('/dir', '/file'), { code: 'EISDIR', syscall: 'copyfile' })
  assert.equal(box.readFileSync('/file', 'utf8'), 'file')
})

test('cp asks its filter, and waits for what it promises', async () => {
  const { box } = make()
  const asked: string[] = []
  const filter = async (from: string, to: string) => {
    asked.push(`${from} ${to}`)
    return !from.endsWith('/a')
  }
  await box.promises.cp('/dir', '/copy', { recursive: true, filter })
  assert.deepEqual(asked, ['/dir /copy', '/dir/a /copy/a', '/dir/sub /copy/sub', '/dir/sub/deep /copy/sub/deep'])
  assert.deepEqual(box.readdirSync('/copy'), ['sub'])
  assert.throws(() => box.cpSync('/dir', '/again', { recursive: true, filter: filter as never }), {
    code: 'ERR_INVALID_RETURN_VALUE',
  })
})

test('`.`, `..` and `/` are refused before anything is removed', () => {
  const { box } = make()
  const options = { recursive: true, force: true }
  assert.throws(() => box.rmSync('/', options), { code: 'EBUSY', syscall: 'rmdir', path: '/' })
  assert.throws(() => box.rmSync('/dir/.', options), { code: 'EINVAL' })
  assert.throws(() => box.rmSync('/dir/sub/..', options), { code: 'ENOTEMPTY' })
  assert.throws(() => box.rmSync('/into/', options), { code: 'ENOTDIR' })
  assert.equal(box.readFileSync('/into/deep', 'utf8'), 'D')
})

test('names that come and go take no memory for good: rows of stat are used again', () => {
  const { box, union } = make()
  box.statSync('/file')
  const before = union.tree.rows.words.length
  for (let at = 0; at < 2000; at++) {
    box.writeFileSync('/name', '')
    box.statSync('/name')
    box.unlinkSync('/name')
  }
  assert.equal(union.tree.rows.words.length, before)
})

test('lchmod changes what is no symlink', async () => {
  const { box } = make()
  await box.promises.lchmod('/file', 0o600)
  assert.equal(box.statSync('/file').mode & 0o777, 0o600)
  await assert.rejects(box.promises.lchmod('/into', 0o600), { code: 'EOPNOTSUPP', path: '/into' })
})
