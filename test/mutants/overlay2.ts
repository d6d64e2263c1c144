import type { Mutant } from './mutant.js'

const driver = 'src/drivers/overlay2/overlay2-driver.ts'
const directory = 'src/drivers/overlay2/directory.ts'
const plain = 'test/drivers/overlay2/overlay2-driver.test.ts'
const busy = 'test/disk/daemon.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'a link that nothing names any more stays for ever',
    file: directory,
    find: 'if (link === undefined) return undefined',
    replace: 'if (link === undefined || !linkGrammar.test(link)) return undefined',
    test: 'test/drivers/overlay2/overlay2-driver.test.ts',
  },
  {
    name: 'lower begins with the base',
    file: directory,
    find: `\`l/\${link}:\${lower}\``,
    replace: `\`\${lower}:l/\${link}\``,
    test: plain,
  },
  {
    name: 'what has a child is not marked',
    file: directory,
    find: '  if (below === undefined) return\n  try {',
    replace: "  if (below === undefined || below !== '') return\n  try {",
    test: plain,
  },
  {
    name: 'a base has a work directory',
    file: directory,
    find: "  if (below !== undefined) await io.mkdir(paths.below(staged, 'work'), 0o700)",
    replace: "  await io.mkdir(paths.below(staged, 'work'), 0o700)",
    test: plain,
  },
  {
    name: 'a directory is made before its intent',
    file: driver,
    find: `      intent = await root.intend({ directory: id })
      await placeDirectory(root, staged, { id, link, below })
`,
    replace: `      await placeDirectory(root, staged, { id, link, below })
      intent = await root.intend({ directory: id })
`,
    test: plain,
  },
  {
    name: 'a record goes without an intent',
    file: 'src/layers/collect.ts',
    find: '      if (candidate.cacheId !== undefined) await removal.announce(candidate.cacheId)\n',
    replace: '',
    test: plain,
  },
  {
    name: 'the link of a directory is left',
    file: 'src/layers/collect.ts',
    find: '  await removal.detach(root.paths.below(root.paths.limbo, name))\n',
    replace: '',
    test: plain,
  },
  {
    name: 'a link is unlinked whatever it means',
    file: directory,
    find: '(await ifThere(io.readlink(path))) ===',
    replace: '(await ifThere(io.readlink(path))) !== undefined || path ===',
    test: plain,
  },
  {
    name: 'what others stand on is collected',
    file: 'src/layers/collect.ts',
    find: 'for (const top of [...chains, ...stoodOn]) {',
    replace: 'for (const top of [...chains, ...stoodOn.slice(stoodOn.length)]) {',
    test: plain,
  },
  {
    name: 'equal diffIds share a directory',
    file: 'src/layers/layer-store.ts',
    find: 'content: this.driver.cacheIdOf(diffId) ?? chainIds[first + at]!',
    replace: 'content: this.driver.cacheIdOf(diffId) ?? diffId',
    test: plain,
  },
  {
    name: 'intents of the living are free',
    file: 'src/disk/intent.ts',
    find: '    if (alive.get(id)) continue\n',
    replace: '',
    test: plain,
  },
  {
    name: 'the databases of the builder are not looked at',
    file: 'src/disk/daemon.ts',
    find: 'of [locks.file, ...builders]',
    replace: 'of [locks.file, ...builders.slice(builders.length)]',
    test: busy,
  },
  {
    name: 'a dockerd that came later is not seen',
    file: 'src/disk/root.ts',
    find: '    await this.assertAlone()\n    const',
    replace: '    const',
    test: busy,
  },
]
