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
    name: 'a hard link may replace its own target',
    file: 'src/layerfile/tree-builder.ts',
    find: 'this.names.inode[row] = absent\n    const target',
    replace: 'const target',
    test: tree,
  },
  {
    name: 'a whiteout removes a directory that has entries',
    file: 'src/layerfile/tree-index.ts',
    find: 'if (removed && !inodes.hasFlag(inode, solidFlag))',
    replace: 'if (removed)',
    test: tree,
  },
  {
    name: 'a slab is used again while a block of it waits to be written',
    file: 'src/layerfile/slabs.ts',
    find: 'slab.users++',
    replace: 'slab.users += 0',
    test: 'test/layerfile/writer.test.ts',
  },
  {
    name: 'a late cut loses a byte',
    file: 'src/layerfile/block-cutter.ts',
    find: 'this.#append(rest, 0, rest.length)',
    replace: 'this.#append(rest, 1, rest.length)',
    test: 'test/layerfile/writer.test.ts',
  },
  {
    name: 'pool: borrowing takes a core that is in use',
    file: 'src/pool/cores.ts',
    find: 'if (inUse >= words[limitAt]!) return false',
    replace: 'if (inUse > words[limitAt]!) return false',
    test: 'test/pool/cores.test.ts',
  },
]
