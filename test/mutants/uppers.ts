import type { Mutant } from './mutant.js'

const first = 'src/overlay/union/copy-first.ts'
const long = 'src/overlay/union/long-copies.ts'
const own = 'src/overlay/union/own-content.ts'
const plain = 'test/overlay/copy-first.test.ts'
const disks = 'test/drivers/overlay2/upper-copies.system.test.ts'
const probe = 'test/drivers/overlay2/probe.system.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'asynchronous calls copy up as synchronous ones do',
    file: first,
    find: '  union.attempt = attempt\n',
    replace: '',
    test: plain,
  },
  {
    name: 'two calls copy one content twice',
    file: first,
    find: '    union.turns.take(dentry, async () => {',
    replace: '    union.turns.take({}, async () => {',
    test: plain,
  },
  {
    name: 'what lost its name is copied up all the same',
    file: first,
    find: '      if (isWanted(union, dentry, 1)) adoptOrDiscard',
    replace: '      if (draft.bytes >= 0) adoptOrDiscard',
    test: plain,
  },
  {
    name: 'links below a directory that is renamed come up one by one',
    file: 'src/overlay/union/copy-up-tree.ts',
    find: '      } else if (isLinkedBelow(union, child)) {\n        if',
    replace: '      } else if (isLinkedBelow(union, child) && alone.length < 0) {\n        if',
    test: plain,
  },
  {
    name: 'a copy-up is not counted before it is copied',
    file: long,
    find: '  if (bytes > 0 && upper!.usedBytes + bytes > maxBytes)',
    replace: '  if (bytes < 0 && upper!.usedBytes + bytes > maxBytes)',
    test: plain,
  },
  {
    name: 'room that others have taken meanwhile is taken again',
    file: own,
    find: "    assertFits(union, draft.bytes, 'write')\n",
    replace: '',
    test: plain,
  },
  {
    name: 'slices follow each other without a turn of the loop',
    file: own,
    find: '        () => union.pace.turn(),\n',
    replace: '        async () => undefined,\n',
    test: plain,
  },
  {
    name: 'a full container is told as a failure of copying up',
    file: 'src/overlay/union/errno.ts',
    find: "    throw isErrno(error, 'EDQUOT') ? fail('EDQUOT') : error",
    replace: '    throw error',
    test: plain,
  },
  {
    name: 'a copy that fails leaves half a file in the work directory',
    file: 'src/drivers/overlay2/directory-draft.ts',
    find: ', () => this.#disk.unlink(this.path)])',
    replace: '])',
    test: disks,
  },
  {
    name: 'a content is copied up in its place',
    file: 'src/drivers/overlay2/upper-in-directory.ts',
    find: '      const path = disk.fresh()\n      disk.make(path, fields)',
    replace: "      const path = 'diff/big' as ByteString\n      disk.make(path, fields)",
    test: disks,
  },
  {
    name: 'a mount keeps no layer',
    file: 'src/drivers/overlay2/overlay2-driver.ts',
    find: ', ...(await this.#mountedByKernel())]',
    replace: ']',
    test: 'test/images/mount.system.test.ts',
  },
  {
    name: 'what a killed probe has left stays',
    file: 'src/drivers/overlay2/probe.ts',
    find: '    clear(directory)\n',
    replace: '',
    test: probe,
  },
  {
    name: 'a probe takes the directory of a living one away',
    file: 'src/drivers/overlay2/probe.ts',
    find: 'Date.now() - stats.mtimeMs > longestProbeMs',
    replace: 'Date.now() - stats.mtimeMs > -longestProbeMs',
    test: probe,
  },
]
