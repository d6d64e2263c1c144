import type { Mutant } from './mutant.js'

const git = 'test/users/isomorphic-git.test.ts'
const walkers = 'test/users/walkers.test.ts'
const tarFs = 'test/users/tar-fs.test.ts'
const typescript = 'test/users/typescript.test.ts'
const rollup = 'test/users/rollup.test.ts'
const graceful = 'test/users/graceful-fs.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'streams are of the classes that node:fs shows',
    file: 'src/overlay/face/streams.ts',
    find: '  return prototype.constructor as StreamClass<S>',
    replace: '  return (prototype === undefined ? prototype : shown) as unknown as StreamClass<S>',
    test: graceful,
  },
  {
    name: 'a class of streams makes an object of its own, whatever it is called on',
    file: 'src/overlay/face/streams.ts',
    find: 'new.target === undefined && this instanceof Stream',
    replace: 'new.target === null && this instanceof Stream',
    test: 'test/overlay/stream-classes.test.ts',
  },
  {
    name: 'the class that inherits from one of streams is forgotten',
    file: 'src/overlay/face/streams.ts',
    find: 'Reflect.construct(Host, args, new.target ?? Stream)',
    replace: 'Reflect.construct(Host, args, Stream)',
    test: 'test/overlay/stream-classes.test.ts',
  },
  {
    name: 'an export takes modes for those of new files',
    file: 'src/overlay/difference/entry-of.ts',
    find: '    mode: inode.mode & 0o7777,',
    replace: '    mode: inode.mode & 0o666,',
    test: git,
  },
  {
    name: 'a listing says of links that they are files',
    file: 'src/overlay/face/dirent.ts',
    find: '  symlink: 3,',
    replace: '  symlink: 1,',
    test: walkers,
  },
  {
    name: 'lstat follows links',
    file: 'src/overlay/face/calls-attributes.ts',
    find: "lstat: { sync: statSync(union, false, 'lstat') }",
    replace: "lstat: { sync: statSync(union, true, 'lstat') }",
    test: tarFs,
  },
  {
    name: 'utimes leaves the time of the last change',
    file: 'src/overlay/union/syscalls-attributes.ts',
    find: '{ atime, mtime, ctime: union.now() }',
    replace: '{ atime, ctime: mtime && union.now() }',
    test: tarFs,
  },
  {
    name: 'absence is an error, though nobody wants one',
    file: 'src/overlay/face/calls-attributes.ts',
    find: "if (code !== 'ENOTDIR' || syscall !== 'stat') return code === 'ENOENT'",
    replace: "if (code !== 'ENOTDIR' || syscall !== 'stat') return code === ''",
    test: typescript,
  },
  {
    name: 'realpath stops before the last link',
    file: 'src/overlay/face/calls-paths.ts',
    find: 'const target = tree.isSymlink(found) ? resolve(tree, node, name, true) : found',
    replace: 'const target = found',
    test: typescript,
  },
  {
    name: 'mkdir -p fails where the directory is',
    file: 'src/overlay/face/calls-change-names.ts',
    find: "else if (code !== 'EEXIST') throw",
    replace: "else if (code !== '') throw",
    test: rollup,
  },
]
