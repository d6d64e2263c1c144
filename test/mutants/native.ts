import type { Mutant } from './mutant.js'

export const mutants: readonly Mutant[] = [
  {
    name: 'a decoder is used again after an error',
    file: 'src/native/lz4-run.ts',
    find: 'if (whole && idle.length < keptDecoders)',
    replace: 'if (idle.length < keptDecoders)',
    test: 'test/native/lz4.test.ts',
  },
  {
    name: 'lz4-napi: a block that is shorter than its index says is taken for good',
    file: 'src/native/lz4-napi.ts',
    find: 'if (content.length === contentBytes) return content',
    replace: 'if (content.length <= contentBytes) return content',
    test: 'test/native/lz4.test.ts',
  },
  {
    name: 'lz4-napi: a block without room in front of it is not refused',
    file: 'src/native/lz4-block.ts',
    find: 'stored.byteOffset >= roomBytes && stored.byteLength > 0',
    replace: 'stored.byteOffset >= roomBytes',
    test: 'test/native/lz4.test.ts',
  },
  {
    name: 'a limited call does not hand its place on',
    file: 'src/native/call-limit.ts',
    find: 'else next() // hands its place on',
    replace: '',
    test: 'test/native/lz4.test.ts',
  },
  {
    name: 'flock may wait',
    file: 'src/native/libc.ts',
    find: '(operation & (LOCK_NB | LOCK_UN)) === 0',
    replace: '(operation & (LOCK_NB | LOCK_UN)) < 0',
    test: 'test/native/libc.test.ts',
  },
  {
    name: 'a program is taken from a relative entry of PATH',
    file: 'src/native/programs.ts',
    find: 'if (!isAbsolute(folder)) continue',
    replace: '',
    test: 'test/native/programs.test.ts',
  },
]
