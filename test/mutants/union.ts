import type { Mutant } from './mutant.js'

const model = 'test/overlay/union-model.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'a removed name of the layers leaves no whiteout',
    file: 'src/overlay/change-names.ts',
    find: 'if (lowerPositive(union, parent, name)) upper.whiteout(',
    replace: 'if (parent === undefined) upper.whiteout(',
    test: model,
  },
  {
    name: 'a new directory merges with what was removed below it',
    file: 'src/overlay/lookup.ts',
    find: 'if (own !== undefined) return own',
    replace: 'if (own !== undefined && own.length > 1) return own',
    test: model,
  },
  {
    name: 'a renamed directory forgets what it merged with',
    file: 'src/overlay/copy-up.ts',
    find: 'dentry.directory !== undefined && { lowers: dentry.directory.stack }',
    replace: 'dentry.directory !== undefined && { lowers: [] }',
    test: model,
  },
  {
    name: 'exdev renames directories of the layers',
    file: 'src/overlay/syscalls-names.ts',
    find: "return directoryRename === 'exdev' && ",
    replace: 'return directoryRename === undefined && ',
    test: model,
  },
  {
    name: 'the type of a rename is checked after the layers of its source',
    file: 'src/overlay/syscalls-names.ts',
    find: "if (there !== undefined && isDirectory && there.directory === undefined) return 'ENOTDIR'",
    replace: "if (there !== undefined && isDirectory && there.directory === undefined) return 'EISDIR'",
    test: model,
  },
  {
    name: 'changing the owner keeps the set-id bits',
    file: 'src/overlay/syscalls-attributes.ts',
    find: 'mode: withoutSetId(node.mode)',
    replace: 'mode: node.mode',
    test: model,
  },
  {
    name: 'copying up changes the time of the directory',
    file: 'src/overlay/copy-up.ts',
    find: '    upper.place(directory, dentry.name, node)\n',
    replace:
      '    upper.place(directory, dentry.name, node)\n    upper.setAttributes(directory, { mtime: union.now() })\n',
    test: model,
  },
  {
    name: 'two names of one node are renamed',
    file: 'src/overlay/syscalls-names.ts',
    find: 'return node !== undefined && node === union.nodeOf(second)',
    replace: 'return node !== undefined && node === second as unknown',
    test: model,
  },
]
