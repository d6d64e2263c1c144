/**
 * P-44: a slash behind a name, for every call and every kind of what is there: what this machine's own kernel says of a plain
 * directory, and where that is Linux the table that was measured on it.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, test } from 'node:test'
import { createContainerFace } from '../../src/overlay/face/container-face.js'
import { scratch } from '../build/commit-run.js'
import { memoryUpper } from '../build/memory-upper.js'
import { layerOf, rootOf, unionOf } from '../build/union-run.js'
import type { TreeNodes } from '../build/union-sequence.js'

type Fs = Pick<typeof fs, 'openSync' | 'closeSync' | 'unlinkSync' | 'lstatSync' | 'statSync' | 'truncateSync'> &
  Pick<typeof fs, 'renameSync' | 'mkdirSync' | 'symlinkSync' | 'linkSync' | 'rmdirSync' | 'readlinkSync'> &
  Pick<typeof fs, 'chmodSync' | 'lchownSync' | 'utimesSync' | 'lutimesSync' | 'readdirSync' | 'accessSync'>

const file = { t: 'f', mode: 0o644, data: 'x' } as const
const tree: TreeNodes = {
  file,
  dir: { t: 'd', mode: 0o755, children: {} },
  toDir: { t: 'l', target: 'dir' },
  toFile: { t: 'l', target: 'file' },
  dangling: { t: 'l', target: 'nowhere' },
  other: file,
  otherDir: { t: 'd', mode: 0o755, children: {} },
}

const calls: Readonly<Record<string, (side: Fs, path: string, at: string) => unknown>> = {
  open: (side, path) => side.closeSync(side.openSync(path, 'r')),
  'open for writing': (side, path) => side.closeSync(side.openSync(path, 'r+')),
  creat: (side, path) => side.closeSync(side.openSync(path, 'w')),
  'creat, exclusive': (side, path) => side.closeSync(side.openSync(path, 'wx')),
  unlink: (side, path) => side.unlinkSync(path),
  rmdir: (side, path) => side.rmdirSync(path),
  lstat: (side, path) => void side.lstatSync(path),
  stat: (side, path) => void side.statSync(path),
  access: (side, path) => side.accessSync(path),
  truncate: (side, path) => side.truncateSync(path, 0),
  readlink: (side, path) => side.readlinkSync(path),
  readdir: (side, path) => side.readdirSync(path),
  mkdir: (side, path) => side.mkdirSync(path),
  symlink: (side, path) => side.symlinkSync('t', path),
  'link to': (side, path, at) => side.linkSync(`${at}/other`, path),
  'link from': (side, path, at) => side.linkSync(path, `${at}/made`),
  'rename from': (side, path, at) => side.renameSync(path, `${at}/made`),
  'rename of a file to': (side, path, at) => side.renameSync(`${at}/other`, path),
  'rename of a directory to': (side, path, at) => side.renameSync(`${at}/otherDir`, path),
  chmod: (side, path) => side.chmodSync(path, 0o700),
  utimes: (side, path) => side.utimesSync(path, 1, 2),
  lutimes: (side, path) => side.lutimesSync(path, 1, 2),
}

/** facts: 1.16. */
const measured: readonly (readonly [call: string, name: string, code: string])[] = [
  ...['open', 'unlink', 'lstat', 'truncate', 'rename from'].map(call => [call, 'file', 'ENOTDIR'] as const),
  ['rename of a file to', 'file', 'ENOTDIR'],
  ['creat', 'file', 'EISDIR'],
  ['creat', 'new', 'EISDIR'],
  ['mkdir', 'new', 'ok'],
  ['mkdir', 'file', 'EEXIST'],
  ['mkdir', 'dangling', 'EEXIST'],
  ['symlink', 'new', 'ENOENT'],
  ['link to', 'new', 'ENOENT'],
  ['rmdir', 'toDir', 'ENOTDIR'],
  ['rename from', 'toDir', 'ENOTDIR'],
  ['readlink', 'toDir', 'EINVAL'],
  ['readlink', 'toFile', 'ENOTDIR'],
  ['chmod', 'dir', 'ok'],
]

const roots: string[] = []
after(() => {
  for (const root of roots) fs.rmSync(root, { recursive: true })
})

function plain(): string {
  const root = scratch('phyllo-slashes-')
  roots.push(root)
  for (const [name, { t, target }] of Object.entries(tree)) {
    if (t === 'd') fs.mkdirSync(`${root}/${name}`)
    else if (t === 'l') fs.symlinkSync(target!, `${root}/${name}`)
    else fs.writeFileSync(`${root}/${name}`, 'x')
  }
  return root
}

function codeOf(run: () => unknown): string {
  try {
    run()
    return 'ok'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code!
  }
}

/** A container of a layer with the tree, or one that made it all itself. */
function container(where: 'below' | 'above'): Fs {
  const layers = where === 'below' ? [layerOf(tree)] : []
  const box = createContainerFace(unionOf(layers, memoryUpper(rootOf()), { directoryRename: 'copy' }))
  if (where === 'above')
    for (const [name, { t, target }] of Object.entries(tree)) {
      if (t === 'd') box.mkdirSync(`/${name}`)
      else if (t === 'l') box.symlinkSync(target!, `/${name}`)
      else box.writeFileSync(`/${name}`, 'x')
    }
  return box as unknown as Fs
}

for (const [call, run] of Object.entries(calls))
  test(`P-44: ${call} with a slash behind`, () => {
    for (const name of ['file', 'dir', 'toDir', 'toFile', 'dangling', 'new']) {
      const root = plain()
      const kernels = codeOf(() => run(fs, `${root}/${name}/`, root))
      for (const where of ['below', 'above'] as const)
        assert.equal(
          codeOf(() => run(container(where), `/${name}/`, '')),
          kernels,
          `${name}, ${where}`,
        )
      const row = measured.find(([each, of]) => each === call && of === name)
      if (row !== undefined && process.platform === 'linux') assert.equal(kernels, row[2], name)
    }
  })
