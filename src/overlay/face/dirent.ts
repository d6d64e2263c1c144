/** Dirents of the running Node's own class, and the listing that readdir and opendir share. */
import fs from 'node:fs'
import type { ByteString } from '../../byte-string.js'
import { type Encoding, encoded } from '../union/arguments.js'
import type { Dentry, DentryTree } from '../union/dentry.js'
import { type FileType, fileTypeOf } from '../union/mode.js'

/** libuv's numbers, UV_DIRENT_FILE and so on. */
const direntType: Readonly<Record<FileType, number>> = {
  file: 1,
  directory: 2,
  symlink: 3,
  fifo: 4,
  socket: 5,
  char: 6,
  block: 7,
}

type MakeDirent = new (name: string | Buffer, type: number, parent: string) => fs.Dirent

export function direntOf(dentry: Dentry, parent: string, encoding: Encoding | null | undefined): fs.Dirent {
  const Dirent = fs.Dirent as unknown as MakeDirent
  return new Dirent(encoded(dentry.name, encoding), direntType[fileTypeOf(dentry.mode)], parent)
}

export interface Listed {
  readonly dentry: Dentry
  /** Path of the directory that holds it, below the one that is listed; empty for its own children. */
  readonly below: ByteString
}

/** Children of a directory; with `recursive` then those of its subdirectories, breadth first as node:fs does. Links are not followed. */
export function* listing(tree: DentryTree, directory: Dentry, recursive: boolean): Generator<Listed, void, void> {
  const queue: { readonly directory: Dentry; readonly below: ByteString }[] = [{ directory, below: '' as ByteString }]
  for (let at = 0; at < queue.length; at++) {
    const { directory, below } = queue[at]!
    for (const dentry of tree.children(directory)) {
      yield { dentry, below }
      if (recursive && dentry.directory !== undefined) {
        queue.push({ directory: dentry, below: (below === '' ? dentry.name : `${below}/${dentry.name}`) as ByteString })
      }
    }
  }
}
