/** What a store must not forget when processes die, the power goes, or others are there. */
import type { Mutant } from './mutant.js'

const packed = 'test/system/kill-sweep-packed.system.test.ts'
const overlay2 = 'test/system/kill-sweep-overlay2.system.test.ts'
const power = 'test/system/power-cut.system.test.ts'
const crowd = 'test/system/crowd.system.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'stages of the dead stay where they are',
    file: 'src/disk/reap.ts',
    find: 'for (const name of stages) await moveToTrash(',
    replace: 'for (const name of stages.slice(0, 0)) await moveToTrash(',
    test: packed,
  },
  {
    name: 'what a dead collector has set aside is thrown away',
    file: 'src/disk/reap.ts',
    find: 'for (const name of names) await restore(context, self, name)',
    replace:
      'for (const name of names) await moveToTrash(context, self, context.paths.below(context.paths.limbo, name))',
    test: packed,
  },
  {
    name: 'an archive is written under the name that it is to have',
    file: 'src/archive/output.ts',
    find: 'const beside = join(dirname(path), ',
    replace: 'const beside = path || join(dirname(path), ',
    test: packed,
  },
  {
    name: 'the intent of a directory goes before its record stands',
    file: 'src/drivers/overlay2/overlay2-driver.ts',
    find: '    await this.#sync.everything(tarSplit)\n',
    replace: '    await ifThere(io.unlink(intent))\n    await this.#sync.everything(tarSplit)\n',
    test: overlay2,
  },
  {
    name: 'content is published before it is on the disk',
    file: 'src/disk/commit.ts',
    find: '  await flush(c, staged)\n  if (await withParents(c, final, () => linkOrRename',
    replace: '  if (await withParents(c, final, () => linkOrRename',
    test: power,
  },
  {
    name: 'the directory of a file that was replaced is not synced',
    file: 'src/disk/commit.ts',
    find: '    await withParents(c, final, () => c.io.rename(staged, final))\n  })\n  await flush(c, dirname(final))\n',
    replace: '    await withParents(c, final, () => c.io.rename(staged, final))\n  })\n',
    test: power,
  },
  {
    name: 'a saved archive may lose its name',
    file: 'src/archive/output.ts',
    find: 'if (this.#durable) await syncPath(dirname(this.file.path))',
    replace: '',
    test: power,
  },
  {
    name: 'a layer of driver overlay2 is recorded before it is on the disk',
    file: 'src/drivers/overlay2/file-system-sync.ts',
    find: "if (durability === 'none') return",
    replace: "if (durability !== 'none') return",
    test: power,
  },
  {
    name: 'a container is synced without its journal',
    file: 'src/drivers/packed/upper-keeper.ts',
    find: '      await this.#batches.journal.sync()\n',
    replace: '',
    test: power,
  },
  {
    name: 'nobody waits for the root lock while others are there',
    file: 'src/disk/lock.ts',
    find: '!(await tryLock(flock, fd, path))',
    replace: '!(await tryLock(flock, fd, path)) && false',
    test: crowd,
  },
  {
    name: 'the living are taken for dead while others are there',
    file: 'src/disk/owner.ts',
    find: 'return !(await tryLock(flock, fd, path))',
    replace: 'return !(await tryLock(flock, fd, path)) && false',
    test: crowd,
  },
]
