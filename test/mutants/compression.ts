import type { Mutant } from './mutant.js'

export const mutants: readonly Mutant[] = [
  {
    name: 'what gunzip leaves unread is not looked at: a member behind zeros is dropped without a word',
    file: 'src/compression/gzip.ts',
    find: 'if (padding && unread.some(byte => byte !== 0)) {',
    replace: 'if (padding && unread.length < 0) {',
    test: 'test/compression/gzip.test.ts',
  },
  {
    name: 'only the chunk behind the last member is looked at',
    file: 'src/compression/gzip.ts',
    find: 'padding = unread.length > 0',
    replace: 'if (unread.length > 0) break',
    test: 'test/compression/gzip.test.ts',
  },
  {
    name: 'gzip header keeps the system of the machine',
    file: 'src/compression/gzip.ts',
    find: 'head[headerBytes - 1] = unknownSystem',
    replace: 'head[headerBytes - 1] = 3',
    test: 'test/compression/gzip-write.test.ts',
  },
  {
    name: 'the chunk that passes layerBytes is handed out',
    file: 'src/compression/bounds.ts',
    find: 'if (this.#outputBytes > layerBytes)',
    replace: 'if (this.#outputBytes - chunk.length > layerBytes)',
    test: 'test/compression/gzip.test.ts',
  },
  {
    name: 'a zstd stream may end within a frame',
    file: 'src/compression/zstd-frames.ts',
    find: "if (this.#stage !== 'magic' || this.#heldBytes > 0)",
    replace: "if (this.#stage === 'magic' && this.#heldBytes > 0)",
    test: 'test/compression/zstd.test.ts',
  },
  {
    name: 'any zstd window is taken',
    file: 'src/compression/zstd-frames.ts',
    find: 'if (this.#windowBytes > max) throw',
    replace: 'if (this.#windowBytes < 0) throw',
    test: 'test/compression/zstd.test.ts',
  },
  {
    name: 'leaving the loop leaves the source open',
    file: 'src/compression/compression.ts',
    find: 'await chunks.return?.()',
    replace: '',
    test: 'test/compression/sniff.test.ts',
  },
  {
    name: 'the decoder writes into the buffer that the consumer still has',
    file: 'src/compression/zstd-pump.ts',
    find: '[output, other] = [other, output]',
    replace: '[output, other] = [output, other]',
    test: 'test/compression/zstd.test.ts',
  },
  {
    name: 'what a program says on stderr is not heard',
    file: 'src/compression/program.ts',
    find: "if (end === 0 && complaint.text() === '') return",
    replace: 'if (end === 0) return',
    test: 'test/compression/program.test.ts',
  },
]
