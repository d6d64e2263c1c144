import type { Mutant } from './mutant.js'

export const mutants: readonly Mutant[] = [
  {
    name: 'a whiteout does not end the search',
    file: 'src/overlay/lookup.ts',
    find: 'if (inode === WHITEOUT) break',
    replace: 'if (inode === WHITEOUT) continue',
    test: 'test/overlay/lookup.test.ts',
  },
  {
    name: 'an opaque directory is merged with what lies below',
    file: 'src/overlay/merge.ts',
    find: 'merging.closed = tree.opaque(inode)',
    replace: 'merging.closed = false',
    test: 'test/overlay/lookup.test.ts',
  },
  {
    name: 'one symlink too many is followed',
    file: 'src/overlay/resolve.ts',
    find: 'if (++hops > symlinkHops)',
    replace: 'if (hops++ > symlinkHops)',
    test: 'test/overlay/resolve.test.ts',
  },
  {
    name: 'counts of slices that are read at once overwrite each other',
    file: 'src/overlay/content.ts',
    find: 'total += count',
    replace: 'total = total === 0 ? count : total',
    test: 'test/overlay/content.test.ts',
  },
  {
    name: 'EROFS before EEXIST',
    file: 'src/overlay/open.ts',
    find: "if (typeof existing !== 'string') return 'EEXIST'",
    replace: "if (typeof existing !== 'string') return 'EROFS'",
    test: 'test/overlay/refusals.test.ts',
  },
  {
    name: 'a Buffer path is remembered as the text that it resembles',
    file: 'src/overlay/arguments.ts',
    find: 'return { text: toText(bytes), bytes, exact: false }',
    replace: 'return { text: toText(bytes), bytes, exact: true }',
    test: 'test/overlay/identity.test.ts',
  },
  {
    name: 'callbacks are called at once',
    file: 'src/overlay/forms.ts',
    find: 'setImmediate(() => callback(...results))',
    replace: 'callback(...results)',
    test: 'test/overlay/face.test.ts',
  },
  {
    name: 'layers are released while they are being read',
    file: 'src/overlay/union.ts',
    find: 'if (this.#reading > 0) await',
    replace: 'if (this.#reading > 1) await',
    test: 'test/overlay/face.test.ts',
  },
  {
    name: 'hard links are read twice in stored order',
    file: 'src/overlay/stored-order.ts',
    find: 'const sameFile = fits && last!.single?.inode === file.inode',
    replace: 'const sameFile = false && fits',
    test: 'test/overlay/walk.test.ts',
  },
]
