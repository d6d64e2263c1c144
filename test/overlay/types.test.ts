/** A View and a Container are accepted, without a cast, where libraries take node:fs or a part of it. Checked by the compiler; run to be counted. */
import assert from 'node:assert/strict'
import type fs from 'node:fs'
import { test } from 'node:test'
import type { FileSystemAdapter } from 'fast-glob'
import type { GlobOptions } from 'glob'
import type { CallbackFsClient, FsClient, PromiseFsClient } from 'isomorphic-git'
import type { RollupFsModule } from 'rollup'
import { type ContainerFs, createContainerFace } from '../../src/overlay/face/container-face.js'
import { createView, type View } from '../../src/overlay/face/view.js'
import { Union } from '../../src/overlay/union/union.js'
import { memoryUpper } from '../build/memory-upper.js'

type GlobFs = NonNullable<GlobOptions['fs']>

/** What a library demands of its `fs` takes what is given. */
type Takes<Demanded, Given> = [Given] extends [Demanded] ? true : false

type Reading = Pick<
  typeof fs,
  | 'stat'
  | 'statSync'
  | 'lstat'
  | 'lstatSync'
  | 'fstat'
  | 'fstatSync'
  | 'statfs'
  | 'statfsSync'
  | 'readdir'
  | 'readdirSync'
  | 'opendir'
  | 'opendirSync'
  | 'readlink'
  | 'readlinkSync'
  | 'realpath'
  | 'realpathSync'
  | 'access'
  | 'accessSync'
  | 'exists'
  | 'existsSync'
  | 'readFile'
  | 'readFileSync'
  | 'open'
  | 'openSync'
  | 'read'
  | 'readSync'
  | 'readv'
  | 'readvSync'
  | 'close'
  | 'closeSync'
  | 'createReadStream'
  | 'openAsBlob'
  | 'constants'
  | 'Stats'
  | 'Dirent'
  | 'Dir'
  | 'ReadStream'
  | 'promises'
>

test('a view is a node:fs to the compiler', async () => {
  const view = createView([])
  const walker: FileSystemAdapter = view
  const globbed: GlobFs = view
  const promised: PromiseFsClient = view
  const callbacks: CallbackFsClient = view
  const reading: Reading = view
  const whole: typeof fs = view
  assert.equal(walker.statSync, reading.statSync)
  assert.equal(globbed.readdirSync, reading.readdirSync as unknown)
  assert.equal(callbacks.readFile, reading.readFile)
  assert.equal(whole.promises, promised.promises as unknown)
  const closing: Promise<void> = view.close()
  await closing
})

/** What tar-fs calls; its types do not say. */
interface StreamFs {
  createReadStream: typeof fs.createReadStream
  createWriteStream: typeof fs.createWriteStream
  utimes: typeof fs.utimes
  lchown: typeof fs.lchown
  realpath: typeof fs.realpath
  link: typeof fs.link
}

test('a container is a node:fs to the compiler, and more', async () => {
  const box: ContainerFs = createContainerFace(new Union([], { upper: memoryUpper() }))
  const walker: FileSystemAdapter = box
  const globbed: GlobFs = box
  const promised: PromiseFsClient = box
  const callbacks: CallbackFsClient = box
  const either: FsClient = box
  const reading: Reading = box
  const streams: StreamFs = box
  const whole: typeof fs = box
  await promised.promises.writeFile('/file', 'x')
  await box.promises.setxattr('/file', 'user.a', 'b')
  box.mknodSync('/null', 0o020666, { major: 1, minor: 3 })
  assert.equal(String(box.getxattrSync('/file', 'user.a')), 'b')
  assert.equal(walker.statSync, reading.statSync)
  assert.equal(callbacks.writeFile, whole.writeFile)
  assert.equal(streams.lchown, whole.lchown)
  assert.equal(globbed.readlinkSync, either && whole.readlinkSync)
  await box.close()
  assert.throws(() => box.writeFileSync('/file', ''), { code: 'STORE_CLOSED' })
})

test('rollup takes the promises of a view and a container where it takes those of node:fs', () => {
  // Now it does not: its mkdir gives nothing, Node's a path
  const takesNodes: Takes<RollupFsModule, typeof fs.promises> = false
  const takesViews: Takes<RollupFsModule, View['promises']> = takesNodes
  const takesBoxes: Takes<RollupFsModule, ContainerFs['promises']> = takesNodes
  assert.deepEqual([takesViews, takesBoxes], [takesNodes, takesNodes])
})
