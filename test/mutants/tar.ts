import type { Mutant } from './mutant.js'

export const mutants: readonly Mutant[] = [
  {
    name: 'PAX size wins over a size in the header (D2)',
    file: 'src/tar/resolve.ts',
    find: 'if (size !== header.size && header.size !== 0)',
    replace: 'if (size !== header.size && header.size < 0)',
    test: 'test/tar/threats-grammar.test.ts',
  },
  {
    name: 'a header behind one zero block is read (D19)',
    file: 'src/tar/scanner.ts',
    find: "if (this.#state === 'zero') throw",
    replace: "if (this.#state === 'closed') throw",
    test: 'test/tar/threats-grammar.test.ts',
  },
  {
    name: 'a name that climbs is clamped to the root (A1)',
    file: 'src/tar/name.ts',
    find: 'else if (--kept < 0) throw',
    replace: 'else if (kept === 0) continue\n    else if (--kept < 0) throw',
    test: 'test/tar/name.test.ts',
  },
  {
    name: '.wh.. is a whiteout of its own directory (B1)',
    file: 'src/tar/whiteout.ts',
    find: "name === '' || name === '.' || name === '..'",
    replace: "name === '' || name === '..'",
    test: 'test/tar/whiteout.test.ts',
  },
  {
    name: 'xattr values refer to memory that is used again (C7)',
    file: 'src/tar/pax.ts',
    find: 'value: Buffer.from(body.subarray(start, end))',
    replace: 'value: body.subarray(start, end)',
    test: 'test/tar/pax.test.ts',
  },
  {
    name: 'a meta body that comes in pieces loses where it was (D32)',
    file: 'src/tar/meta.ts',
    find: 'chunk.copy(this.#body, this.#have, at, at + bytes)',
    replace: 'chunk.copy(this.#body, 0, at, at + bytes)',
    test: 'test/tar/scanner.test.ts',
  },
  {
    name: 'owner 2^32 - 1, which chown takes for none (C12)',
    file: 'src/tar/resolve.ts',
    find: 'const maxId = 2 ** 32 - 2',
    replace: 'const maxId = 2 ** 32 - 1',
    test: 'test/tar/threats-metadata.test.ts',
  },
  {
    name: 'a number that goes on behind its end (D13)',
    file: 'src/tar/numbers.ts',
    find: 'for (; i < end; i++) if (block[i] !== 0 && block[i] !== space) return Number.NaN',
    replace: 'if (i < end && block[i] !== 0 && block[i] !== space) return Number.NaN',
    test: 'test/tar/numbers.test.ts',
  },
]
