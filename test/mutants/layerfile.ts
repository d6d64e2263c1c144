import type { Mutant } from './mutant.js'

const tree = 'test/layerfile/tree.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'a block is read without looking at its checksum',
    file: 'src/layerfile/block-reader.ts',
    find: 'if (!table.matches(block, checksums.xxh64(stored)))',
    replace: 'if (table.count < 0 && !table.matches(block, checksums.xxh64(stored)))',
    test: 'test/layerfile/corruption.test.ts',
  },
  {
    name: 'an absolute symlink is followed from where it stands',
    file: 'src/layerfile/tree-walk.ts',
    find: "if (target[0] === '') dir = this.#restart()",
    replace: "if (target[0] === '..') dir = this.#restart()",
    test: tree,
  },
  {
    name: 'an entry below a whiteout does not make the directory opaque',
    file: 'src/layerfile/tree-index.ts',
    find: 'else inodes.setFlag(inode, inodeFlags.opaque)',
    replace: 'else if ((mark & marks.opaque) !== 0) inodes.setFlag(inode, inodeFlags.opaque)',
    test: tree,
  },
  {
    name: 'a way is remembered although a name on it stands for something else now',
    file: 'src/layerfile/tree-builder.ts',
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
    name: 'a block of the chunk is not copied before the chunk is used again',
    file: 'src/layerfile/block-writer.ts',
    find: 'const inChunk = () => this.#pending.find(({ slab }) => slab === undefined)',
    replace: 'const inChunk = (): PendingBlock | undefined => undefined',
    test: 'test/layerfile/block-writer.test.ts',
  },
  {
    name: 'a hard link may replace its own target',
    file: 'src/layerfile/tree-builder.ts',
    find: 'this.names.inode[row] = absent\n    const target',
    replace: 'const target',
    test: tree,
  },
  {
    name: 'a whiteout removes a directory that has entries',
    file: 'src/layerfile/tree-index.ts',
    find: 'if (removed && inodes.solid[inode] === 0)',
    replace: 'if (removed)',
    test: tree,
  },
  {
    name: 'a slab is used again while a block of it waits to be written',
    file: 'src/layerfile/slabs.ts',
    find: 'if (--this.#users === 0)',
    replace: 'if (--this.#users <= 1)',
    test: 'test/layerfile/writer.test.ts',
  },
  {
    name: 'a late cut loses a byte',
    file: 'src/layerfile/block-cutter.ts',
    find: 'this.#gather(rest)',
    replace: 'this.#gather(rest.subarray(1))',
    test: 'test/layerfile/writer.test.ts',
  },
  {
    name: 'pool: borrowing takes a core that is in use',
    file: 'src/pool/cores.ts',
    find: 'if (inUse >= words[limitAt]!) return false',
    replace: 'if (inUse > words[limitAt]!) return false',
    test: 'test/pool/cores.test.ts',
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
    file: 'src/layerfile/block-reader.ts',
    find: '      await readAll(fd, stored, begin, path)\n',
    replace: '      cache.giveBack(memory)\n      await readAll(fd, stored, begin, path)\n',
    test: 'test/layerfile/reader.test.ts',
  },
]
