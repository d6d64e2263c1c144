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
    file: 'src/drivers/packed/packed-uppers.ts',
    find: 'for (const { paths } of leftovers) for (const path of paths) await this.#root.toTrash(path)',
    replace: '',
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
    find: 'if (wanted !== undefined) assertFree(wanted, others)',
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
    find: '    stacks: records.map(({ config }) => config?.diffIds ?? []),\n    chains: await mountedChains(root, leftovers),\n',
    replace: '    stacks: [],\n    chains: new Set(),\n',
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
    find: '    if (released) await held.release()',
    replace: '    if (released) released = true',
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
    find: 'await begin?.(upper, created, below)',
    replace: '',
    test: lifecycle,
  },
  {
    name: 'a journal that is missing is one of a new container',
    file: 'src/drivers/packed/open-upper.ts',
    find: "throw corruptUpper(path, 'missing')",
    replace:
      'await makePackedUpper(directory, { mode: 0o40755, uid: 0, gid: 0, atime: { sec: 0, nsec: 0 }, mtime: { sec: 0, nsec: 0 }, ctime: { sec: 0, nsec: 0 }, birthtime: { sec: 0, nsec: 0 } }, options)',
    test: lifecycle,
  },
  {
    name: 'one that looks can change',
    file: 'src/containers/container.ts',
    find: '    readOnly,\n    label,',
    replace: '    label,',
    test: 'test/containers/look.test.ts',
  },
  {
    name: 'one that looks holds the container',
    file: 'src/containers/containers.ts',
    find: 'await (options.readOnly ? this.#containers.look(name) : this.#containers.hold(name))',
    replace: 'await this.#containers.hold(name)',
    test: 'test/containers/look.test.ts',
  },
  {
    name: 'one that looks may commit',
    file: 'src/containers/work.ts',
    find: 'if (union.readOnly) throw openForReading(name)',
    replace: '',
    test: 'test/containers/look.test.ts',
  },
  {
    name: 'targets of symlinks have no size',
    file: 'src/containers/sizes.ts',
    find: 'upper.usedBytes + targetBytes(upper.root)',
    replace: 'upper.usedBytes',
    test: 'test/containers/look.test.ts',
  },
  {
    name: 'a symlink with two names counts twice',
    file: 'src/containers/sizes.ts',
    find: 'const links = new Set<UpperNode>()',
    replace:
      'const links = { all: [] as UpperNode[], add(n: UpperNode) { this.all.push(n) }, [Symbol.iterator]() { return this.all.values() } }',
    test: 'test/containers/look.test.ts',
  },
  {
    name: 'a name that climbs out is clamped',
    file: 'src/overlay/archive/extract-tar.ts',
    find: 'const names = normalizeName(entry.name, this.#limits)',
    replace: "const names = normalizeName(entry.name.replaceAll('..', '.') as typeof entry.name, this.#limits)",
    test: 'test/overlay/extract-tar.test.ts',
  },
  {
    name: 'a hard link counts from the root',
    file: 'src/overlay/archive/extract-tar.ts',
    find: 'link(this.#union, this.#pathOf(normalizeName(entry.linkName, this.#limits)), path)',
    replace:
      "link(this.#union, { text: '', bytes: '/'.concat(entry.linkName) as typeof entry.linkName, exact: false }, path)",
    test: 'test/overlay/extract-tar.test.ts',
  },
  {
    name: 'a symlink is followed where an entry replaces it',
    file: 'src/overlay/archive/extract-tar.ts',
    find: 'const there = this.#union.lookup(path, false)',
    replace: 'const there = this.#union.lookup(path, true)',
    test: 'test/overlay/extract-tar.test.ts',
  },
  {
    name: 'the owner comes after the mode',
    file: 'src/overlay/archive/extract-tar.ts',
    find: "    if (entry.type !== 'symlink') chmod(union, dentry, entry.mode)\n",
    replace:
      "    if (entry.type !== 'symlink') chmod(union, dentry, entry.mode)\n    chown(union, dentry, entry.uid, entry.gid)\n",
    test: 'test/overlay/extract-tar.test.ts',
  },
  {
    name: 'times of directories come before what is in them',
    file: 'src/overlay/archive/extract-tar.ts',
    find: 'if (this.#union.tree.isLinked(dentry)) setTimes',
    replace: 'if (this.#directories.length < 0) setTimes',
    test: 'test/overlay/extract-tar.test.ts',
  },
  {
    name: 'padding is content',
    file: 'src/overlay/archive/extract-tar.ts',
    find: 'const bytes = piece.subarray(0, arriving.left)',
    replace: 'const bytes = piece',
    test: 'test/overlay/extract-tar.test.ts',
  },
  {
    name: 'overlayfs’s own xattrs are set',
    file: 'src/overlay/archive/extract-tar.ts',
    find: 'isOfTheImage(xattr.name) ? setXattr(union, dentry, xattr, undefined) : undefined',
    replace: 'setXattr(union, dentry, xattr, undefined)',
    test: 'test/overlay/extract-tar.test.ts',
  },
  {
    name: 'an archive of a closed container goes on',
    file: 'src/overlay/difference/export-tar.ts',
    find: '    union.assertOpen()\n    add(',
    replace: '    add(',
    test: 'test/containers/archives.test.ts',
  },
  {
    name: 'an abort does not reach the input',
    file: 'src/archive/extract.ts',
    find: 'stream.stop(op.signal.reason)',
    replace: 'stream.bytesRead',
    test: 'test/containers/archives.test.ts',
  },
]
