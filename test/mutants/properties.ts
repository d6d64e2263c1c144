import type { Mutant } from './mutant.js'

const calls = 'test/overlay/union-laws.test.ts'
const upper = 'test/overlay/union-upper-laws.test.ts'
const crash = 'test/overlay/union-crash.test.ts'
const linear = 'test/overlay/union-linear.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'who opens a file to cut it off cuts into a large write',
    file: 'src/overlay/union/open.ts',
    find: 'if ((flags & O_TRUNC) === 0 || ',
    replace: 'if (flags > 0 || ',
    test: linear,
  },
  {
    name: 'truncation to nothing cuts into a large write',
    file: 'src/overlay/union/write-later.ts',
    find: 'sizeBytes === 0 ? !union.turns.busy(file.dentry)',
    replace: 'sizeBytes === 0 ? true',
    test: linear,
  },
  {
    name: 'two large writes to one file mix',
    file: 'src/overlay/union/turns.ts',
    find: 'before === undefined ? work() : before.then(work, work)',
    replace: 'before === null ? before : work()',
    test: linear,
  },
  {
    name: 'what opens a file to cut it off is two batches',
    file: 'src/overlay/union/syscalls-files.ts',
    find: 'if (flags & O_TRUNC) truncateTo(union, found, 0, undefined)',
    replace: 'copyUp(union, found)\n  if (flags & O_TRUNC) truncateTo(union, found, 0, undefined)',
    test: crash,
  },
  {
    name: 'a write in place that fails half way leaves what it wrote',
    file: 'src/drivers/packed/large-contents.ts',
    find: 'if (replacing) this.#putBack(',
    replace: 'if (replacing && inPlace < 0) this.#putBack(',
    test: crash,
  },
  {
    name: 'the journal is written before the contents that it speaks of',
    file: 'src/drivers/packed/upper-contents.ts',
    find: '    this.large.write(content, position, bytes)\n    this.#keeper.contentWritten()\n    if (sizeBytes > content.bytes) this.#sized(node, content, sizeBytes)',
    replace:
      '    if (sizeBytes > content.bytes) this.#sized(node, content, sizeBytes)\n    this.large.write(content, position, bytes)\n    this.#keeper.contentWritten()',
    test: crash,
  },
  {
    name: 'devices and all others have device numbers',
    file: 'src/overlay/union/syscalls-names.ts',
    find: 'const isDevice = (mode & S_IFMT) === S_IFCHR || ',
    replace: 'const isDevice = mode > 0 || (mode & S_IFMT) === S_IFCHR || ',
    test: 'test/overlay/union-commands.test.ts',
  },
  {
    name: 'every name that is taken away leaves a whiteout',
    file: 'src/overlay/union/change-names.ts',
    find: 'if (lowerPositive(union, parent, name)) upper.whiteout(',
    replace: 'if (parent !== undefined) upper.whiteout(',
    test: upper,
  },
  {
    name: 'xattrs are not copied up',
    file: 'src/overlay/union/copy-up.ts',
    find: 'xattrs: tree.xattrs(inode),',
    replace: 'xattrs: [],',
    test: calls,
  },
  {
    name: 'copying up changes the inode number',
    file: 'src/overlay/union/union.ts',
    find: 'this.nodeOf(dentry)?.origin ?? dentry',
    replace: 'dentry',
    test: calls,
  },
  {
    name: 'other times are no change',
    file: 'src/overlay/difference/differs.ts',
    find: 'if (!sameTime(now, before) || !sameContent(',
    replace: 'if (!sameContent(',
    test: 'test/overlay/change-laws.test.ts',
  },
  {
    name: 'unlink does not mind a slash behind a file',
    file: 'src/overlay/union/syscalls-names.ts',
    find: "if (place.trailingSlash) throw fail('ENOTDIR')",
    replace: '',
    test: 'test/overlay/trailing-slashes.test.ts',
  },
  {
    name: 'an opaque directory lists what is below it',
    file: 'src/overlay/union/merge.ts',
    find: 'closed: !isDirectoryMode(tree.mode(inode)) || tree.opaque(inode) }',
    replace: 'closed: !isDirectoryMode(tree.mode(inode)) }',
    test: 'test/overlay/layer-laws.test.ts',
  },
  {
    name: 'a whiteout of a directory of the same tar leaves what is below',
    file: 'src/tar/tree/tree-builder.ts',
    find: '    this.#mark(row, by)\n    this.names.marks[row]! |= marks.whiteout',
    replace:
      '    if (this.names.inode[row] !== absent) return\n    this.#mark(row, by)\n    this.names.marks[row]! |= marks.whiteout',
    test: 'test/overlay/tar-laws.test.ts',
  },
]
