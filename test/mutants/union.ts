import type { Mutant } from './mutant.js'

const model = 'test/overlay/union-model.test.ts'
const alternate = 'test/overlay/union-alternate.system.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'what is renamed is copied up in a batch of its own',
    file: 'src/overlay/union/change-names.ts',
    find: '  upper.atomically(() => {\n    const node = copyUp(union, source)\n',
    replace: '  const node = copyUp(union, source)\n  upper.atomically(() => {\n',
    test: 'test/overlay/union-crash.test.ts',
  },
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
  {
    name: 'what a directory that is not in the upper yet has below is looked for one layer too deep',
    file: 'src/overlay/union/copy-up.ts',
    find: 'const below = directory.directory!.stack.filter(({ lower }) => lower > 0)',
    replace: 'const below = directory.directory!.stack.slice(1)',
    test: alternate,
  },
  {
    name: 'a directory that was filled in the kernel moves as if nothing were below it',
    file: 'src/overlay/union/copy-up.ts',
    find: 'return directory!.stack.some(({ lower }) => lower > 0)',
    replace: 'return directory!.stack[0]!.lower > 0',
    test: alternate,
  },
  {
    name: 'a container opened anew has forgotten what it hides',
    file: 'src/drivers/packed/record-writer.ts',
    find: 'this.#begin(ops[change.op], change.directory)',
    replace: 'this.#begin(ops.remove, change.directory)',
    test: alternate,
  },
]
