import type { Mutant } from './mutant.js'

const pull = 'test/distribution/pull.test.ts'
const resume = 'test/distribution/pull-resume.test.ts'
const hostile = 'test/distribution/pull-hostile.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'the command does not keep blobs',
    file: 'src/cli/open-store.ts',
    find: "chosen.blobs = oneOf(options, 'blobs', ['keep', 'drop'])",
    replace: "oneOf(options, 'blobs', ['keep', 'drop'])",
    test: 'test/cli/pull.test.ts',
  },
  {
    name: 'a partial download goes with the pull that failed',
    file: 'src/distribution/transfer.ts',
    find: 'if (this.#condemned || empty)',
    replace: 'if (this.#condemned || empty || !this.isWhole)',
    test: resume,
  },
  {
    name: 'bytes that are wrong stay for the next pull',
    file: 'src/distribution/downloads.ts',
    find: '    transfer.condemn()\n    this.#forget(transfer)\n',
    replace: '    this.#forget(transfer)\n',
    test: resume,
  },
  {
    name: 'bytes that were resumed and are wrong are final',
    file: 'src/distribution/downloads.ts',
    find: 'if (!again || transfer.resumedBytes === 0 || told.bytesAreRight) throw told.error',
    replace: 'throw told.error',
    test: resume,
  },
  {
    name: 'bytes that are wrong are fetched again and again',
    file: 'src/distribution/downloads.ts',
    find: 'if (!again || transfer.resumedBytes === 0 || told.bytesAreRight) throw told.error',
    replace: 'if (!again || told.bytesAreRight) throw told.error',
    test: resume,
  },
  {
    name: 'what is beyond a blob in its partial stays behind it',
    file: 'src/disk/growing-file.ts',
    find: '      await handle.truncate(there)\n',
    replace: '',
    test: pull,
  },
  {
    name: 'a partial is written while somebody else holds it',
    file: 'src/disk/lock.ts',
    find: 'const locked = await tryLock(flock, fd, path)',
    replace: 'const locked = (await tryLock(flock, fd, path)) || !signal.aborted',
    test: resume,
  },
  {
    name: 'a blob is fetched once for each who wants it',
    file: 'src/distribution/downloads.ts',
    find: 'if (there !== undefined && there.blob.sizeBytes === blob.sizeBytes) {',
    replace: 'if (there !== undefined && there.blob.sizeBytes < 0) {',
    test: pull,
  },
  {
    name: 'every thread may wait for the network',
    file: 'src/distribution/transfer.ts',
    find: '    if (!following.isFree) return\n',
    replace: '',
    test: resume,
  },
  {
    name: 'one of two ends what both want',
    file: 'src/distribution/transfer.ts',
    find: '    if (!this.isOver) return\n',
    replace: '',
    test: pull,
  },
  {
    name: 'an image for another platform is up to date',
    file: 'src/distribution/pull.ts',
    find: '  if (platformRank(platform ?? hostPlatform(), image.config) !== 0) return undefined\n',
    replace: '',
    test: pull,
  },
  {
    name: 'the digest of an image is recorded, not that of its index',
    file: 'src/distribution/pull.ts',
    find: 'const top = fetched.index?.digest ?? fetched.digest',
    replace: 'const top = fetched.digest',
    test: pull,
  },
  {
    name: 'a note is written of what nobody has hashed',
    file: 'src/distribution/downloads.ts',
    find: '    const value = await use(range)\n',
    replace: '    const value = await use(range).catch(() => ({}) as never)\n',
    test: hostile,
  },
  {
    name: 'layers of a pull wait for each other to be published',
    file: 'src/distribution/pull-source.ts',
    find: 'readonly publishesEarly = true',
    replace: 'readonly publishesEarly = Math.random() > 2',
    test: resume,
  },
  {
    name: 'kept blobs outlive their layers',
    file: 'src/images/kept-blobs.ts',
    find: 'if (!living.has(diffId) &&',
    replace: 'if (!living.has(diffId) && living.size > 9 &&',
    test: pull,
  },
  {
    name: 'a dry run keeps blobs of layers that would go',
    file: 'src/images/kept-blobs.ts',
    find: 'if (!gone.has(chainId)) living.add(diffId)',
    replace: 'if (gone.size >= 0 || chainId === undefined) living.add(diffId)',
    test: pull,
  },
  {
    name: 'kept manifests are collected while their image has its name',
    file: 'src/images/kept-blobs.ts',
    find: ' && !named.has(blob)',
    replace: '',
    test: 'test/distribution/round-trip.test.ts',
  },
  {
    name: 'what a kept index leads to is collected',
    file: 'src/images/kept-blobs.ts',
    find: 'named.add(child.digest)',
    replace: 'named.add(digest ?? child.digest)',
    test: 'test/distribution/round-trip.test.ts',
  },
]
