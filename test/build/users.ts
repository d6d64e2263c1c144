/** What libraries that take an `fs` are given to work on: a store with one image. */
import type { TestContext } from 'node:test'
import type { Store } from '../../src/index.js'
import { blobArchive } from './image.js'
import { archiveFile, scratchStore } from './store.js'

/** A store with `image:v1`, made of these layers, base first. It has no threads, which would take longer to start than to work. */
export async function storeWithImage(t: TestContext, layers: readonly Buffer[]): Promise<Store> {
  const store = await scratchStore(t, { workers: 0 })
  await store.load(archiveFile(t, blobArchive([{ layers, tags: ['image:v1'] }])))
  return store
}
