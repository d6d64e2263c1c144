import type { Mutant } from './mutant.js'

const model = 'test/overlay/union-model.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'a removed name of the layers leaves no whiteout',
    file: 'src/overlay/union/change-names.ts',
    find: 'if (lowerPositive(union, parent, name)) upper.whiteout(',
    replace: 'if (parent === undefined) upper.whiteout(',
    test: model,
  },
  {
    name: 'a directory of one layer leaves no whiteout',
    file: 'src/overlay/union/copy-up.ts',
    find: 'return lookup(union.trees, below, name).length > 0',
    replace: 'return lookup(union.trees, below, name).length > 1',
    test: model,
  },
  {
    name: 'a renamed directory forgets what it merged with',
    file: 'src/overlay/union/copy-up.ts',
    find: 'dentry.directory !== undefined && { lowers: dentry.directory.stack }',
    replace: 'dentry.directory !== undefined && { lowers: [] }',
    test: model,
  },
  {
    name: 'exdev renames directories of the layers',
    file: 'src/overlay/union/syscalls-names.ts',
    find: "return directoryRename === 'exdev' && ",
    replace: 'return directoryRename === undefined && ',
    test: model,
  },
  {
    name: 'the type of a rename is checked after the layers of its source',
    file: 'src/overlay/union/syscalls-names.ts',
    find: "if (there !== undefined && isDirectory && there.directory === undefined) return 'ENOTDIR'",
    replace: "if (there !== undefined && isDirectory && there.directory === undefined) return 'EISDIR'",
    test: model,
  },
  {
    name: 'changing the owner keeps the set-id bits',
    file: 'src/overlay/union/syscalls-attributes.ts',
    find: 'mode: withoutSetId(node.mode)',
    replace: 'mode: node.mode',
    test: model,
  },
  {
    name: 'two names of one node are renamed',
    file: 'src/overlay/union/syscalls-names.ts',
    find: 'return node !== undefined && node === union.nodeOf(second)',
    replace: 'return node !== undefined && node === (second as unknown)',
    test: 'test/overlay/union-scenarios.test.ts',
  },
]
