import type { Mutant } from './mutant.js'

const changes = 'src/drivers/overlay2/name-changes.ts'
const batch = 'src/drivers/overlay2/batch.ts'
const contents = 'src/drivers/overlay2/directory-contents.ts'
const confined = 'src/drivers/overlay2/confined-directory.ts'
const layer = 'src/drivers/overlay2/directory-layer.ts'
const scan = 'src/drivers/overlay2/scan-upper.ts'
const layers = 'test/drivers/overlay2/directory-layer.system.test.ts'
const uppers = 'test/drivers/overlay2/directory-upper.system.test.ts'
const death = 'test/drivers/overlay2/upper-death.system.test.ts'
const kernel = 'test/drivers/overlay2/upper-kernel.system.test.ts'
const model = 'test/drivers/overlay2/upper-model.system.test.ts'
const snapshot = 'test/drivers/overlay2/upper-snapshot.system.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'a symlink in a layer leads out of it',
    file: confined,
    find: 'const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS',
    replace: 'const resolve = RESOLVE_NO_MAGICLINKS & (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)',
    test: layers,
  },
  {
    name: 'any value marks a directory as opaque',
    file: confined,
    find: 'return this.#calls.lgetxattr(at, opaqueName)?.equals(opaqueValue) ?? false',
    replace: 'return this.#calls.lgetxattr(at, opaqueName)?.includes(opaqueValue) ?? false',
    test: layers,
  },
  {
    name: 'names of one inode are inodes of their own',
    file: layer,
    find: 'if (several) this.#linked.set(stats.ino, inode)',
    replace: '',
    test: layers,
  },
  {
    name: 'a directory is read again and again',
    file: layer,
    find: 'found.children ??= this.#read(dir)',
    replace: 'found.children = this.#read(dir)',
    test: layers,
  },
  {
    name: 'a directory over something of the layers is not marked opaque',
    file: batch,
    find: 'if (directory.lowers.length === 0 && below.length > 0) this.mark(directory)',
    replace: 'if (directory.lowers.length === 0 && below.length > 1) this.mark(directory)',
    test: uppers,
  },
  {
    name: 'times of directories are those of what was done in them',
    file: batch,
    find: '      this.touched(names.touched)\n',
    replace: '',
    test: kernel,
  },
  {
    name: 'what has lost its name is deleted under who has it open',
    file: changes,
    find: 'return this.#tree.find(what.id) === undefined || this.#places.spots(what.id).length > 1',
    replace: 'return this.#tree.find(what.id) === undefined || this.#places.spots(what.id).length > 0',
    test: uppers,
  },
  {
    name: 'a renamed directory goes before it has come',
    file: changes,
    find: '    for (const slot of this.#slots) {\n      const wanted = this.#wanted(slot)',
    replace:
      '    for (const slot of this.#slots) if (this.#wanted(slot) === WHITEOUT && slot.now !== WHITEOUT) this.#hide(slot)\n    for (const slot of this.#slots) {\n      const wanted = this.#wanted(slot)',
    test: death,
  },
  {
    name: 'a snapshot is written over',
    file: contents,
    find: 'if (!this.isKept(node)) return stored',
    replace: 'if (stored !== undefined) return stored',
    test: snapshot,
  },
  {
    name: 'a file that is replaced keeps its other names on the old one',
    file: contents,
    find: 'for (const spot of others) {',
    replace: 'for (const spot of others.slice(1)) {',
    test: snapshot,
  },
  {
    name: 'a redirect is read as if it were not there',
    file: scan,
    find: "['redirect', 'metacopy', 'whiteout'].map",
    replace: "['metacopy', 'whiteout'].map",
    test: uppers,
  },
  {
    name: 'what is below a whiteout between two layers is merged with',
    file: scan,
    find: 'lowers.lookup(directory.lowers, name)',
    replace: 'lowers.root.flatMap(({ lower, inode }) => lowers.lookup([{ lower, inode }], name))',
    test: uppers,
  },
  {
    name: 'bytes are not counted when an upper is opened',
    file: 'src/drivers/overlay2/upper-in-directory.ts',
    find: '      if (stored !== undefined) this.#contents.usedBytes += (stored as { readonly bytes: number }).bytes',
    replace: '      if (stored === null) this.#contents.usedBytes += (stored as { readonly bytes: number }).bytes',
    test: model,
  },
  {
    name: 'what is made gets its name before its times',
    file: batch,
    find: '    this.#setTimesInWork()\n',
    replace: '',
    test: death,
  },
]
