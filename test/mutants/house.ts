import type { Mutant } from './mutant.js'

const floors = { file: 'test/house/floors.ts', test: 'test/house/floors.test.ts' }
const tidy = { file: 'test/house/tidy.ts', test: 'test/house/tidy.test.ts' }

export const mutants: readonly Mutant[] = [
  {
    ...floors,
    name: 'rooms on one floor know each other',
    find: 'target === 0 || target < floorOf(from)!',
    replace: 'target === 0 || target <= floorOf(from)!',
  },
  {
    ...floors,
    name: 'the protocol counts as the pool',
    find: 'protocol.has(to) ? protocolFloor',
    replace: 'false ? 0',
  },
  {
    ...floors,
    name: 'a product file imports upwards',
    file: 'src/limits.ts',
    find: `import { PhylloError } from './errors.js'`,
    replace: `import { PhylloError } from './errors.js'\nimport type {} from './store.js'`,
  },
  {
    ...floors,
    name: 'types are no imports',
    file: 'test/house/syntax.ts',
    find: 'if (isImportTypeNode(node))',
    replace: 'if (false as boolean && isImportTypeNode(node))',
  },
  {
    ...tidy,
    name: 'a product file is a bad guest',
    file: 'src/limits.ts',
    find: 'export const KiB = 1024',
    replace: 'export const KiB = 1024\nconsole.log(KiB)',
  },
  { ...tidy, name: 'the length of functions is not looked at', find: 'lines > functionLinesMax', replace: 'lines < 0' },
  {
    ...tidy,
    name: 'an error code that nothing throws',
    file: 'src/errors.ts',
    find: 'export const errorCodes = {',
    replace: `export const errorCodes = {\n  ACTUALLY_UNUSED: 'Nothing.',`,
  },
  {
    name: 'an export is renamed',
    file: 'dist/src/index.d.ts',
    find: 'PhylloError',
    replace: 'PhylloFailure',
    test: 'test/house/surface.test.ts',
  },
  {
    name: 'the worker files are not packed',
    file: 'package.json',
    find: "'dist/workers/*.js' ",
    replace: '',
    test: 'test/house/package.test.ts',
  },
  {
    name: 'workersDir is ignored',
    file: 'src/pool/pool.ts',
    find: 'this.#dir = workersDir === undefined ? undefined : directoryUrl(workersDir)',
    replace: 'this.#dir = undefined',
    test: 'test/house/package.test.ts',
  },
  {
    name: 'what failed is said once',
    file: 'test/build/say-again.ts',
    find: 'if (blocks.length > 0)',
    replace: 'if (blocks.length < 0)',
    test: 'test/house/run.test.ts',
  },
  {
    name: 'what failed is said again with all that it wrote',
    file: 'test/build/say-again.ts',
    find: 'if (lines.length <= mostLines)',
    replace: 'if (lines.length >= 0)',
    test: 'test/house/run.test.ts',
  },
  {
    name: 'files of the tests stay',
    file: 'test/run.ts',
    find: '  } finally {\n    removeFastDirectory(dir)\n',
    replace: '  } finally {\n',
    test: 'test/house/run.test.ts',
  },
  {
    name: 'a sample leaves rooms out',
    file: 'test/build/sample.ts',
    find: 'slice(0, leastOfKind)',
    replace: 'slice(0, 0)',
    test: 'test/house/sample.test.ts',
  },
  {
    name: 'every seed chooses the same',
    file: 'test/build/sample.ts',
    find: '{seed}',
    replace: "{''}",
    test: 'test/house/sample.test.ts',
  },
]
