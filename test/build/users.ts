/** What libraries that take an `fs` are given to work on: a store with one image, and trees that are in it and on this machine. */
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Store } from '../../src/index.js'
import { blobArchive } from './image.js'
import { archiveFile, scratchDir, scratchStore } from './store.js'
import { file, symlink, tar } from './tar.js'

/** By path. A string is a file, `link` a symlink. */
export type Files = Readonly<Record<string, string | { readonly link: string }>>

/** A store with `image:v1`, made of these layers, base first. It has no threads, which would take longer to start than to work. */
export async function storeWithImage(t: TestContext, layers: readonly Buffer[]): Promise<Store> {
  const store = await scratchStore(t, { workers: 0 })
  await store.load(archiveFile(t, blobArchive([{ layers, tags: ['image:v1'] }])))
  return store
}

/** A layer that has them in `/app`. */
export function layerOf(files: Files): Buffer {
  const entries = Object.entries(files).map(([path, what]) =>
    typeof what === 'string' ? file(`app/${path}`, what) : symlink(`app/${path}`, what.link),
  )
  return tar(entries)
}

/** A directory of this machine that has them, until the test ends. */
export function directoryOf(t: TestContext, files: Files): string {
  const root = realpathSync(scratchDir(t))
  for (const [path, what] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    if (typeof what === 'string') writeFileSync(join(root, path), what)
    else symlinkSync(what.link, join(root, path))
  }
  return root
}
