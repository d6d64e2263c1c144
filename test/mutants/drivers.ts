import type { Mutant } from './mutant.js'

const keeper = 'src/drivers/packed/upper-keeper.ts'
const batches = 'src/drivers/packed/batches.ts'
const kept = 'src/drivers/packed/kept-contents.ts'
const large = 'src/drivers/packed/large-contents.ts'
const contents = 'src/drivers/packed/upper-contents.ts'
const crash = 'test/drivers/packed/upper-crash.test.ts'
const faults = 'test/drivers/packed/upper-faults.test.ts'
const compaction = 'test/drivers/packed/upper-compaction.test.ts'
const snapshot = 'test/drivers/packed/upper-snapshot.test.ts'
const model = 'test/drivers/packed/upper-model.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'a frame is written before its contents',
    file: batches,
    find: `      const extent = this.#segments.handOver()
      if (extent !== undefined) this.#records.extent(extent)
      this.journal.append(this.#records.frame())
`,
    replace: `      this.journal.append(this.#records.frame())
      this.#segments.handOver()
`,
    test: crash,
  },
  {
    name: 'content is written over before what came first is handed over',
    file: batches,
    find: 'if (this.#batch === this.#records.length && !this.#records.isEmpty) this.handOver()',
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
    file: batches,
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
    name: 'what a snapshot reads is written over',
    file: contents,
    find: 'if (!this.#kept.isKept(node, content, position)) return content',
    replace: 'if (!this.#kept.isKept(node, content, position) || position >= 0) return content',
    test: snapshot,
  },
  {
    name: 'zeros before a write get into what a snapshot reads',
    file: kept,
    find: 'const from = Math.min(position, content.bytes)',
    replace: 'const from = position',
    test: snapshot,
  },
  {
    name: 'a content changes while it is copied',
    file: kept,
    find: 'if (this.#copied.has(content)) return true',
    replace: '',
    test: snapshot,
  },
  {
    name: 'a snapshot of what is only in memory',
    file: keeper,
    find: `    this.#batches.handOver()
    const { segments, large, holds } = this.#parts
`,
    replace: `    const { segments, large, holds } = this.#parts
`,
    test: snapshot,
  },
  {
    name: 'segments that a snapshot reads are removed',
    file: keeper,
    find: '.filter(segment => !holds.segment(segment))',
    replace: '',
    test: snapshot,
  },
  {
    name: 'contents that a snapshot reads are removed',
    file: large,
    find: 'const isHeld = ({ file }: LargeContent) => this.#holds.content(file)',
    replace: 'const isHeld = ({ file }: LargeContent) => file < 0',
    test: snapshot,
  },
  {
    name: 'what was held is not removed when it is free',
    file: keeper,
    find: 'if (this.#withheld && !holds.any) this.sync().catch(() => undefined)',
    replace: '',
    test: snapshot,
  },
  {
    name: 'a compaction moves contents in a snapshot',
    file: 'src/drivers/packed/compaction.ts',
    find: '  tree.keep(node)\n',
    replace: '',
    test: snapshot,
  },
  {
    name: 'the second change of a name gets into a snapshot',
    file: 'src/drivers/upper-snapshot.ts',
    find: 'if (!names.has(name)) names.set(name, child)',
    replace: 'names.set(name, child)',
    test: snapshot,
  },
  {
    name: 'a node that loses a name does so in a snapshot, too',
    file: 'src/drivers/upper-tree.ts',
    find: 'if (before !== undefined && before !== WHITEOUT) this.#keep(before)',
    replace: '',
    test: snapshot,
  },
  {
    name: 'a copy by reflink has what lay behind the end',
    file: 'src/drivers/packed/large-copies.ts',
    find: 'if (this.#files.bytes(name) !== bytes) this.#files.truncateSync(name, bytes)',
    replace: '',
    test: snapshot,
  },
  {
    name: 'a file that was open without a name stays',
    file: keeper,
    find: 'if (isDone && !this.#withheld && large.surplusFiles === 0) return',
    replace: 'if (isDone && !this.#withheld) return',
    test: compaction,
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
    find: 'if (birthtimeMs(file) <= since)',
    replace: 'if (birthtimeMs(file) <= since || true)',
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
