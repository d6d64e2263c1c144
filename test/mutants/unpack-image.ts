import type { Mutant } from './mutant.js'

const plain = 'test/images/unpack.test.ts'
const system = 'test/images/unpack.system.test.ts'
const writer = 'test/unpack/tree-writer.test.ts'
const mount = 'test/drivers/overlay2/mount.system.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'a file is written over what is there',
    file: 'src/unpack/tree-writer.ts',
    find: 'constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL',
    replace: 'constants.O_WRONLY | constants.O_CREAT',
    test: writer,
  },
  {
    name: 'a content may be behind a symlink of the store',
    file: 'workers/write-tree.ts',
    find: 'constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK',
    replace: 'constants.O_RDONLY | constants.O_NONBLOCK',
    test: writer,
  },
  {
    name: 'examples of what is not set are the first that were met',
    file: 'src/unpack/not-set.ts',
    find: '  examples.sort()\n',
    replace: '',
    test: writer,
  },
  {
    name: 'a content has the bytes of the next one, too',
    file: 'src/layerfile/content-windows.ts',
    find: 'Math.min(to, this.#to) - this.#from',
    replace: 'this.#to - this.#from',
    test: 'test/layerfile/content-windows.test.ts',
  },
  {
    name: 'hard links become files of their own',
    file: 'src/overlay/walk/plan-tree.ts',
    find: 'while (++at < rows.length && columns.inodes[rows[at]!] === inode)',
    replace: 'while (++at < rows.length && false)',
    test: plain,
  },
  {
    name: 'what is left of an unpack that failed stays',
    file: 'src/images/unpack.ts',
    find: '      await output.discard()\n',
    replace: '',
    test: plain,
  },
  {
    name: 'it is made under its name from the start',
    file: 'src/disk/output-directory.ts',
    find: "this.tree = join(beside, 'tree')",
    replace: 'this.tree = path',
    test: plain,
  },
  {
    name: 'a directory that was filled meanwhile is a failure of the file system',
    file: 'src/disk/output-directory.ts',
    find: "'ENOTEMPTY', 'EEXIST', 'ENOTDIR'",
    replace: "'ENOTDIR'",
    test: plain,
  },
  {
    name: 'times of directories are set before what is in them is made',
    file: 'src/images/unpack.ts',
    find: 'await directories.ended()\n',
    replace:
      "await directories.ended()\n    await new TreeStep('attributes', jobs, PlanBoard.of([...parts].reverse())).ended()\n    parts.length = 0\n",
    test: plain,
  },
  {
    name: 'set-id bits come before the owner',
    file: 'src/unpack/node-attributes.ts',
    find: '    const owned = this.#setOwner(node, made)\n    if (node.xattrs.length > 0) this.#setXattrs(node, made)\n    if (made.mode !== undefined) this.#setMode(node, made, owned)\n',
    replace:
      '    if (node.xattrs.length > 0) this.#setXattrs(node, made)\n    if (made.mode !== undefined) this.#setMode(node, made, true)\n    this.#setOwner(node, made)\n',
    test: system,
  },
  {
    name: 'set-id bits of others are set for an ordinary user',
    file: 'src/unpack/node-attributes.ts',
    find: 'if (!owned && (wanted & setIdBits) !== 0)',
    replace: 'if (false && !owned && (wanted & setIdBits) !== 0)',
    test: system,
  },
  {
    name: 'times are set as node:fs has them',
    file: 'src/unpack/node-attributes.ts',
    find: 'if (nsec !== 0 && this.#calls !== undefined)',
    replace: 'if (false && nsec !== 0 && this.#calls !== undefined)',
    test: system,
  },
  {
    name: 'a default ACL of the directory above is inherited',
    file: 'src/disk/output-directory.ts',
    find: '  await forgetInherited(beside)\n',
    replace: '',
    test: system,
  },
  {
    name: 'redirects are followed',
    file: 'src/drivers/overlay2/mount.ts',
    find: 'redirect_dir=nofollow',
    replace: 'redirect_dir=follow',
    test: mount,
  },
  {
    name: 'a mount of others is unmounted',
    file: 'src/drivers/overlay2/mount.ts',
    find: 'if (mounted === undefined || layerOf(mounted) === undefined)',
    replace: 'if (mounted === undefined)',
    test: mount,
  },
]
