import type { Mutant } from './mutant.js'

const test = 'test/check/check.test.ts'
const rot = 'test/check/rot.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'what the disk cannot give is not healed',
    file: 'src/check/content-of.ts',
    find: "error.errno === 'EIO'",
    replace: "error.errno === 'ENOENT'",
    test: 'test/store/fault-cases.test.ts',
  },
  {
    name: 'a resume token that names nothing skips everything',
    file: 'src/check/check.ts',
    find: '(?:layer|blob|container) .*',
    replace: '.*',
    test,
  },
  {
    name: 'what a damaged directory becomes is deleted',
    file: 'src/drivers/overlay2/exchange-directory.ts',
    find: 'const aside = await root.quarantineFor(place)',
    replace: "const aside = staged + '-old'",
    test: 'test/check/rot.system.test.ts',
  },
  {
    name: 'length words of blocks are not compared',
    file: 'src/layerfile/check-layer-file.ts',
    find: "if (stored.readUInt32LE(0) !== word) return 'has another length in front of it'",
    replace: '',
    test: rot,
  },
  {
    name: 'the header of the LZ4 frame is not compared',
    file: 'src/layerfile/check-layer-file.ts',
    find: 'if (!header.equals(await frameHeader(footer.tarBytes)))',
    replace: 'if (header.length === 0)',
    test: rot,
  },
  {
    name: 'the header of the index is not compared',
    file: 'src/layerfile/check-layer-file.ts',
    find: 'if (header.readUInt32LE(0) !== indexMagic || header.readUInt32LE(4) !== payload)',
    replace: 'if (header.readUInt32LE(0) !== indexMagic)',
    test: rot,
  },
  {
    name: 'the layer of a footer is not compared with the name of its file',
    file: 'src/layerfile/check-layer-file.ts',
    find: 'if (footer.diffId !== this.#options.diffId)',
    replace: 'if (footer.diffId === undefined)',
    test,
  },
  {
    name: 'layer files that no record names are not looked at',
    file: 'src/check/contents.ts',
    find: "if (root.paths.driver !== 'packed') return []",
    replace: 'return []',
    test,
  },
  {
    name: 'what is gone by the time that it was read is a finding',
    file: 'src/check/contents.ts',
    find: 'return found.length > 0 && (await isGone(parts, content)) ? [] : found',
    replace: 'return found',
    test,
  },
  {
    name: 'what stands aside is missing',
    file: 'src/check/metadata.ts',
    find: '(await root.inLimbo(path)).length === 0)',
    replace: 'true)',
    test,
  },
  {
    name: 'a resumed check begins anew',
    file: 'src/check/check.ts',
    find: '(after === undefined || key > after)',
    replace: 'true',
    test,
  },
  {
    name: 'the rate is not bounded',
    file: 'workers/paced.ts',
    find: 'if (!(early > 0)) break',
    replace: 'break',
    test,
  },
  {
    name: 'what cannot be healed is deleted',
    file: 'src/disk/quarantine.ts',
    find: 'const moved = await ifThere(c.io.rename(path, to).then(() => true))',
    replace: 'const moved = await ifThere(c.io.deleteTree(path).then(() => true))',
    test,
  },
  {
    name: 'a copy that is not the layer heals it',
    file: 'src/check/mend-layers.ts',
    find: 'return output.diffId === diffId ?',
    replace: 'return output.diffId !== undefined ?',
    test,
  },
  {
    name: 'the first bit that may be the one is taken',
    file: 'src/check/single-bit.ts',
    find: 'if (found !== undefined) return undefined',
    replace: '',
    test,
  },
  {
    name: 'the checksum of a container record is not compared',
    file: 'src/containers/record.ts',
    find: 'if (sum !== undefined && sum !== sumOf(summed))',
    replace: 'if (sum === null)',
    test,
  },
]
