/** A View and a Container are accepted, without a cast, where libraries take node:fs or a part of it. Checked by the compiler; run to be counted. */
import assert from 'node:assert/strict'
import type fs from 'node:fs'
import { test } from 'node:test'
import { type ContainerFs, createContainerFace } from '../../src/overlay/face/container-face.js'
import { createView } from '../../src/overlay/face/view.js'
import { Union } from '../../src/overlay/union/union.js'
import { memoryUpper } from '../build/memory-upper.js'

/** What takes an `fs` option asks for (fast-glob, glob, isomorphic-git, memfs and the like, in their own words). */
interface WalkerFs {
  lstat: typeof fs.lstat
  stat: typeof fs.stat
  lstatSync: typeof fs.lstatSync
  statSync: typeof fs.statSync
  readdir: typeof fs.readdir
  readdirSync: typeof fs.readdirSync
}

interface PromiseFs {
  readonly promises: {
    readFile(path: string, options?: { encoding?: BufferEncoding } | BufferEncoding): Promise<string | Buffer>
    writeFile(file: string, data: string | Uint8Array): Promise<void>
    mkdir(path: string): Promise<unknown>
    readdir(path: string): Promise<string[]>
    stat(path: string): Promise<{ isFile(): boolean }>
  }
}

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
  const walker: WalkerFs = view
  const promised: PromiseFs = view
  const reading: Reading = view
  const whole: typeof fs = view
  assert.equal(walker.statSync, reading.statSync)
  assert.equal(whole.promises, promised.promises as unknown)
  const closing: Promise<void> = view.close()
  await closing
})

/** What writes into an `fs` asks for: callback clients (isomorphic-git) and the functions that memfs and tar-fs take. */
interface CallbackFs {
  readFile: typeof fs.readFile
  writeFile: typeof fs.writeFile
  mkdir: typeof fs.mkdir
  rmdir: typeof fs.rmdir
  unlink: typeof fs.unlink
  stat: typeof fs.stat
  lstat: typeof fs.lstat
  readdir: typeof fs.readdir
  readlink: typeof fs.readlink
  symlink: typeof fs.symlink
  chmod: typeof fs.chmod
}

interface StreamFs {
  createReadStream: typeof fs.createReadStream
  createWriteStream: typeof fs.createWriteStream
  utimes: typeof fs.utimes
  link: typeof fs.link
  watch: typeof fs.watch
}

test('a container is a node:fs to the compiler, and more', async () => {
  const box: ContainerFs = createContainerFace(new Union([], { upper: memoryUpper() }))
  const walker: WalkerFs = box
  const promised: PromiseFs = box
  const reading: Reading = box
  const callbacks: CallbackFs = box
  const streams: StreamFs = box
  const whole: typeof fs = box
  await promised.promises.writeFile('/file', 'x')
  await box.promises.setxattr('/file', 'user.a', 'b')
  box.mknodSync('/null', 0o020666, { major: 1, minor: 3 })
  assert.equal(String(box.getxattrSync('/file', 'user.a')), 'b')
  assert.equal(walker.statSync, reading.statSync)
  assert.equal(callbacks.writeFile, whole.writeFile)
  assert.equal(streams.watch, whole.watch)
  await box.close()
  assert.throws(() => box.writeFileSync('/file', ''), { code: 'STORE_CLOSED' })
})
