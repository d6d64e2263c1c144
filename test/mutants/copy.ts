import type { Mutant } from './mutant.js'

const copy = 'test/store/copy.test.ts'
const blocks = 'test/layerfile/copy-layer-file.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'a parent is told that is not copied',
    file: 'src/images/store-source.ts',
    find: '...(image.parent !== undefined && copied.has(image.parent) && { parent: image.parent }),',
    replace: '...(image.parent !== undefined && copied.size > 0 && { parent: image.parent }),',
    test: copy,
  },
  {
    name: 'the lease of the source is kept for good',
    file: 'src/images/store-source.ts',
    find: "if (leased.status === 'fulfilled') await leased.value?.[Symbol.asyncDispose]()",
    replace: '',
    test: copy,
  },
  {
    name: 'the limits of the target do not count for configs',
    file: 'src/images/copy-images.ts',
    find: 'new StoreSource(from, words, to.limits)',
    replace: 'new StoreSource(from, words, { ...to.limits, imageLayers: 1e6, jsonBytes: 1e9 })',
    test: copy,
  },
  {
    name: 'the target does not wait for a copy when it closes',
    file: 'src/store.ts',
    find: 'return to.#life.hold(operation)',
    replace: 'return operation',
    test: copy,
  },
  {
    name: 'blocks are copied without regard to how they should be compressed',
    file: 'workers/write-layer.ts',
    find: 'if (tar.compression !== compression) return undefined',
    replace: '',
    test: copy,
  },
  {
    name: 'a layer that is not the one is published under its name',
    file: 'src/images/copy-layer.ts',
    find: "if ('tar' in source) throw damaged(source.tar, facts)",
    replace: "if ('tar' in source) return",
    test: copy,
  },
  {
    name: 'blocks are read in groups without looking at their checksums',
    file: 'src/layerfile/block-contents.ts',
    find: '      const bytes = this.#verified(block, stored, begin)\n      if (table.isStored(block)) part.set(bytes)\n      else this',
    replace:
      '      const bytes = this.#bytesOf(block, stored, begin)\n      if (table.isStored(block)) part.set(bytes)\n      else this',
    test: 'test/layerfile/layer-tar.test.ts',
  },
  {
    name: 'what is in the blocks is not hashed',
    file: 'src/layerfile/copy-layer-file.ts',
    find: '    pass.hash(bytes)\n',
    replace: '',
    test: blocks,
  },
]
