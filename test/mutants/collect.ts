import type { Mutant } from './mutant.js'

const gc = 'src/images/gc.ts'
const usage = 'src/disk/usage.ts'
const test = 'test/images/gc.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'gc: a file counts once for each of its names',
    file: usage,
    find: 'if (names === inode.links) freed += inode.bytes',
    replace: 'freed += inode.bytes',
    test,
  },
  {
    name: 'df: a file counts once for each of its names',
    file: usage,
    find: 'if (stats.isDirectory() || stats.nlink === 1) this.bytes += bytes',
    replace: 'if (bytes >= 0) this.bytes += bytes',
    test: 'test/images/disk-usage.test.ts',
  },
  {
    name: 'df: lengths instead of blocks',
    file: usage,
    find: 'const bytes = stats.blocks * statBlockBytes',
    replace: 'const bytes = stats.size',
    test: 'test/images/disk-usage.test.ts',
  },
  {
    name: 'df: paths may be too long for the kernel',
    file: usage,
    find: 'const longPathBytes = 2048',
    replace: 'const longPathBytes = 1e6',
    test: 'test/images/disk-usage.test.ts',
  },
  {
    name: 'gc: a dry run reaps',
    file: gc,
    find: 'if (!this.#dryRun) while (await root.reap());',
    replace: 'while (await root.reap());',
    test,
  },
  {
    name: 'gc: mounts of half-made containers keep layers in a dry run',
    file: gc,
    find: 'const none = new Set(leftovers.flatMap(({ container }) => container ?? []))',
    replace: 'const none = new Set(leftovers.flatMap(() => []))',
    test,
  },
  {
    name: 'gc: what is in the trash already is not told',
    file: gc,
    find: '      () => this.#trash(),\n',
    replace: '',
    test,
  },
  {
    name: 'gc: metadata goes under the lease of an adder',
    file: 'src/images/metadata-alone.ts',
    find: 'return new Set([...leased, ...',
    replace: 'return new Set([...',
    test,
  },
  {
    name: 'gc: a download goes while it is held',
    file: 'src/disk/partials.ts',
    find: 'if (release === undefined) return false',
    replace: 'if (release === undefined) return (await root.toTrash(path)) !== undefined',
    test,
  },
  {
    name: 'gc: a download of six days goes',
    file: 'src/disk/partials.ts',
    find: 'const keptMs = 7 *',
    replace: 'const keptMs = 5 *',
    test,
  },
  {
    name: 'gc: opening clears away what is to be told',
    file: 'src/disk/open-root.ts',
    find: 'if (tidy) await reapDeadOwners',
    replace: 'await reapDeadOwners',
    test,
  },
  {
    name: 'repositories.json is changed without the lock',
    file: 'src/images/reference-store.ts',
    find: 'return this.#root.withLock(async () => {\n      const edit = new',
    replace: 'return Promise.resolve().then(async () => {\n      const edit = new',
    test: 'test/images/references-processes.test.ts',
  },
]
