import type { Mutant } from './mutant.js'

const prune = 'test/images/prune.test.ts'
const imported = 'test/archive/import.test.ts'
const inspected = 'test/cli/inspect-container.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'prune: what somebody works with goes',
    file: 'src/images/prune.ts',
    find: '    if (leased) return true\n',
    replace: '',
    test: prune,
  },
  {
    name: 'prune: one without a date is old',
    file: 'src/images/prune.ts',
    find: "!(Date.parse(config.created ?? '') <= before)",
    replace: "Date.parse(config.created ?? '') > before",
    test: prune,
  },
  {
    name: 'prune: one of the unwanted labels is enough to stay, and none as well',
    file: 'src/images/prune.ts',
    find: '(unlike.length > 0 && hasLabels(config, unlike))',
    replace: 'hasLabels(config, unlike)',
    test: prune,
  },
  {
    name: 'prune: a name by digest is a name',
    file: 'src/images/prune.ts',
    find: 'references.some(({ digest }) => digest === undefined)',
    replace: 'references.length > 0',
    test: prune,
  },
  {
    name: 'prune: what was built from stays',
    file: 'src/images/remove.ts',
    find: '      while (parent !== undefined) parent = await this.#delete({ id: parent, force: false, quiet: true }, names)\n',
    replace: '',
    test: prune,
  },
  {
    name: 'prune: an image of a container loses its last name',
    file: 'src/images/remove.ts',
    find: 'name: canonicalName(reference), reference, force: false }',
    replace: 'name: canonicalName(reference), reference, force: true }',
    test: prune,
  },
  {
    name: 'prune: nothing is said to be reclaimed',
    file: 'src/images/remove.ts',
    find: '[chainId, record?.sizeBytes ?? 0]',
    replace: '[chainId, 0]',
    test: prune,
  },
  {
    name: 'import: a stream that breaks is the end of it',
    file: 'src/archive/import.ts',
    find: '    await file.fail()\n    throw error\n',
    replace: '    await file.end()\n',
    test: imported,
  },
  {
    name: 'import: whatever the server says is the image',
    file: 'src/archive/url.ts',
    find: 'if (response.status === 200)',
    replace: 'if (response.status > 0)',
    test: imported,
  },
  {
    name: 'import: the password stands in the comment',
    file: 'src/archive/import.ts',
    find: 'return { label: name ?? url, from: url,',
    replace: 'return { label: name ?? url, from: input,',
    test: imported,
  },
  {
    name: 'import: the reference is looked at when all is done',
    file: 'src/archive/import.ts',
    find: '  checkImport(wanted)\n',
    replace: '',
    test: imported,
  },
  {
    name: 'import: an abort waits for the stream',
    file: 'src/archive/import.ts',
    find: '    importing.catch((error: unknown) => input.stop(error))\n',
    replace: '',
    test: imported,
  },
  {
    name: 'import: the architecture is the host\u2019s, whatever was asked for',
    file: 'src/images/import.ts',
    find: 'architecture: platform.architecture,',
    replace: 'architecture: hostPlatform().architecture,',
    test: imported,
  },
  {
    name: 'inspect: an image comes before a container of its name',
    file: 'src/store-images.ts',
    find: "if (container !== undefined || type === 'container') return container",
    replace: "if (type === 'container') return container",
    test: inspected,
  },
  {
    name: 'inspect: the first template that fails ends it',
    file: 'src/cli/inspect-command.ts',
    find: '        failures.push(error)\n        return []',
    replace: '        throw error',
    test: inspected,
  },
  {
    name: 'history: parents are missing',
    file: 'src/images/history.ts',
    find: 'at = at.parent && (await find(at.parent))',
    replace: 'at = undefined',
    test: 'test/cli/inspect.test.ts',
  },
]
