import type { Mutant } from './mutant.js'

const keeper = 'src/drivers/packed/upper-keeper.ts'
const large = 'src/drivers/packed/large-contents.ts'
const contents = 'src/drivers/packed/upper-contents.ts'
const crash = 'test/drivers/packed/upper-crash.test.ts'
const faults = 'test/drivers/packed/upper-faults.test.ts'
const compaction = 'test/drivers/packed/upper-compaction.test.ts'
const model = 'test/drivers/packed/upper-model.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'a frame is written before its contents',
    file: keeper,
    find: `      const extent = segments.handOver()
      if (extent !== undefined) this.#records.extent(extent)
      this.#journal.append(this.#records.frame())
`,
    replace: `      this.#journal.append(this.#records.frame())
      segments.handOver()
`,
    test: crash,
  },
  {
    name: 'content is written over before what came first is handed over',
    file: keeper,
    find: 'if (this.#batch === this.#records.length && !this.#records.isEmpty) this.#handOver()',
    replace: '',
    test: 'test/drivers/packed/upper-order.test.ts',
  },
  {
    name: 'bytes behind the end of a content that was cut come back',
    file: large,
    find: 'if (end <= content.bytes) return',
    replace: 'if (end <= content.bytes || end > 0) return',
    test: compaction,
  },
  {
    name: 'what was written over is not put back',
    file: large,
    find: 'if (replacing) this.#putBack(content, position, before, error)',
    replace: '',
    test: faults,
  },
  {
    name: 'a removed file goes before the journal is on the disk',
    file: keeper,
    find: '    const surplus = large.surplus()\n',
    replace: '    const surplus = large.surplus()\n    large.remove(surplus)\n',
    test: 'test/drivers/packed/upper-order.test.ts',
  },
  {
    name: 'frames of a compaction are lost',
    file: 'src/drivers/packed/compaction.ts',
    find: 'for (const frame of old.carried) next.append(frame)',
    replace: '',
    test: compaction,
  },
  {
    name: 'used ids are forgotten',
    file: 'src/drivers/packed/snapshot.ts',
    find: 'records.next(tree.nextId)',
    replace: 'records.next(0)',
    test: compaction,
  },
  {
    name: 'damage in the middle is an end',
    file: 'src/drivers/packed/journal.ts',
    find: "if (hasFrameBehind(bytes, view, at, sum)) throw corruptUpper(path, 'damaged', at)",
    replace: '',
    test: crash,
  },
  {
    name: 'a failed hand-over forgets the records',
    file: keeper,
    find: '      this.#records.cut(length)\n',
    replace: '      this.#records.reset()\n',
    test: faults,
  },
  {
    name: 'a content that grows loses its beginning',
    file: contents,
    find: 'if (old.length > 0) this.large.write(content, 0, old)',
    replace: '',
    test: model,
  },
  {
    name: 'bytes of a frame are not looked at',
    file: 'src/drivers/packed/replay.ts',
    find: 'return low === checksum[0] && high === checksum[1]',
    replace: 'return low >= 0 && high >= 0',
    test: crash,
  },
  {
    name: 'a look gives frames up while the journal changes',
    file: 'src/drivers/packed/look.ts',
    find: '(whole && before?.file === after?.file)',
    replace: 'before?.file === after?.file',
    test: 'test/drivers/packed/look.test.ts',
  },
  {
    name: 'a look takes the beginning of a journal that was replaced',
    file: 'src/drivers/packed/look.ts',
    find: '(whole && before?.file === after?.file)',
    replace: 'whole',
    test: 'test/drivers/packed/look.test.ts',
  },
  {
    name: 'a look does not try again',
    file: 'src/drivers/packed/look.ts',
    find: 'const mostTries = 20',
    replace: 'const mostTries = 1',
    test: 'test/drivers/packed/look.test.ts',
  },
  {
    name: 'a look reads zeros where contents went',
    file: 'src/drivers/packed/look.ts',
    find: 'if (count === 0 && into.length > 0) throw',
    replace: 'if (count < 0) throw',
    test: 'test/containers/look.test.ts',
  },
  {
    name: 'a look takes another file of the same number',
    file: 'src/drivers/packed/look.ts',
    find: 'fs.fstatSync(file.fd).birthtimeMs <= since',
    replace: 'fs.fstatSync(file.fd).birthtimeMs <= Number.POSITIVE_INFINITY',
    test: 'test/containers/look.test.ts',
  },
  {
    name: 'a look opens for writing',
    file: 'src/drivers/packed/look.ts',
    find: "open: name => io.open(name, 'r')",
    replace: "open: name => io.open(name, 'r+')",
    test: 'test/drivers/packed/look.test.ts',
  },
]
