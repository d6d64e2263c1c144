/** Beside a dockerd: what is its own, and what it has left. */
import type { Mutant } from './mutant.js'

const driver = 'src/drivers/overlay2/overlay2-driver.ts'
const overlay2 = 'test/drivers/overlay2/overlay2-driver.test.ts'
const containers = 'test/containers/docker-containers.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'layers of a builder are collected',
    file: driver,
    find: 'return [...layers].filter(id => builderGrammar.test(id))',
    replace: 'return [...layers].filter(id => builderGrammar.test(id) && id.length > 25)',
    test: overlay2,
  },
  {
    name: 'layers of a builder that is gone stay for ever',
    file: driver,
    find: 'if ((await ifThere(io.status(paths.builderSnapshots()))) === undefined) return []',
    replace: 'await ifThere(io.status(paths.builderSnapshots()))',
    test: overlay2,
  },
  {
    name: 'a damaged record leaves its directory to nobody',
    file: 'src/layers/collect.ts',
    find: 'all.push(cacheId === undefined ? { chainId } : { chainId, cacheId })',
    replace: 'all.push(cacheId === undefined ? { chainId } : { chainId })',
    test: overlay2,
  },
  {
    name: 'a damaged record takes along what is a container’s',
    file: 'src/layers/damaged.ts',
    find: 'if (!free.has(cacheId) || pinned.has(cacheId))',
    replace: 'if (pinned.has(cacheId))',
    test: overlay2,
  },
  {
    name: 'a repaired layer is taken from below another',
    file: 'src/layers/damaged.ts',
    find: 'new Set(childrenGo ? [...known, ...named] : named)',
    replace: 'new Set([...known, ...named])',
    test: overlay2,
  },
  {
    name: 'names of a dockerd are given again',
    file: 'src/containers/container-store.ts',
    find: 'const others = [...records, ...(await dockerContainers(this.#root))]',
    replace: 'const others = [...records]',
    test: containers,
  },
  {
    name: 'a container in a directory of another id is believed',
    file: 'src/containers/docker-containers.ts',
    find: 'if (file?.ID !== id) return undefined',
    replace: 'if (file === undefined) return undefined',
    test: containers,
  },
  {
    name: 'deleting goes through mounts',
    file: 'src/drivers/overlay2/directory-removal.ts',
    find: '    await detachMounts(path)\n',
    replace: '',
    test: 'test/drivers/overlay2/left-mounts.system.test.ts',
  },
  {
    name: 'half a tree is shown for a whole one',
    file: 'src/drivers/overlay2/directory-layer.ts',
    find: 'if (this.#isThere?.() === false) {',
    replace: 'if (this.#isThere === null) {',
    test: 'test/drivers/overlay2/removed-meanwhile.system.test.ts',
  },
]
