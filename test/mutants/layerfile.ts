import type { Mutant } from './mutant.js'

const tree = 'test/layerfile/tree.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'a block is read without looking at its checksum',
    file: 'src/layerfile/block-contents.ts',
    find: 'if (!table.matches(block, checksums.xxh64(stored)))',
    replace: 'if (table.count < 0 && !table.matches(block, checksums.xxh64(stored)))',
    test: 'test/layerfile/corruption.test.ts',
  },
  {
    name: 'an absolute symlink is followed from where it stands',
    file: 'src/tar/tree/tree-walk.ts',
    find: "if (target[0] === '') dir = this.#restart()",
    replace: "if (target[0] === '..') dir = this.#restart()",
    test: tree,
  },
  {
    name: 'an entry below a whiteout does not make the directory opaque',
    file: 'src/tar/tree/settle-marks.ts',
    find: 'else inodes.setFlag(inode, inodeFlags.opaque)',
    replace: 'else if ((mark & marks.opaque) !== 0) inodes.setFlag(inode, inodeFlags.opaque)',
    test: tree,
  },
  {
    name: 'a way is remembered although a name on it stands for something else now',
    file: 'src/tar/tree/tree-builder.ts',
    find: 'this.#ways.forget()',
    replace: '',
    test: tree,
  },
  {
    name: 'an inode that lost its name is counted',
    file: 'src/layerfile/tree-index.ts',
    find: 'if (replaced || removed)',
    replace: 'if (removed)',
    test: tree,
  },
  {
    name: 'a block of the chunk is not written before the chunk is used again',
    file: 'src/layerfile/block-writer.ts',
    find: 'letGoOfChunk(): void {\n    this.#writeHere()',
    replace: 'letGoOfChunk(): void {\n',
    test: 'test/layerfile/block-writer.test.ts',
  },
  {
    name: 'a hard link may replace its own target',
    file: 'src/tar/tree/tree-builder.ts',
    find: 'this.names.inode[row] = absent\n    const target',
    replace: 'const target',
    test: tree,
  },
  {
    name: 'a whiteout removes a directory that has entries',
    file: 'src/tar/tree/settle-marks.ts',
    find: 'if (removed && inodes.solid[inode] === 0)',
    replace: 'if (removed)',
    test: tree,
  },
  {
    name: 'a slab is used again while a block of it waits to be written',
    file: 'src/layerfile/slabs.ts',
    find: 'if (--this.#users === 0)',
    replace: 'if (--this.#users <= 1)',
    test: 'test/layerfile/slabs.test.ts',
  },
  {
    name: 'a late cut loses a byte',
    file: 'src/layerfile/block-cutter.ts',
    find: 'this.#gather(rest)',
    replace: 'this.#gather(rest.subarray(1))',
    test: 'test/layerfile/writer.test.ts',
  },
  {
    name: 'a helper that is dead is waited for',
    file: 'src/layerfile/block-writer.ts',
    find: '      this.#doWithout(ring)\n',
    replace: '      this.#collect()\n',
    test: 'test/layerfile/block-writer.test.ts',
  },
  {
    name: 'a block is compressed here before those in the ring are written',
    file: 'src/layerfile/block-writer.ts',
    find: '} else if (this.#inRing.length > 0) return false',
    replace: '} else if (this.#inRing.length > 1000) return false',
    test: 'test/layerfile/block-writer.test.ts',
  },
  {
    name: 'an outcome counts as soon as it is known, so that the file depends on the helpers',
    file: 'src/layerfile/trials.ts',
    find: 'while (this.#open.length >= lag) {',
    replace: 'while (this.#open.length >= lag || this.#open[0]?.stored !== undefined) {',
    test: 'test/layerfile/block-writer.test.ts',
  },
  {
    name: 'a part leaves out the block that begins with it',
    file: 'src/layerfile/block-table.ts',
    find: 'return this.contentOffset(block) < offset ? block + 1 : block',
    replace: 'return this.contentOffset(block) <= offset ? block + 1 : block',
    test: 'test/layerfile/layer-tar.test.ts',
  },
  {
    name: 'memory of one group is given to the next while it is read',
    file: 'src/layerfile/block-contents.ts',
    find: '      await readAll(fd, stored, begin, path)\n',
    replace: '      cache.giveBack(memory)\n      await readAll(fd, stored, begin, path)\n',
    test: 'test/layerfile/reader.test.ts',
  },
  {
    name: 'a content that was handed out is kept for others, too',
    file: 'src/layerfile/block-reader.ts',
    find: 'return this.#contents.oneSync(block, cache.handedOut).subarray(skip, skip + length)',
    replace: `{
        const whole = this.#contents.oneSync(block, cache.handedOut)
        cache.set(block, whole)
        return whole.subarray(skip, skip + length)
      }`,
    test: 'test/layerfile/whole-contents.test.ts',
  },
  {
    name: 'a content is handed out of the block that is kept',
    file: 'src/layerfile/block-reader.ts',
    find: 'const into = cache.handedOut.take(length)',
    replace: 'const into = most ? cache.get(block)!.subarray(skip, skip + length) : cache.handedOut.take(length)',
    test: 'test/layerfile/whole-contents.test.ts',
  },
  {
    name: 'a block that is used again stays where it was in the order of use',
    file: 'src/layerfile/block-cache.ts',
    find: '    if (kept.newer !== this.#end) {',
    replace: '    if (kept.newer === this.#end) {',
    test: 'test/layerfile/whole-contents.test.ts',
  },
]
