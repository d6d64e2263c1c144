import type { Mutant } from './mutant.js'

const lifecycle = 'test/containers/lifecycle.test.ts'
const death = 'test/containers/death.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'the record is published before the mount',
    file: 'src/containers/container-store.ts',
    find: '    const [upper, mount] = [stage.file',
    replace:
      '    await this.#root.replaceFile(paths.container(record.id), containerText(record), 0o600)\n    const [upper, mount] = [stage.file',
    test: death,
  },
  {
    name: 'the upper goes before the record',
    file: 'src/containers/container-store.ts',
    find: '        trashed.push(await this.#root.toTrash(paths.container(record.id)))\n',
    replace:
      '        trashed.push(await this.#root.toTrash(paths.containerUpper(record.mountId)))\n        trashed.push(await this.#root.toTrash(paths.container(record.id)))\n',
    test: death,
  },
  {
    name: 'what a death leaves behind stays',
    file: 'src/containers/container-store.ts',
    find: '        if (!known.has(name)) await this.#root.toTrash(paths.below(directory, name))',
    replace: '        if (!known.has(name)) paths.below(directory, name)',
    test: death,
  },
  {
    name: 'what a damaged record names is taken away',
    file: 'src/containers/container-store.ts',
    find: '      if (damaged.length === 0) await this.#clear(records)\n      const record',
    replace: '      await this.#clear(records)\n      const record',
    test: lifecycle,
  },
  {
    name: 'a name is given without a look at the others',
    file: 'src/containers/container-store.ts',
    find: 'if (wanted !== undefined) assertFree(wanted, records)',
    replace: 'if (wanted !== undefined) assertFree(wanted, [])',
    test: 'test/containers/interleavings.test.ts',
  },
  {
    name: 'a container that is open is opened again',
    file: 'src/containers/container-store.ts',
    find: '    if (release !== undefined) return { record, release }',
    replace: '    return { record, release: release ?? (async () => undefined) }',
    test: lifecycle,
  },
  {
    name: 'the layers of containers do not count',
    file: 'src/containers/references.ts',
    find: 'return { stacks: records.map(({ config }) => config?.diffIds ?? []), chains: await mountedChains(root), images }',
    replace: 'return { stacks: [], chains: new Set(), images }',
    test: 'test/containers/references.test.ts',
  },
  {
    name: 'the copy of the image config is believed',
    file: 'src/containers/record.ts',
    find: 'if (!isDigest(fields.imageId) || imageId !== (fields.imageId as ImageId))',
    replace: 'if (!isDigest(fields.imageId))',
    test: lifecycle,
  },
  {
    name: 'closing a container keeps it held',
    file: 'src/containers/container.ts',
    find: '      if (released) await held.release()',
    replace: '      if (released) released = true',
    test: lifecycle,
  },
  {
    name: 'cp: the contents of a directory go into one of its name',
    file: 'src/cli/cp-paths.ts',
    find: "isDirectory && (meansContents(source) || name === '')",
    replace: "isDirectory && name === ''",
    test: 'test/cli/cp.test.ts',
  },
  {
    name: 'a container begins without a journal',
    file: 'src/containers/container-store.ts',
    find: 'await begin?.(upper, created)',
    replace: '',
    test: lifecycle,
  },
  {
    name: 'a journal that is missing is one of a new container',
    file: 'src/containers/containers.ts',
    find: 'await this.#openUpper(await containers.upperDirectory(record), {})',
    replace:
      'await this.#openUpper(await containers.upperDirectory(record), { root: { mode: 0o40755, uid: 0, gid: 0, atime: { sec: 0, nsec: 0 }, mtime: { sec: 0, nsec: 0 }, ctime: { sec: 0, nsec: 0 }, birthtime: { sec: 0, nsec: 0 } } })',
    test: lifecycle,
  },
]
