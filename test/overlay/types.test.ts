/** A View is accepted, without a cast, where libraries take node:fs or a part of it. Checked by the compiler; run to be counted. */
import assert from 'node:assert/strict'
import type fs from 'node:fs'
import { test } from 'node:test'
import { createView } from '../../src/overlay/view.js'

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
