import type { Mutant } from './mutant.js'

const commit = 'test/disk/commit.test.ts'
const death = 'test/disk/death.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'published content replaces what is there',
    file: 'src/disk/commit.ts',
    find: 'await c.io.link(staged, final)',
    replace: 'await c.io.rename(staged, final)',
    test: commit,
  },
  {
    name: 'content gets its name before it is on the disk',
    file: 'src/disk/commit.ts',
    find: '  await flush(c, staged)\n  if (await withParents(c, final, () => linkOrRename',
    replace: '  if (await withParents(c, final, () => linkOrRename',
    test: commit,
  },
  {
    name: 'who is second does not flush what it relies on',
    file: 'src/disk/commit.ts',
    find: '  await flush(c, final)\n',
    replace: '',
    test: commit,
  },
  {
    name: 'the dead are taken for alive',
    file: 'src/disk/owner.ts',
    find: 'return !(await tryLock(flock, fd, path))',
    replace: 'return (await tryLock(flock, fd, path)) || true',
    test: death,
  },
  {
    name: 'the living are taken for dead',
    file: 'src/disk/owner.ts',
    find: 'return !(await tryLock(flock, fd, path))',
    replace: 'return (await tryLock(flock, fd, path)) && false',
    test: death,
  },
  {
    name: 'nobody waits for the root lock',
    file: 'src/disk/lock.ts',
    find: '!(await tryLock(flock, fd, path))',
    replace: '!(await tryLock(flock, fd, path)) && false',
    test: death,
  },
  {
    name: 'what a dead collector held in limbo is thrown away',
    file: 'src/disk/reap.ts',
    find: 'await restore(context, self, name)',
    replace: 'await moveToTrash(context, self, paths.below(paths.limbo, name))',
    test: death,
  },
  {
    name: 'what comes back from limbo replaces what is there',
    file: 'src/disk/limbo.ts',
    find: 'await ifThere(io.link(from, place))',
    replace: 'await ifThere(io.rename(from, place))',
    test: death,
  },
  {
    name: 'a store of a newer format is written to',
    file: 'src/disk/open-root.ts',
    find: 'if (file.version > storeVersion) {',
    replace: 'if (file.version > storeVersion + 1) {',
    test: 'test/disk/open-root.test.ts',
  },
  {
    name: 'modes follow the umask',
    file: 'src/disk/io.ts',
    find: '  await fs.chmod(path, mode)\n',
    replace: '',
    test: 'test/disk/open-root.test.ts',
  },
  {
    name: 'two kinds of work share a stage',
    file: 'src/disk/stage.ts',
    find: 'const path = paths.below(paths.stages, owner.next())\n',
    replace:
      'const path = paths.below(paths.stages, owner.id)\n  const make = io.mkdir\n  io = { ...io, mkdir: (at, mode) => make(at, mode).catch(() => undefined) }\n',
    test: commit,
  },
  {
    name: 'an empty directory in the place is taken for what belongs there',
    file: 'src/disk/commit.ts',
    find: '  await flush(c, staged)\n  try {\n',
    replace:
      '  await flush(c, staged)\n  if ((await ifThere(c.io.status(final))) !== undefined) return false\n  try {\n',
    test: commit,
  },
  {
    name: 'the root lock is let go before the names are written',
    file: 'src/images/reference-store.ts',
    find: '      await edit.save()\n      return result\n    })\n',
    replace:
      '      return { edit, result }\n    }).then(async ({ edit, result }) => {\n      await edit.save()\n      return result\n    })\n',
    test: 'test/images/references-processes.test.ts',
  },
]
