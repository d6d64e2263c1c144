import type { Mutant } from './mutant.js'

export const mutants: readonly Mutant[] = [
  {
    name: 'rmi: leases are not read again once the config is set aside',
    file: 'src/images/remove.ts',
    find: 'const needed = async () => (await this.#isLeased(id)) || ',
    replace: 'const needed = async () => ',
    test: 'test/images/remove-interleavings.test.ts',
  },
  {
    name: 'rmi: the config goes before its names',
    file: 'src/images/remove.ts',
    find: '    await names.save()\n',
    replace: '',
    test: 'test/images/remove-interleavings.test.ts',
  },
  {
    name: 'rmi: metadata of a dead removal belongs to nobody',
    file: 'src/images/image-store.ts',
    find: 'aside.unshift(metadata)',
    replace: 'aside.push(metadata)',
    test: 'test/images/remove-interleavings.test.ts',
  },
  {
    name: 'rmi: a tag is given to an image that is gone',
    file: 'src/images/image-catalog.ts',
    find: 'if (!(await images.has(image.id))) throw imageNotFound(source)',
    replace: '',
    test: 'test/images/remove-interleavings.test.ts',
  },
  {
    name: 'rmi: digests stay without a tag',
    file: 'src/images/removal-conflict.ts',
    find: 'return siblings.some(({ digest }) => digest === undefined) ? [named] : [named, ...siblings]',
    replace: 'return [named]',
    test: 'test/images/remove.test.ts',
  },
  {
    name: 'rmi: a layer is said to go with the first image that had it',
    file: 'src/images/remove.ts',
    find: '&& !later.has(chainId)',
    replace: '',
    test: 'test/images/remove.test.ts',
  },
  {
    name: 'rmi: a forced image goes under its children',
    file: 'src/images/removal-conflict.ts',
    find: 'if (use.children) return',
    replace: 'if (use.children && !force) return',
    test: 'test/images/remove.test.ts',
  },
  {
    name: 'rmi: an image of a container loses its last name',
    file: 'src/images/remove.ts',
    find: 'const inUse = !force && isSingle(use.references) ? nameInUse(name, use) : undefined',
    replace: 'const inUse = undefined',
    test: 'test/images/remove.test.ts',
  },
  {
    name: 'rmi: a repository without names stays in the file',
    file: 'src/images/reference-store.ts',
    find: 'if (keys.size === 0) this.#repositories.delete(repository)',
    replace: '',
    test: 'test/images/remove.test.ts',
  },
  {
    name: 'rmi: layers that cannot be collected fail the removal',
    file: 'src/images/remove.ts',
    find: 'if (!(error instanceof PhylloError)) throw error\n      const message',
    replace: 'if (error !== undefined) throw error\n      const message',
    test: 'test/images/remove.test.ts',
  },
]
