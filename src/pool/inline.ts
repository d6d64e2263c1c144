/**
 * The jobs as modules, for `workers: 0`. Named one by one, so that a bundler takes them along: then a bundled program
 * without threads needs no file beside it.
 */
import type { JobName } from './jobs.js'
import type { JobAnswer, JobMessage } from './wire.js'

export interface JobModule<K extends JobName> {
  default(message: JobMessage<K>): Promise<JobAnswer<K>>
}

export const jobModules: { readonly [K in JobName]: () => Promise<JobModule<K>> } = {
  'write-layer': () => import('../../workers/write-layer.js'),
  'unpack-layer': () => import('../../workers/unpack-layer.js'),
  'commit-layer': () => import('../../workers/commit-layer.js'),
  'commit-directory': () => import('../../workers/commit-directory.js'),
  'compress-blocks': () => import('../../workers/compress-blocks.js'),
  'gzip-layer': () => import('../../workers/gzip-layer.js'),
  'write-tree': () => import('../../workers/write-tree.js'),
  'check-content': () => import('../../workers/check-content.js'),
  'count-split': () => import('../../workers/count-split.js'),
  'check-blob': () => import('../../workers/check-blob.js'),
  'rebuild-layer': () => import('../../workers/rebuild-layer.js'),
  'place-layers': () => import('../../workers/place-layers.js'),
}
