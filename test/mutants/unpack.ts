import type { Mutant } from './mutant.js'

const rows = 'test/unpack/unpack-layer.test.ts'
const model = 'test/unpack/unpack-layer-model.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'a second entry of one name is taken',
    file: 'src/tar/tree/tree-builder.ts',
    find: 'if (isEntry || (this.names.marks[row]! & marks.byDevice) !== 0) throw duplicate()',
    replace: 'if (!isEntry && (this.names.marks[row]! & marks.byDevice) !== 0) throw duplicate()',
    test: rows,
  },
  {
    name: 'a directory may come twice through a symlink',
    file: 'src/tar/tree/tree-builder.ts',
    find: 'if (there === absent || (before & now) !== 0 || device !== 0)',
    replace: 'if (there === absent || (before & now & named.plainly) !== 0 || device !== 0)',
    test: rows,
  },
  {
    name: 'a content is a payload although its name leads elsewhere on a host',
    file: 'src/unpack/unpack-layer.ts',
    find: '&& sizeBytes > 0 && !strayed',
    replace: '&& sizeBytes > 0 && (!strayed || sizeBytes > 0)',
    test: rows,
  },
  {
    name: 'a symlink that climbs above the root does not count as leading elsewhere',
    file: 'src/tar/tree/tree-walk.ts',
    find: 'if (this.#dirs.length === 0) {\n      this.strayed = true',
    replace: 'if (this.#dirs.length === 0) {\n      this.strayed ||= false',
    test: rows,
  },
  {
    name: 'mode before owner',
    file: 'src/unpack/layer-directory.ts',
    find: "if (!this.#isOwner(uid, gid)) this.#calls.fchown(fd, uid, gid)\n    this.#setXattrs(xattrs, 'file')\n    this.#calls.fchmod(fd, mode)",
    replace:
      "this.#calls.fchmod(fd, mode)\n    if (!this.#isOwner(uid, gid)) this.#calls.fchown(fd, uid, gid)\n    this.#setXattrs(xattrs, 'file')",
    test: rows,
  },
  {
    name: 'a new owner by a hard link loses the capability',
    file: 'src/unpack/layer-directory.ts',
    find: 'changes.owner ? this.#xattrsOf(inode) : xattrs',
    replace: 'changes.mode ? xattrs : xattrs',
    test: rows,
  },
  {
    name: 'the mode in the header of a hard link reaches what a symlink names',
    file: 'src/unpack/layer-directory.ts',
    find: "if (type !== 'symlink' && (changes.owner || changes.mode))",
    replace: 'if (changes.owner || changes.mode)',
    test: rows,
  },
  {
    name: 'overlayfs is told what an archive says to it',
    file: 'src/unpack/metadata.ts',
    find: "(name.startsWith('user.') && isKept(xattr))",
    replace: "name.startsWith('user.')",
    test: rows,
  },
  {
    name: 'labels of another machine are set',
    file: 'src/unpack/metadata.ts',
    find: "name === 'security.capability'",
    replace: "name.startsWith('security.')",
    test: rows,
  },
  {
    name: 'a whiteout is made where an entry stays',
    file: 'src/unpack/layer-directory.ts',
    find: 'if (names.inode[row] !== absent || !this.#isMade(names.dir[row]!)) return',
    replace: 'if (!this.#isMade(names.dir[row]!)) return',
    test: model,
  },
  {
    name: 'directories that whiteouts alone have made are there although they are gone',
    file: 'src/unpack/layer-directory.ts',
    find: 'if (names.inode[inodes.rowOf(at)] !== at) return false',
    replace: 'if (names.inode[inodes.rowOf(at)] === rootInode) return false',
    test: rows,
  },
  {
    name: 'parents are described before what is made in them',
    file: 'src/unpack/layer-directory.ts',
    find: 'for (let inode = inodes.length - 1; inode >= 0; inode--) {\n      if (this.#isMade(inode)) this.#guard',
    replace: 'for (let inode = inodes.length - 1; inode > 0; inode--) {\n      if (this.#isMade(inode)) this.#guard',
    test: rows,
  },
  {
    name: 'a path may be longer where the layer will stand',
    file: 'src/unpack/layer-paths.ts',
    find: 'const length = path.length + this.#growth',
    replace: 'const length = path.length + 0 * this.#growth',
    test: rows,
  },
  {
    name: 'the checksum is that of another polynomial',
    file: 'src/tar/crc64.ts',
    find: "'d800000000000000'",
    replace: "'c96c5795d7870f42'",
    test: 'test/tar/crc64.test.ts',
  },
]
